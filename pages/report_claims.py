"""Responses to look at: claims marked, whom they were assigned, and how they were rewritten."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agents.rsr_report import describe
from benchmarks.granfact import style_of
from pages.claims import STATUSES, Claim, Piece, judge_claims, mark_claims
from pages.graph import Drawing, assignment_graph
from pages.report_parts import Item, Section
from pages.report_runs import Run
from pages.samples import Sample, samples
from pages.thumbnails import thumbnail
from pages.words import Passage, word_diff
from runtime.errors import ToolkitError
from schemas.record import JudgedRecord, RevisedRecord

SCORES = ("P", "R", "gP", "gR", "gF1")


@dataclass(frozen=True)
class ResponseView:
    """What the macro `response` draws. `scores` are name, before and after in percent."""

    about: str
    pieces: list[Piece]
    lost: list[Claim]
    graph: Drawing
    edits: list[str]
    change: list[Passage]
    refused: str
    scores: list[tuple[str, str, str]]


def response_samples(
    runs: Sequence[Run], drawn: Mapping[str, Sample[RevisedRecord] | Sample[JudgedRecord]]
) -> Section:
    """A section of the responses that were drawn from each run, those of one image together."""
    legend = "revisions" if runs[0].has("revisions.jsonl") else "claims"
    found = samples("responses", runs, drawn, _item, legend)
    return Section("responses", "Responses to look at", [found])


def _item(record: JudgedRecord, run: Run) -> Item:
    try:
        claims = judge_claims(record.predictions, record.entities, record.judgements)
    except ValueError as error:  # indices or levels that are not there, changed by hand
        message = f"{run.folder}: {record.id}: the judgements do not fit: {error}"
        raise ToolkitError("input", message, "run its command again with --overwrite") from None
    pieces, lost = mark_claims(record.response, claims)
    revised = record if isinstance(record, RevisedRecord) else None
    found = {claim.status for claim in claims}
    states: list[str] = [status for status in STATUSES if status in found]
    line = ""
    if revised:
        states.append("refused" if revised.refused else "edited" if revised.edits else "unedited")
        after = revised.revision.score if revised.revision else revised.score
        line = f"P {revised.score.P:.2f}"
        line += f" → {after.P:.2f}" if revised.edits else ""
    facts = [record.model, style_of(record), record.domain]
    view = ResponseView(
        about=" · ".join(fact for fact in facts if fact),
        pieces=pieces,
        lost=lost,
        graph=assignment_graph(claims, record.entities),
        edits=[describe(edit) for edit in revised.edits] if revised else [],
        change=_change(revised),
        refused=(revised.refused or "") if revised else "",
        scores=_scores(revised),
    )
    image = thumbnail(record.image, run.folder)
    return Item(record.id, "response", tuple(states), line, image, view)


def _change(record: RevisedRecord | None) -> list[Passage]:
    if record is None or record.revision is None or not record.edits:
        return []
    return word_diff(record.response, record.revision.text)


def _scores(record: RevisedRecord | None) -> list[tuple[str, str, str]]:
    if record is None:
        return []
    after = record.revision.score if record.revision and record.edits else None
    return [
        (
            name,
            f"{getattr(record.score, name):.2f}",
            f"{getattr(after, name):.2f}" if after else "",
        )
        for name in SCORES
    ]
