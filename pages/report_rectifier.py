"""Runs of `agents.rectifier`: what a critic found in first and last responses, and step by step."""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from agents.rectifier_report import RectifierReport
from pages.plots import bars, label, lines
from pages.report_about import text_only
from pages.report_parts import Block, Card, Cards, Figure, Item, Section, Table, by_run, percent
from pages.report_runs import Run
from pages.samples import Sample, samples
from pages.thumbnails import thumbnail
from pages.words import Passage, word_diff
from schemas.trajectory import ISSUE_KINDS, Feedback, Trajectory


@dataclass(frozen=True)
class StepView:
    """A response: what changed since the one before, and what the critic said of it."""

    change: list[Passage]
    feedback: Feedback | None


def rectifier_sections(runs: Sequence[Run], size: int) -> Iterator[Section]:
    """What a critic found in first and last responses, and trajectories to look at."""
    blocks: list[Block] = [*text_only(runs)]
    before_after: list[dict[str, Any]] = []
    by_step: list[dict[str, Any]] = []
    drawn = {run.name: Sample[Trajectory](size) for run in runs}
    for run in runs:
        report = RectifierReport(rated=bool(run.manifest.settings.get("rated")))
        steps = _Steps()
        for trajectory in run.rows("trajectories.jsonl", Trajectory):
            drawn[run.name].offer(trajectory.id, trajectory)
            report.add(trajectory)
            steps.add(trajectory)
        name = run.name if len(runs) > 1 else ""
        before_after += _before_after(report, name)
        by_step += steps.rows(name)
        blocks += _rectified(report, name)
    blocks.append(_hallucinations(before_after))
    if by_step:
        blocks.append(_by_step(by_step))
    yield Section("rectified", "What rectification changed", blocks)
    shown = samples("questions", runs, drawn, _item, legend="edits")
    yield Section("trajectories", "Trajectories to look at", [shown])


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
    text = (
        "Issues of each kind that the critic found, by number of revisions; what has ended keeps "
    )
    text += "its last count."
    cells = [[row["run"], str(row["x"]), row["series"], f"{row['count']:,}"] for row in rows]
    table = by_run(["revision", "kind", "issues"], cells, words=2)
    return Figure("steps", "Hallucinations by step", chart, text, table)


def _item(row: Trajectory, run: Run) -> Item:
    texts = [step.response for step in row.steps]
    changes = [[Passage("same", texts[0])]]
    changes += [word_diff(old, new) for old, new in itertools.pairwise(texts)]
    steps = [
        StepView(change, step.feedback) for change, step in zip(changes, row.steps, strict=True)
    ]
    flags = (row.stopped.replace("_", " "), "revised" if len(steps) > 1 else "not revised")
    image = thumbnail(row.image, run.folder)
    data = {"question": row.question, "steps": steps}
    return Item(row.id, "trajectory", flags, row.question, image, data)
