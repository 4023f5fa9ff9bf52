"""What became of each claim of a response, where it stands in the text, and whom it was assigned.

Files hold judgements and no assignments: these are solved again, as they were for the score.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Literal, NamedTuple, get_args

from agents.judged import judged_example
from backends.rules.grammar import plural
from schemas.entity import GroundTruthEntity, PredictedEntity
from schemas.judgement import PairJudgement
from scoring.metrics import score_example

Status = Literal["hallucinated", "over-counted", "coarser", "matched"]
STATUSES: tuple[Status, ...] = get_args(Status)
_LAST_WORDS = 5


class Link(NamedTuple):
    """How much of a claim was assigned to an entity, and at which level of its path."""

    entity: int
    quantity: int
    level: int
    depth: int


@dataclass(frozen=True)
class Claim:
    """One predicted object. `quantity` is a number or "uncertain"."""

    category: str
    quantity: int | str
    attributes: tuple[str, ...]
    status: Status
    links: tuple[Link, ...]


class Piece(NamedTuple):
    """A piece of a response; a claim's words where `claim` is one."""

    text: str
    claim: Claim | None


def judge_claims(
    predictions: Sequence[PredictedEntity],
    entities: Sequence[GroundTruthEntity],
    judgements: Sequence[PairJudgement],
) -> list[Claim]:
    """The claims with their fate, in the order of `predictions`. Raises ScoringError."""
    example = judged_example(predictions, entities, judgements)
    levels = {(pair.prediction, pair.entity): pair.level for pair in judgements}
    links: dict[int, list[Link]] = defaultdict(list)
    for found in score_example(example).assignments:
        index, entity = int(found.prediction[1:]), int(found.entity[1:])
        depth = entities[entity].depth
        links[index].append(Link(entity, found.quantity, levels[index, entity], depth))
    compatible = {pair.prediction for pair in judgements}
    return [
        Claim(
            category=prediction.category,
            quantity=prediction.quantity,
            attributes=prediction.attributes,
            status=_status(prediction, links[index], index in compatible),
            links=tuple(links[index]),
        )
        for index, prediction in enumerate(predictions)
    ]


def _status(prediction: PredictedEntity, links: Sequence[Link], compatible: bool) -> Status:
    if not compatible:
        return "hallucinated"
    stated = prediction.quantity if isinstance(prediction.quantity, int) else 1
    if sum(link.quantity for link in links) < stated:
        return "over-counted"
    return "coarser" if any(link.level < link.depth for link in links) else "matched"


def mark_claims(text: str, claims: Sequence[Claim]) -> tuple[list[Piece], list[Claim]]:
    """The text in pieces, and the claims whose words it does not have.

    A category that does not stand there as a whole is looked for by its last words: "helmet" of
    "glossy space helmet". Long phrases choose before short ones, and whole names before parts of
    others. Where two claims name one category, each has one of its places.
    """
    waiting: dict[str, list[Claim]] = defaultdict(list)
    for claim in claims:
        waiting[claim.category.casefold()].append(claim)
    phrases = [(phrase, name) for name in waiting for phrase in _phrases(name)]
    taken: dict[int, tuple[int, Claim]] = {}
    lost: list[Claim] = []
    for phrase, name in sorted(phrases, key=lambda found: (-len(found[0]), found[0] != found[1])):
        spans = _free_spans(text, phrase, taken) if name in waiting else []
        if spans:
            same = waiting.pop(name)
            for number, (start, end) in enumerate(spans):
                taken[start] = end, same[min(number, len(same) - 1)]
            lost += same[len(spans) :]
    return _cut(text, taken), [*lost, *chain.from_iterable(waiting.values())]


def _phrases(category: str) -> Iterator[str]:
    """A category, and what it may be called for short: "cup" is a tea cup, and a cup of tea."""
    yield category
    words = category.split(" of ")[0].split()[-_LAST_WORDS:]
    yield from (" ".join(words[first:]) for first in range(len(words)))


def _free_spans(
    text: str, phrase: str, taken: dict[int, tuple[int, Claim]]
) -> list[tuple[int, int]]:
    forms = "|".join(r"\s+".join(map(re.escape, form.split())) for form in (phrase, plural(phrase)))
    found = re.finditer(rf"(?<!\w)(?:{forms})(?:s|es)?(?!\w)", text, re.IGNORECASE)
    used = [(start, end) for start, (end, _) in taken.items()]
    return [
        match.span()
        for match in found
        if match[0] and not any(start < match.end() and match.start() < end for start, end in used)
    ]


def _cut(text: str, taken: dict[int, tuple[int, Claim]]) -> list[Piece]:
    pieces, done = [], 0
    for start, (end, claim) in sorted(taken.items(), key=lambda item: item[0]):
        if start > done:
            pieces.append(Piece(text[done:start], None))
        pieces.append(Piece(text[start:end], claim))
        done = end
    return [*pieces, Piece(text[done:], None)] if done < len(text) else pieces
