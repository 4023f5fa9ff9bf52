"""Runs of `agents.rsr`: scores before and after, the pairs that came out, revisions to see."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pydantic import BaseModel

from benchmarks.granfact import METRICS, style_of
from pages.plots import histogram, intervals, label
from pages.report_claims import response_samples
from pages.report_parts import Block, Card, Cards, Figure, Section, Table, by_run, interval, percent
from pages.report_runs import Run
from pages.report_tradeoff import tradeoff_section
from pages.samples import Sample
from schemas.judged import Metrics
from schemas.preference import PreferencePair
from schemas.record import RevisedRecord
from scoring.metrics import Summands, metrics, summands

BINS = {"margin": 0.025, "gap": 0.05}
SIDES = ("before", "after")


class Scored(Metrics):
    """One side of `scores.json`."""

    intervals: dict[str, tuple[float, float]]


class RunScores(BaseModel):
    """What a report reads of `scores.json`."""

    ground_truth: str
    before: Scored
    after: Scored


class Sums:
    """Sums that the metrics are made of, of both sides, by any key."""

    def __init__(self) -> None:
        self._sums: dict[tuple[str, ...], dict[str, list[float]]] = {}

    def add(self, key: tuple[str, ...], record: RevisedRecord) -> None:
        """Count a response, and its revision or, where none was accepted, the response again."""
        after = record.revision.score if record.revision else record.score
        sides = self._sums.setdefault(key, {side: [0.0] * len(Summands._fields) for side in SIDES})
        for side, score in zip(SIDES, (record.score, after), strict=True):
            for place, value in enumerate(summands(score)):
                sides[side][place] += value

    def metrics(self) -> Iterator[tuple[tuple[str, ...], dict[str, Metrics]]]:
        """The metrics of both sides, in the order of the keys."""
        for key, sides in sorted(self._sums.items()):
            yield key, {side: metrics(totals) for side, totals in sides.items()}


@dataclass
class Seen:
    """What one reading of a run's files gives; it does not grow with the records."""

    sample: Sample[RevisedRecord]
    styles: Sums = field(default_factory=Sums)
    domains: Sums = field(default_factory=Sums)
    counts: Counter[str] = field(default_factory=Counter)
    bins: dict[str, Counter[tuple[str, int]]] = field(
        default_factory=lambda: defaultdict(Counter[tuple[str, int]])
    )


def rsr_sections(runs: Sequence[Run], size: int) -> Iterator[Section]:
    """The sections of these runs, with `size` samples of each."""
    scores = {run.name: run.value("scores.json", RunScores) for run in runs}
    seen = {run.name: _read(run, size) for run in runs}
    yield Section(
        "rollback",
        "What rollback changed",
        [*_cards(scores, seen), *_metrics(scores), _counts(seen), *_by_domain(seen)],
        lead="The nine metrics of GranFact before and after unreliable claims were rewritten, "
        "with 95 % bootstrap intervals over images.",
    )
    yield from _tradeoff(seen)
    pairs = [_pairs(seen, name) for name in ("margin", "gap")]
    if any(pairs):
        lead = "How strongly each pair is preferred. The margin grows with the gap between the "
        lead += "scores of its two texts."
        yield Section("pairs", "Preference pairs", [found for found in pairs if found], lead)
    yield response_samples(runs, {name: found.sample for name, found in seen.items()})


def _read(run: Run, size: int) -> Seen:
    seen = Seen(Sample(size))
    for record in run.rows("revisions.jsonl", RevisedRecord):
        seen.sample.offer(record.id, record)
        seen.styles.add((record.model or "", style_of(record)), record)
        seen.domains.add((record.domain or "no domain",), record)
        seen.counts.update(["responses", *(edit.kind for edit in record.edits)])
        seen.counts["edited"] += bool(record.edits)
        seen.counts["refused"] += record.revision is None
    for pair in run.rows("pairs.jsonl", PreferencePair):
        seen.counts[f"{pair.kind} pairs"] += 1
        for name, value in (("margin", pair.margin), ("gap", pair.gap)):
            seen.bins[name][pair.kind, _bin(name, value)] += 1
    return seen


def _bin(name: str, value: float) -> int:
    """What a rounding error puts below an edge belongs above it; a gap of 1 is in the last bin."""
    place = int(value / BINS[name] + 1e-9)
    return min(place, round(1 / BINS[name]) - 1) if name == "gap" else place


