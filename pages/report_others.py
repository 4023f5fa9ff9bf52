"""Runs of all other commands: rectification, question pairs, regions, single steps."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict

from agents.rectifier_report import RectifierReport
from pages.plots import bars, label, lines
from pages.report_claims import response_samples
from pages.report_finer import SETTINGS, question_samples
from pages.report_granfact import judged_samples
from pages.report_parts import Block, Card, Cards, Figure, Item, Samples, Section, Table, percent
from pages.report_runs import REJECTED, Run
from pages.samples import Sample
from pages.thumbnails import thumbnail
from pages.words import Passage, word_diff
from schemas.finer import QuestionRow
from schemas.preference import ChatMessage, TextPart
from schemas.trajectory import ISSUE_KINDS, Feedback, Trajectory
from schemas.tuning import TUNING_KINDS, TuningPair


class AnyRow(BaseModel):
    """A row of any file that has no view of its own."""

    model_config = ConfigDict(extra="allow")


class PairView(NamedTuple):
    """What the macro `pair` draws."""

    prompt: str
    change: list[Passage]


@dataclass(frozen=True)
class StepView:
    """A response: what changed since the one before, and what the critic said of it."""

    change: list[Passage]
    feedback: Feedback | None


def rectifier_sections(runs: Sequence[Run], size: int) -> Iterator[Section]:
    """What a critic found in first and last responses, and trajectories to look at."""
    blocks: list[Block] = []
    before_after: list[dict[str, Any]] = []
    by_step: list[dict[str, Any]] = []
    items, total = [], 0
    for run in runs:
        sample = Sample[Trajectory](size)
        report = RectifierReport(rated=bool(run.manifest.settings.get("rated")))
        steps = _Steps()
        for trajectory in run.rows("trajectories.jsonl", Trajectory):
            sample.offer(trajectory.id, trajectory)
            report.add(trajectory)
            steps.add(trajectory)
        name = run.name if len(runs) > 1 else ""
        before_after += _before_after(report, name)
        by_step += steps.rows(name)
        blocks += _rectified(report, name)
        total += sample.seen
        items += [_trajectory_item(row, run, name) for row in sample.rows()]
    blocks.append(_hallucinations(before_after))
    if by_step:
        blocks.append(_by_step(by_step))
    yield Section("rectified", "What rectification changed", blocks)
    yield Section(
        "trajectories",
        "Trajectories to look at",
        [Samples("questions", items, total, legend="edits")],
    )


class _Steps:
    """Issues of each kind in the response of each step.

    A question that has ended keeps its last count, so that all steps speak of all questions.
    """

    def __init__(self) -> None:
        self._counts: Counter[tuple[int, str]] = Counter()
        self._ended: Counter[tuple[int, str]] = Counter()
        self._last = 0

    def add(self, trajectory: Trajectory) -> None:
        """Count the issues of all judged responses of one question."""
        judged = [step.feedback for step in trajectory.steps if step.feedback]
        for number, feedback in enumerate(judged):
            for issue in feedback.issues:
                self._counts[number, issue.kind] += 1
                self._ended[number, issue.kind] += number == len(judged) - 1
        self._last = max(self._last, len(judged) - 1)

    def rows(self, name: str) -> Iterator[dict[str, Any]]:
        """One row for each step and kind."""
        carried: Counter[str] = Counter()
        for number in range(self._last + 1):
            for kind in ISSUE_KINDS:
                count = self._counts[number, kind] + carried[kind]
                yield {"run": name, "series": kind, "x": number, "count": count}
            carried.update({kind: self._ended[number, kind] for kind in ISSUE_KINDS})


def _rectified(report: RectifierReport, name: str) -> Iterator[Block]:
    found = report.as_dict()
    ended = ", ".join(f"{n:,} {why.replace('_', ' ')}" for why, n in found["stopped"].items())
    consistency = found["consistency"]
    prefix = f"{name}: " if name else ""
    yield Cards(
        [
            Card(
                f"{prefix}revised", percent(found["revised"]), f"of {report.questions:,}, percent"
            ),
            Card("steps", f"{found['mean_steps']:.2f}", "revisions on average"),
            Card("consistency", f"{consistency['before']:.2f} → {consistency['after']:.2f}"),
            Card("calls a question", f"{found['calls_per_question']:.2f}", ended),
        ]
    )


def _before_after(report: RectifierReport, name: str) -> Iterator[dict[str, Any]]:
    for kind, before, after in report.breakdown():
        for side, count in (("first response", before), ("last response", after)):
            series = ", ".join(part for part in (name, side) if part)
            yield {"name": kind, "series": label(series), "count": count}


def _hallucinations(rows: Sequence[dict[str, Any]]) -> Figure:
    series = list(dict.fromkeys(row["series"] for row in rows))
    names = list(dict.fromkeys(row["name"] for row in rows))
    counts = {(row["name"], row["series"]): row["count"] for row in rows}
    cells = [[name, *(f"{counts[name, one]:,}" for one in series)] for name in names]
    text = "Bars: issues of each kind in the first and in the last responses."
    chart = bars(rows, "issues")
    title = "Hallucinations before and after"
    return Figure("hallucinations", title, chart, text, Table(["kind", *series], cells))


def _by_step(rows: Sequence[dict[str, Any]]) -> Figure:
    most = max(row["count"] for row in rows) or 1
    several = any(row["run"] for row in rows)
    points = [
        {**row, "y": row["count"], **({"panel": label(row["run"])} if several else {})}
        for row in rows
    ]
    chart = lines(points, "revision", "issues", most=most)
    text = "Issues of each kind by number of revisions; what has ended keeps its last count."
    cells = [[row["run"], str(row["x"]), row["series"], f"{row['count']:,}"] for row in rows]
    single = not several
    columns = ["run", "revision", "kind", "issues"]
    words = [place for place, name in enumerate(columns[single:]) if name in ("run", "kind")]
    table = Table(columns[single:], [row[single:] for row in cells], words=words)
    return Figure("steps", "Hallucinations by step", chart, text, table)


def _trajectory_item(row: Trajectory, run: Run, name: str) -> Item:
    texts = [step.response for step in row.steps]
    changes = [[Passage("same", texts[0])]]
    changes += [word_diff(old, new) for old, new in itertools.pairwise(texts)]
    steps = [
        StepView(change, step.feedback) for change, step in zip(changes, row.steps, strict=True)
    ]
    flags = (row.stopped.replace("_", " "), "revised" if len(steps) > 1 else "not revised")
    image = thumbnail(row.image, run.folder)
    data = {"question": row.question, "steps": steps}
    return Item(row.id, "trajectory", flags, row.question, image, data, name)


def tuning_sections(runs: Sequence[Run], size: int) -> Iterator[Section]:
    """Pairs by kind and polarity, and some of them."""
    rows, items, total = [], [], 0
    for run in runs:
        sample = Sample[TuningPair](size)
        counts: Counter[tuple[str, str]] = Counter()
        for pair in run.rows("pairs.jsonl", TuningPair):
            sample.offer(pair.id, pair)
            counts[pair.kind, pair.polarity] += 1
        name = run.name if len(runs) > 1 else ""
        rows += [
            [run.name, kind, *(f"{counts[kind, side]:,}" for side in ("positive", "negative"))]
            for kind in TUNING_KINDS
        ]
        total += sample.seen
        items += [_pair_item(pair, run, name) for pair in sample.rows()]
    single = len(runs) == 1
    columns = ["run", "kind", "positive", "negative"]
    words = (0,) if single else (0, 1)
    table = Table(columns[single:], [row[single:] for row in rows], words=words)
    samples = Samples("pairs", items, total, legend="changes")
    yield Section("pairs", "Question pairs", [table, samples])


def _pair_item(pair: TuningPair, run: Run, name: str) -> Item:
    change = word_diff(_text(pair.rejected), _text(pair.chosen))
    image = thumbnail(pair.images[0], run.folder) if pair.images else None
    view = PairView(_text(pair.prompt), change)
    return Item(pair.id, "pair", (pair.kind, pair.polarity), view.prompt, image, view, name)


def _text(messages: Sequence[ChatMessage]) -> str:
    parts = [part for message in messages for part in message.content]
    return " ".join(part.text for part in parts if isinstance(part, TextPart))


def build_sections(runs: Sequence[Run], size: int) -> Iterator[Section]:
    """Questions by setting and number of elements, and some of them."""
    rows = [
        [run.name, setting, stem, f"{number:,}"]
        for run in runs
        for setting in SETTINGS
        for stem, number in sorted((run.manifest.counts.get(setting) or {}).items())
    ]
    single = len(runs) == 1
    columns = ["run", "setting", "questions of", "number"]
    words = range(3 - single)
    table = Table(columns[single:], [row[single:] for row in rows], words=words)
    yield Section("built", "Questions by setting", [table])
    yield question_samples(runs, [f"{name}.csv" for name in SETTINGS], QuestionRow, size)


def judged_sections(runs: Sequence[Run], size: int) -> Iterator[Section]:
    """Judged responses, from the steps before the scores."""
    file = "levels.jsonl" if runs[0].manifest.agent == "category_judge" else "judgements.jsonl"
    yield response_samples(runs, judged_samples(runs, file, size))


def other_sections(runs: Sequence[Run], size: int) -> Iterator[Section]:
    """Rows as they are, of each file of rows."""
    for number, run in enumerate(runs):
        files = [
            path.name for path in sorted(run.folder.glob("[!.]*.jsonl")) if path.name != REJECTED
        ]
        blocks: list[Block] = []
        for file in files:
            sample = Sample[dict[str, Any]](size)
            for row in run.rows(file, AnyRow):
                values = row.model_dump()
                sample.offer(str(values.get("id", sample.seen)), values)
            items = [_row_item(row, run, place) for place, row in enumerate(sample.rows(), 1)]
            blocks.append(Samples(f"rows of {file}", items, sample.seen))
        if blocks:
            yield Section(f"rows-{number}", f"Rows of {run.name}", blocks)


def _row_item(row: dict[str, Any], run: Run, place: int) -> Item:
    image = row.get("image")
    shown = thumbnail(image, run.folder) if isinstance(image, str) else None
    name = str(row.get("id") or row.get("text") or place)
    return Item(name, "row", (), "", shown, row)
