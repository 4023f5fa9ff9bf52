"""Quantities of noun phrases: stated counts, "several", groups and pairs (spec 1.2)."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from backends.rules import lexicon
from backends.rules.grammar import is_invariant, parse_number
from backends.rules.mention import Mention, noun_lemma
from schemas.base import Quantity

if TYPE_CHECKING:
    from spacy.tokens import Token


MAX_COUNT = 1_000_000


def set_quantity(mention: Mention) -> None:
    """Spec 1.2: a stated count is a number, "several" or a bare plural is "uncertain"."""
    if mention.top != mention.noun:
        mention.quantity = _group_quantity(mention)
        return
    words = {child.lower_ for child in mention.noun.lefts}
    stated = _stated(mention.count)
    mention.numbered = isinstance(stated, int) or "both" in words
    if stated is not None:
        mention.quantity = stated
    elif "both" in words:
        mention.quantity = 2
    elif is_invariant(mention.noun.lower_) and not words & {"these", "those"}:
        mention.quantity = "uncertain" if mention.determiner == "bare" else 1
    elif mention.noun.tag_ in ("NNS", "NNPS") and not _is_one(mention.noun):
        mention.quantity = "uncertain"


def counts(token: Token) -> bool:
    """Whether a word tells how many: a number, a counting noun, "several", "about"."""
    lower = token.lower_
    vague = lexicon.listed("vague", lower)
    vague = vague or (lexicon.listed("approximate", lower) and token.pos_ in ("ADV", "ADP"))
    number = parse_number(token.text) is not None or lexicon.counted(noun_lemma(token)) is not None
    return bool(number or vague)


def _stated(count: list[Token]) -> Quantity | None:
    """The quantity that count words state; None where there are none."""
    if not count:
        return None
    numbers = [number for token in count if (number := parse_number(token.text)) is not None]
    units = [unit for token in count if (unit := lexicon.counted(noun_lemma(token))) is not None]
    if len(numbers) + len(units) != len(count) or len(numbers) > 1:
        return "uncertain"
    stated = math.prod(numbers + units)
    return stated if 1 <= stated <= MAX_COUNT else "uncertain"


def _is_one(noun: Token) -> bool:
    """Plural in form, one thing in fact ("sunglasses")."""
    drinking = any(lexicon.is_compound(child.lower_, "glass") for child in noun.lefts)
    return lexicon.listed("plurale_tantum", noun.lower_) and not drinking


def _group_quantity(mention: Mention) -> Quantity:
    """Quantity of "a pair of shoes", "two slices of cake", "a group of people"."""
    tops, inner, node = [], _stated(mention.count), mention.noun
    while node != mention.top:
        node = node.head.head
        tops.append(node)
    outer: list[Token] = []
    for top in tops:
        tokens = [token for child in top.lefts for token in child.subtree]
        outer += [token for token in tokens if counts(token)]
        outer += [top] if counts(top) else []
    mention.count = outer + mention.count
    mention.numbered = True
    if inner is not None:
        return inner
    stated = _stated([token for token in outer if lexicon.counted(token.lower_) is None])
    stated = 1 if stated is None else stated
    for top in tops:
        each = lexicon.counted(noun_lemma(top))
        if each is not None and not _is_one(mention.noun):
            plural_count = top.tag_ == "NNS" and stated == 1
            stated = "uncertain" if plural_count or stated == "uncertain" else stated * each
        elif lexicon.listed("group_noun", noun_lemma(top)) or (top.tag_ == "NNS" and not outer):
            stated = "uncertain" if mention.noun.tag_ in ("NNS", "NNPS") else stated
    return stated