def _cards(scores: Mapping[str, RunScores], seen: Mapping[str, Seen]) -> Iterator[Block]:
    """The figures of a single run."""
    if len(scores) > 1:
        return
    [found], [counted] = scores.values(), seen.values()
    counts = counted.counts
    cards = [
        Card(f"{title} {name}", f"{percent(before)} → {percent(after)}", "percent")
        for name, title in (
            ("P", "precision"),
            ("gF1", "granularity"),
            ("IRR", "reliable responses"),
        )
        for before, after in [(getattr(found.before, name), getattr(found.after, name))]
    ]
    pairs = [(n, counts[f"{n} pairs"]) for n in ("reliability", "granularity")]
    cards.append(
        Card(
            "preference pairs",
            f"{sum(number for _, number in pairs):,}",
            ", ".join(f"{number:,} {name}" for name, number in pairs),
        )
    )
    yield Cards(cards)


def _metrics(scores: Mapping[str, RunScores]) -> Iterator[Block]:
    several = len(scores) > 1
    rows = [
        {
            "name": metric,
            "series": label(f"{run}, {side}" if several else side),
            "value": getattr(scored, metric),
            "low": scored.intervals.get(metric, (None, None))[0],
            "high": scored.intervals.get(metric, (None, None))[1],
        }
        for run, found in scores.items()
        for side, scored in ((side, getattr(found, side)) for side in SIDES)
        for metric in METRICS
    ]
    columns = [f"{run}, {side}" if several else side for run in scores for side in SIDES]
    table = Table(
        ["metric", *columns],
        [
            [metric]
            + [
                interval(getattr(scored, metric), scored.intervals.get(metric))
                for found in scores.values()
                for scored in (found.before, found.after)
            ]
            for metric in METRICS
        ],
        note="In percent, with 95 % intervals."
        + (
            " Ground truth was parsed from references (depth 1), not annotated."
            if any(found.ground_truth == "reference" for found in scores.values())
            else ""
        ),
    )
    text = "Nine metrics before and after rollback, each a dot with its 95 % interval."
    yield Figure("metrics", "Metrics before and after", intervals(rows), text, table)


def _counts(seen: Mapping[str, Seen]) -> Table:
    counted = ("responses", "edited", "delete", "rollback", "quantity", "refused",
             "reliability pairs", "granularity pairs")  # fmt: skip
    titles = {"delete": "claims deleted", "rollback": "claims made coarser",
              "quantity": "claims recounted", "refused": "revisions refused"}  # fmt: skip
    rows = [
        [titles.get(name, name), *(f"{found.counts[name]:,}" for found in seen.values())]
        for name in counted
    ]
    names = list(seen) if len(seen) > 1 else ["number"]
    return Table(["", *names], rows, title="Edits and pairs")


def _by_domain(seen: Mapping[str, Seen]) -> Iterator[Block]:
    rows = []
    for run, found in seen.items():
        for (domain,), sides in found.domains.metrics():
            cells = [
                " → ".join(percent(getattr(sides[side], name)) for side in SIDES)
                for name in ("IRR", "P", "gF1", "G")
            ]
            rows.append([run, domain, f"{sides['before'].examples:,}", *cells])
    if len({row[1] for row in rows}) > 1:
        columns = ["domain", "responses", "IRR", "P", "gF1", "G"]
        yield by_run(columns, rows, 1, "By domain", "In percent, before → after.")


def _tradeoff(seen: Mapping[str, Seen]) -> Iterator[Section]:
    rows = []
    for run, found in seen.items():
        for (model, style), sides in found.styles.metrics():
            for side, scored in sides.items():
                names = [name for name in (run if len(seen) > 1 else "", model) if name]
                rows.append(
                    {"series": ", ".join([*names, side]), "style": style, "metrics": scored}
                )
    yield from tradeoff_section(rows)


def _pairs(seen: Mapping[str, Seen], name: str) -> Figure | None:
    """A histogram of each kind's margins or gaps."""
    rows = [
        {"panel": label(f"{run}: {kind}" if len(seen) > 1 else kind), "group": kind,
         "low": round(place * BINS[name], 6), "count": count}
        for run, found in seen.items()
        for (kind, place), count in sorted(found.bins[name].items())
    ]  # fmt: skip
    if not rows:
        return None
    table = Table(
        ["pairs", f"{name} from", "to below", "number"],
        [
            [
                str(row["panel"]),
                f"{row['low']:.3f}",
                f"{float(str(row['low'])) + BINS[name]:.3f}",
                f"{row['count']:,}",
            ]
            for row in rows
        ],
    )
    title = {"margin": "Margins", "gap": "Gaps between the scores"}[name]
    text = f"Histograms of the {name} of reliability and of granularity pairs."
    return Figure(f"{name}s", title, histogram(rows, name, BINS[name]), text, table)
