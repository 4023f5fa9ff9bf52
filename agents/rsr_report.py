"""The closing report of `agents.rsr`: what came out, and three pairs to look at."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from schemas.edit import Edit
from schemas.preference import PreferencePair
from schemas.record import RevisedRecord

if TYPE_CHECKING:
    from agents.rsr_files import RunTotals


def report(totals: RunTotals, scores: Mapping[str, Any]) -> Iterator[str]:
    """Lines of plain text."""
    for pair, record in totals.shown:
        yield from _pair(pair, record)
    before, after = scores["before"], scores["after"]
    yield f"{totals.images:,} images, {totals.responses:,} responses, {totals.edited:,} edited"
    if totals.reference:
        yield "ground truth: parsed from the references (depth 1), not annotated"
    kinds = ", ".join(f"{totals.pairs[kind]:,} {kind}" for kind in ("reliability", "granularity"))
    yield f"pairs: {kinds}"
    yield f"precision P: {before['P']:.3f} → {after['P']:.3f}"
    yield f"granularity gF1: {before['gF1']:.3f} → {after['gF1']:.3f}"
    reasons = ", ".join(f"{count} {kind}" for kind, count in sorted(totals.rejected.items()))
    yield f"rejected: {reasons or 'none'}"


def _pair(pair: PreferencePair, record: RevisedRecord) -> Iterator[str]:
    scores = pair.scores
    yield f"── {pair.id}: P {scores.rejected:.2f} → {scores.chosen:.2f}, margin {pair.margin:.2f}"
    yield f"  rejected: {record.response}"
    yield f"  chosen:   {pair.chosen[0].content[0].text}"  # type: ignore[union-attr]
    yield f"  edits:    {'; '.join(describe(edit) for edit in record.edits)}"
    yield ""


def describe(edit: Edit) -> str:
    """One edit in words."""
    if edit.kind == "delete":
        return f'delete "{edit.category}"'
    if edit.kind == "rollback":
        return f'"{edit.category}" → "{edit.replacement}"'
    return f'{edit.stated_quantity} "{edit.category}" → {edit.quantity}'
