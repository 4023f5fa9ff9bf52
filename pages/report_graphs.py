"""Scene graphs, their negatives, and what a discriminator said of these."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import get_args

from pages.plots import histogram, label
from pages.report_about import text_only
from pages.report_parts import Block, Figure, Item, Section, Table, by_run, percent
from pages.report_runs import Run
from pages.samples import Sample, samples
from pages.thumbnails import thumbnail
from schemas.finer import Verdict
from schemas.scene_graph import ElementKind, NegatedGraph, SceneGraph, elements

KINDS: tuple[ElementKind, ...] = get_args(ElementKind)
AGAIN, AT_ONCE = "elements asked again", "elements kept at once"
BIN = 0.05
DECISIONS = {"keep": "kept", "regenerate": "made again", "drop": "dropped"}


def graph_sections(runs: Sequence[Run], size: int) -> Iterator[Section]:
    """Runs of the caption parser, with `size` samples of each."""
    yield from _graphs(runs, size, "scene_graphs.jsonl", SceneGraph)


def negative_sections(runs: Sequence[Run], size: int) -> Iterator[Section]:
    """Runs of the negative generator, with `size` samples of each."""
    yield from _graphs(runs, size, "negatives.jsonl", NegatedGraph)


def discriminator_sections(runs: Sequence[Run], size: int) -> Iterator[Section]:
    """Runs of the discriminator, with `size` samples of their verdicts and of their graphs."""
    seen = {run.name: _verdicts(run, size) for run in runs}
    blocks: list[Block] = [_rounds(seen), *_entropies(runs, seen)]
    blocks[:0] = text_only(runs)
    lead = "A model is asked which of five statements is true. Where it is not sure, the probable "
    lead += "negatives are made again; what stays ambiguous is dropped."
    yield Section("verdicts", "What the discriminator said", blocks, lead)
    shown: list[Block] = []
    for title in (AGAIN, AT_ONCE):
        drawn = {name: found.drawn[title] for name, found in seen.items()}
        if any(sample.seen for sample in drawn.values()):
            shown.append(samples(title, runs, drawn, _verdict_item, legend="verdicts"))
    yield Section("elements", "Verdicts to look at", shown)
    yield from _graphs(runs, size, "negatives.jsonl", NegatedGraph)


@dataclass
class Verdicts:
    """What one reading of `verdicts.jsonl` gives."""

    drawn: dict[str, Sample[list[Verdict]]]
    rounds: Counter[tuple[int, str]] = field(default_factory=Counter)
    bins: Counter[tuple[str, int]] = field(default_factory=Counter)
    entropy: dict[int, float] = field(default_factory=lambda: defaultdict(float))
    on_top: Counter[int] = field(default_factory=Counter)


def _verdicts(run: Run, size: int) -> Verdicts:
    seen = Verdicts({title: Sample(size // 2) for title in (AGAIN, AT_ONCE)})
    rows = run.rows("verdicts.jsonl", Verdict)
    for element, group in groupby(rows, key=lambda row: row.id.rpartition("/")[0]):
        rounds = list(group)
        at_once = len(rounds) == 1 and rounds[0].decision == "keep"
        seen.drawn[AT_ONCE if at_once else AGAIN].offer(element, rounds)
        for row in rounds:
            seen.rounds[row.round, row.decision] += 1
            seen.entropy[row.round] += row.entropy
            seen.on_top[row.round] += max(row.probabilities) == row.probabilities[row.positive]
            if row.round == 1:
                seen.bins[DECISIONS[row.decision], int(row.entropy / BIN + 1e-9)] += 1
    return seen


def _rounds(seen: dict[str, Verdicts]) -> Table:
    rows = []
    for run, found in seen.items():
        for number in sorted({number for number, _ in found.rounds}):
            asked = sum(found.rounds[number, decision] for decision in DECISIONS)
            counts = [f"{found.rounds[number, decision]:,}" for decision in DECISIONS]
            mean = f"{found.entropy[number] / asked:.3f}"
            share = percent(found.on_top[number] / asked)
            rows.append([run, str(number), f"{asked:,}", *counts, share, mean])
    columns = ["round", "asked", *DECISIONS.values(), "true one on top, %", "mean entropy"]
    return by_run(columns, rows, words=1, title="By round")


def _entropies(runs: Sequence[Run], seen: dict[str, Verdicts]) -> Iterator[Figure]:
    limits = {run.name: run.manifest.settings.get("max_entropy") for run in runs}
    rows = [
        {"panel": label(run), "group": decision, "low": round(place * BIN, 6), "count": count}
        for run, found in seen.items()
        for (decision, place), count in sorted(found.bins.items(), key=_as_decided)
    ]
    if not rows:
        return
    threshold = next((value for value in limits.values() if isinstance(value, int | float)), None)
    same = threshold is not None and len(set(limits.values())) == 1
    chart = histogram(rows, "entropy in nats", BIN, threshold=threshold if same else None)
    text = "Histogram of the entropy over five options in round 1, by what was decided"
    text += f"; the dashed line is the threshold, {threshold} nats." if same else "."
    cells = [
        [str(row["panel"]), str(row["group"]), f"{row['low']:.2f}", f"{row['count']:,}"]
        for row in rows
    ]
    table = by_run(["decision", "entropy from", "elements"], cells, words=1)
    yield Figure("entropy", "Entropy in round 1", chart, text, table)


def _as_decided(item: tuple[tuple[str, int], int]) -> tuple[int, int]:
    (decision, place), _ = item
    return list(DECISIONS.values()).index(decision), place


@dataclass(frozen=True)
class OptionView:
    """One statement with its probability, from 0 to 1, and whether it was replaced."""

    text: str
    probability: float
    true: bool
    replaced: bool


@dataclass(frozen=True)
class RoundView:
    """What the macro `verdict` draws."""

    round: int
    decision: str
    entropy: float
    method: str
    options: list[OptionView]


def _verdict_item(rounds: Sequence[Verdict], run: Run) -> Item:
    first, last = rounds[0], rounds[-1]
    views = [
        RoundView(
            row.round,
            DECISIONS[row.decision],
            row.entropy,
            {"logprobs": "log-probabilities"}.get(row.method, row.method),
            [
                OptionView(text, share, place == row.positive, place in row.regenerate)
                for place, (text, share) in enumerate(
                    zip(row.options, row.probabilities, strict=True)
                )
            ],
        )
        for row in rounds
    ]
    # An element whose last round asks for new negatives got none.
    end = "kept" if last.decision == "keep" else "dropped"
    line = first.options[first.positive]
    image = thumbnail(first.image, run.folder)
    return Item(first.id.rpartition("/")[0], "verdicts", (end, first.kind), line, image, views)


def _graphs(
    runs: Sequence[Run], size: int, file: str, model: type[SceneGraph] | type[NegatedGraph]
) -> Iterator[Section]:
    """Counts of elements, and some of the graphs."""
    rows = []
    drawn = {run.name: Sample[SceneGraph | NegatedGraph](size) for run in runs}
    for run in runs:
        counts: Counter[str] = Counter()
        for graph in run.rows(file, model):
            drawn[run.name].offer(graph.id, graph)
            counts.update(_counted(graph))
        rows += [[run.name, *row] for row in _by_kind(counts, model is NegatedGraph)]
    negated = ["four negatives", "none"] if model is NegatedGraph else []
    table = by_run(["element", "number", "a graph", *negated], rows, words=1)
    shown = samples("graphs", runs, drawn, _graph_item)
    yield Section("graphs", "Scene graphs", [table, shown])


def _counted(graph: SceneGraph | NegatedGraph) -> Iterable[str]:
    yield "graphs"
    for element in elements(graph):
        yield element.kind
        if element.negatives:
            yield f"{element.kind} negated"


def _by_kind(counts: Counter[str], negated: bool) -> Iterator[list[str]]:
    for kind in KINDS:
        number, full = counts[kind], counts[f"{kind} negated"]
        mean = f"{number / max(1, counts['graphs']):.1f}"
        sides = [f"{full:,}", f"{number - full:,}"] if negated else []
        yield [f"{kind}s", f"{number:,}", mean, *sides]


def _graph_item(graph: SceneGraph | NegatedGraph, run: Run) -> Item:
    counts = Counter(element.kind for element in elements(graph))
    line = ", ".join(f"{counts[kind]} {kind}{'s'[: counts[kind] != 1]}" for kind in KINDS)
    dropped = isinstance(graph, NegatedGraph) and bool(graph.dropped)
    flags = ("with dropped elements",) if dropped else ()
    return Item(graph.id, "scene_graph", flags, line, thumbnail(graph.image, run.folder), graph)
