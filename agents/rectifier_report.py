"""What rectification did: how much was revised, in how many steps, and what is wrong no more.

The breakdown by kind is that of FGAM's table 3; its calls and latency are those of section 4.7.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from agents.base import mean_latency
from schemas.trajectory import ISSUE_KINDS, Feedback, Trajectory


@dataclass
class RectifierReport:
    """Sums over trajectories. `rated` says whether a rater judged first and last responses."""

    rated: bool
    questions: int = 0
    revised: int = 0
    revisions: int = 0
    unjudged: int = 0
    calls: Counter[str] = field(default_factory=Counter)
    stopped: Counter[str] = field(default_factory=Counter)
    before: Counter[str] = field(default_factory=Counter)
    after: Counter[str] = field(default_factory=Counter)
    consistency: dict[str, float] = field(default_factory=lambda: {"before": 0.0, "after": 0.0})

    def add(self, trajectory: Trajectory) -> None:
        """Count one trajectory."""
        steps = trajectory.steps
        judged = [step.feedback for step in steps if step.feedback]
        self.questions += 1
        self.revised += trajectory.final != steps[0].response
        self.revisions += len(steps) - 1
        self.stopped[trajectory.stopped] += 1
        # The critic's last word on a response that came back was not asked for again, and a
        # revision that changed nothing was one more answer of the model.
        again = trajectory.stopped == "repeated"
        self.calls["critic"] += len(judged) - again
        unchanged = trajectory.stopped == "unchanged"
        self.calls["model"] += len(steps) + unchanged - trajectory.given
        self.calls["rater"] += self.rated * (1 + (trajectory.final != steps[0].response))
        if trajectory.ratings:
            before, after = trajectory.ratings.before, trajectory.ratings.after
        else:
            before, after = judged[0], judged[-1]
            self.unjudged += steps[-1].feedback is None
        _count(before, self.before)
        _count(after, self.after)
        self.consistency["before"] += before.consistency
        self.consistency["after"] += after.consistency

    def as_dict(self) -> dict[str, Any]:
        """Plain JSON values: the content of `report.json`."""
        n = self.questions or 1
        return {
            "questions": self.questions,
            "revised": self.revised / n,
            "mean_steps": self.revisions / n,
            "stopped": dict(sorted(self.stopped.items())),
            "calls": dict(+self.calls) | {"total": self.calls.total()},
            "calls_per_question": self.calls.total() / n,
            "consistency": {side: total / n for side, total in self.consistency.items()},
            "rated_by": "rater" if self.rated else "critic",
            "last_response_not_judged": self.unjudged,
            "hallucinations": {row[0]: _row(row) for row in self.breakdown()},
        }

    def breakdown(self) -> Iterator[tuple[str, int, int]]:
        """Name, count before and count after: the issues of each kind, all, and responses."""
        for kind in ISSUE_KINDS:
            yield kind, self.before[kind], self.after[kind]
        before, after = (
            sum(side[kind] for kind in ISSUE_KINDS) for side in (self.before, self.after)
        )
        yield "all", before, after
        yield "responses with any", self.before["any"], self.after["any"]


def _count(feedback: Feedback, counts: Counter[str]) -> None:
    counts.update(issue.kind for issue in feedback.issues)
    counts["any"] += bool(feedback.issues)


def _row(row: tuple[str, int, int]) -> dict[str, float | None]:
    _, before, after = row
    return {"before": before, "after": after, "reduction": _reduction(before, after)}


def _reduction(before: int, after: int) -> float | None:
    return (before - after) / before if before else None


def lines(report: RectifierReport) -> Iterator[str]:
    """The report as plain text."""
    found = report.as_dict()
    ended = ", ".join(f"{n:,} {why.replace('_', ' ')}" for why, n in found["stopped"].items())
    yield (
        f"{report.questions:,} questions: {found['revised']:.1%} revised, "
        f"{found['mean_steps']:.2f} steps on average; ended: {ended or 'none'}"
    )
    calls = ", ".join(f"{n:,} {step}" for step, n in (+report.calls).items())
    yield f"calls: {calls or 'none'} ({found['calls_per_question']:.2f} a question)"
    consistency = found["consistency"]
    yield f"consistency: {consistency['before']:.3f} → {consistency['after']:.3f}"
    yield f"hallucinations, as the {found['rated_by']} counts them"
    for name, before, after in report.breakdown():
        less = _reduction(before, after)
        change = f"  {-less:+.0%}" if less else ""
        yield f"  {name:18} {before:>7,} → {after:<7,}{change}".rstrip()
    if report.unjudged:
        yield _not_judged(report)


def _not_judged(report: RectifierReport) -> str:
    return (
        f"  of {report.unjudged:,} questions the last response was not judged, and what was said "
        "of the one before it counts; --rate-with judges it"
    )


def markdown(report: RectifierReport) -> str:
    """The report as Markdown: the content of `report.md`."""
    found = report.as_dict()
    table = "\n".join(
        f"| {name} | {before:,} | {after:,} | {_percent(_reduction(before, after))} |"
        for name, before, after in report.breakdown()
    )
    summary = list(lines(report))
    note = f"\n{_not_judged(report).strip()}\n" if report.unjudged else ""
    return (
        "# Rectification\n\n"
        + "".join(f"- {line}\n" for line in summary[:3])
        + f"\n## Hallucinations before and after, as the {found['rated_by']} counts them\n\n"
        f"| kind | before | after | reduction |\n|---|--:|--:|--:|\n{table}\n{note}"
    )


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.0%}"


def latency(usages: Iterable[Mapping[str, int | float]]) -> dict[str, float]:
    """Mean seconds of a live call by who was asked, and of a step of the loop, which asks two."""
    means = mean_latency(sum(map(Counter, usages), Counter()), ("model", "critic", "rater"))
    if {"model", "critic"} <= means.keys():
        means["step"] = means["model"] + means["critic"]
    return means


def latency_line(means: Mapping[str, float]) -> Iterator[str]:
    """What was measured, if anything was, in milliseconds."""
    if means:
        parts = ", ".join(f"{name} {1000 * mean:,.0f} ms" for name, mean in means.items())
        yield f"latency of live calls: {parts}"
