"""From scored responses to preference pairs: which pair, what gap, what margin.

GranFact sections 5.2 and 5.3, spec 2.2 and 2.3.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from schemas.preference import (
    ChatMessage,
    ImagePart,
    PairKind,
    PairScores,
    PreferencePair,
    TextPart,
)
from schemas.record import RevisedRecord

MARGIN_BASE: dict[PairKind, float] = {"reliability": 0.1, "granularity": 0.0}
MARGIN_SLOPE: dict[PairKind, float] = {"reliability": 0.5, "granularity": 0.3}
MINIMAL_GRANULARITY_GAP = 0.002


def normalised_gap(chosen: float, rejected: float) -> float:
    """(chosen − rejected) / max of both, in [0, 1]; 0/0 is 0.

    Rebuilt: the paper's prose says that the denominator normalises the gap to [0, 1].
    """
    larger = max(chosen, rejected)
    return (chosen - rejected) / larger if larger else 0.0


def margin(kind: PairKind, gap: float) -> float:
    """Margin of a pair: a + b · gap with the paper's values for its kind (table 11)."""
    return MARGIN_BASE[kind] + MARGIN_SLOPE[kind] * gap


def preference_pairs(responses: Sequence[RevisedRecord]) -> Iterator[PreferencePair]:
    """Yield all pairs of one image: reliability first, then granularity, in order of index."""
    for record in responses:
        revision = record.revision
        if revision and record.edits and revision.score.P > record.score.P:
            yield from _pair(
                "reliability",
                record,
                f"{record.id}:reliability",
                (revision.text, revision.score.P),
                (record.response, record.score.P),
            )
    accepted = [(record, record.revision) for record in responses if record.revision]
    for (first, one), (second, other) in combinations(accepted, 2):
        better, worse = (one, other) if one.score.gF1 >= other.score.gF1 else (other, one)
        if normalised_gap(better.score.gF1, worse.score.gF1) > MINIMAL_GRANULARITY_GAP:
            yield from _pair(
                "granularity",
                first,
                f"{first.id}~{second.index}:granularity",
                (better.text, better.score.gF1),
                (worse.text, worse.score.gF1),
            )


def _pair(
    kind: PairKind,
    record: RevisedRecord,
    identifier: str,
    chosen: tuple[str, float],
    rejected: tuple[str, float],
) -> Iterator[PreferencePair]:
    """The pair, or nothing where both texts are the same."""
    if chosen[0].strip() == rejected[0].strip():
        return
    gap = normalised_gap(chosen[1], rejected[1])
    yield PreferencePair(
        id=identifier,
        images=(record.image,),
        prompt=(ChatMessage(role="user", content=(ImagePart(), TextPart(text=record.prompt))),),
        chosen=(_answer(chosen[0]),),
        rejected=(_answer(rejected[0]),),
        kind=kind,
        gap=round(gap, 6),
        margin=round(margin(kind, gap), 6),
        scores=PairScores(
            metric="P" if kind == "reliability" else "gF1",
            chosen=round(chosen[1], 6),
            rejected=round(rejected[1], 6),
        ),
    )


def _answer(text: str) -> ChatMessage:
    return ChatMessage(role="assistant", content=(TextPart(text=text),))
