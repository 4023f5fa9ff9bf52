"""Reliability-guided semantic rollback: unreliable responses → preference pairs with margins.

`python -m agents.rsr IMAGES --output DIR` runs the whole path: parse, judge, score, decide edits,
rewrite, check, pair (GranFact section 5, spec 2). This is the toolkit's main job.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence

from agents.base import Agent, AgentContext
from agents.judged import score_response
from agents.response_parser import ResponseParser, parse
from agents.rollback import decide_edits, judge
from schemas.edit import Edit, EditInput, RevisedResponse
from schemas.record import JudgedRecord, ResponseRecord, ResponseScore, RevisedRecord, Revision

ATTEMPTS = 2


class SemanticRollback(Agent[ResponseRecord, RevisedRecord]):
    """The whole path for one response."""

    name = "rsr"
    steps = ("response_parser", "category_judge", "attribute_judge", "rsr")

    async def run(self, item: ResponseRecord, context: AgentContext) -> RevisedRecord:
        """Judge the response, decide its edits, rewrite it and judge the result."""
        parsed = await ResponseParser().run(item, context)
        pairs = await judge(parsed.predictions, parsed.entities, context)
        record = JudgedRecord(**parsed.model_dump(), judgements=pairs)
        score = score_response(record.predictions, record.entities, pairs).score
        edits = await decide_edits(
            record.predictions,
            record.entities,
            pairs,
            context,
            counts_are_exact=record.ground_truth == "entities",
        )
        revision, refused = await _revise(record, score, edits, context)
        return RevisedRecord(
            **record.model_dump(), score=score, edits=edits, revision=revision, refused=refused
        )

    def estimate(self, item: ResponseRecord) -> dict[str, int]:
        """A guess from lengths: about one object in fifteen words, half of the nodes asked."""
        objects = max(1, len(item.response.split()) // 15)
        if item.entities is None:
            nodes = max(1, len((item.reference or "").split()) // 15)
        else:
            nodes = sum(entity.depth for entity in item.entities)
        return {
            "response_parser": 2 if item.entities is not None else 3,
            "category_judge": max(1, objects * nodes // 2),
            "attribute_judge": objects,
            "rsr": 1,
        }


async def _revise(
    record: JudgedRecord, score: ResponseScore, edits: tuple[Edit, ...], context: AgentContext
) -> tuple[Revision | None, str | None]:
    """The accepted revision, or None and why the last attempt was refused."""
    if not edits:
        own = Revision(
            text=record.response,
            predictions=record.predictions,
            judgements=record.judgements,
            score=score,
        )
        return own, None
    edited = {edit.prediction for edit in edits}
    keep = tuple(p.category for i, p in enumerate(record.predictions) if i not in edited)
    problem = None
    for _ in range(ATTEMPTS):
        inputs = EditInput(response=record.response, edits=edits, keep=keep, problem=problem)
        text = (await context.ask("rsr", inputs, RevisedResponse)).revised
        revision = await _judged(text, record, context)
        problem = revision_problem(record, score, edits, revision)
        if problem is None:
            return revision, None
    return None, problem


async def _judged(text: str, record: JudgedRecord, context: AgentContext) -> Revision:
    predictions = await parse(text, record.domain, context)
    pairs = await judge(predictions, record.entities, context)
    score = score_response(predictions, record.entities, pairs).score
    return Revision(text=text, predictions=predictions, judgements=pairs, score=score)


def revision_problem(
    record: JudgedRecord, score: ResponseScore, edits: Sequence[Edit], revision: Revision
) -> str | None:
    """Why the revision must be refused, in words the editor can act on; None if it is sound."""
    kept = [p.category for i, p in enumerate(record.predictions) if i not in _edited(edits)]
    for edit in edits:
        allowed = [*kept, *(e.replacement for e in edits if e.replacement)]
        if edit.kind != "quantity" and names(revision.text, edit.category, allowed):
            return f'the text still says "{edit.category}"'
    known = {name.casefold() for p in record.predictions for name in [p.category]}
    known |= {edit.replacement.casefold() for edit in edits if edit.replacement}
    new = [p.category for p in revision.predictions if not _is_known(p.category, known)]
    if new:
        return f'the text newly claims "{new[0]}", which neither the original nor an edit names'
    if revision.score.P < score.P:
        return f"precision fell from {score.P:.3f} to {revision.score.P:.3f}"
    return None


def _edited(edits: Sequence[Edit]) -> set[int]:
    return {edit.prediction for edit in edits}


def names(text: str, category: str, allowed: Sequence[str]) -> bool:
    """Whether the text says `category` (or its plural) outside the longer names in `allowed`."""
    rest = text
    for longer in allowed:
        if category.casefold() in longer.casefold() and category.casefold() != longer.casefold():
            rest = re.sub(rf"\b{re.escape(longer)}(s|es)?\b", " ", rest, flags=re.IGNORECASE)
    return re.search(rf"\b{re.escape(category)}(s|es)?\b", rest, re.IGNORECASE) is not None


def _is_known(category: str, known: set[str]) -> bool:
    """Whether one of its words heads a known name: "cats" after "Persian cat" is no new claim."""
    heads = {stem for name in known for stem in _stems(name.split()[-1])}
    return any(heads & _stems(word) for word in category.casefold().split())


def _stems(word: str) -> set[str]:
    """The word and what it may be a plural of."""
    return {word, word.removesuffix("s"), word.removesuffix("es")}


def main(argv: Sequence[str] | None = None) -> int:
    """Run this agent as a command."""
    from agents.stages import RSR

    return RSR.main(argv)


if __name__ == "__main__":
    sys.exit(main())
