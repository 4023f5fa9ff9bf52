"""Prepositional phrases of a caption: the whole preposition, and what it points at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from backends.rules import lexicon
from backends.rules.graph_words import listed, mapped
from backends.rules.mention import noun_lemma
from backends.rules.noun_phrases import PRONOUNS

if TYPE_CHECKING:
    from spacy.tokens import Token

_STATIC = {
    "on", "in", "at", "behind", "beside", "near", "above", "below", "under", "between", "beneath",
    "over", "against", "around", "inside", "outside", "along", "underneath", "atop", "beyond",
    "across", "among", "by", "upon", "within", "alongside", "next", "to", "amidst", "amid",
}  # fmt: skip
_DYNAMIC = _STATIC | {
    "toward", "towards", "onto", "into", "through", "from", "off", "up", "down", "out", "with",
    "past", "after",
}  # fmt: skip
_SIDES = {
    "front", "side", "left", "right", "top", "back", "middle", "center", "centre", "edge", "end",
    "corner", "bottom", "base", "rear", "head", "foot", "surface", "inside", "outside", "sides",
}  # fmt: skip
_BARE_SIDES = {"front", "top", "left", "right"}
_OF_ANYTHING = {"top", "bottom", "center", "centre", "middle"}
_PICTURES = {"image", "photo", "photograph", "picture", "frame", "scene", "shot", "view"}
_MAX_WORDS = 6


@dataclass(frozen=True)
class Place:
    """`words` is the whole preposition ("on the edge of"), `nouns` what it points at.

    `position` is a place in the image ("on the left"), `phrase` the plain text of it all.
    """

    words: str
    nouns: tuple[Token, ...] = ()
    position: str | None = None
    phrase: str | None = None


def place_of(preposition: Token, after_verb: bool) -> Place | None:
    """Where a preposition points; None if it is none of place or points at nothing usable."""
    allowed = _DYNAMIC if after_verb else _STATIC
    if preposition.lower_ not in allowed and preposition.lower_ not in ("close", "adjacent"):
        return None
    last = _innermost(preposition)
    nouns = [child for child in last.rights if child.dep_ == "pobj"]
    if not nouns:
        return None
    noun = nouns[0]
    lemma = noun_lemma(noun)
    if lemma in _PICTURES or _is_position(noun, lemma):
        return _position(preposition, noun, after_verb)
    if lemma in _SIDES or (noun.pos_ == "PRON" and noun.lower_ not in PRONOUNS):
        return None
    words = preposition.doc[preposition.i : last.i + 1]
    if last.i - preposition.i >= _MAX_WORDS or last.i < preposition.i:
        return None
    if words.text.lower() in ("next", "along with") or _is_alternative(noun):
        return None
    if words.text.lower() == "to" and not after_verb:
        return None
    several = _conjuncts(noun, preposition.lower_ in ("in", "with", "by"))
    if preposition.lower_ == "between" and len(several) > 1:
        return None
    return Place(words.text.lower(), tuple(several), None, _phrase(preposition, noun))


def _innermost(preposition: Token) -> Token:
    """The last preposition of "next to", "out of", "in front of", "on the back of"."""
    last = preposition
    while True:
        inner = [c for c in last.rights if c.dep_ in ("prep", "pcomp") and c.pos_ == "ADP"]
        objects = [c for c in last.rights if c.dep_ == "pobj"]
        if inner and not objects:
            last = inner[0]
            continue
        if not objects:
            return last
        noun = objects[0]
        of = [c for c in noun.rights if c.lower_ == "of" and c.dep_ == "prep"]
        lemma = noun_lemma(noun)
        part = lemma in _SIDES or (lexicon.listed("part", lemma) and lemma != "body")
        if not (of and part):
            return last
        last = of[0]


def _is_position(noun: Token, lemma: str) -> bool:
    """ "in the background", "on the left", with nothing that it is the side of."""
    if mapped("positions", lemma) is not None:
        return True
    return lemma == "side" and bool(_side(noun))


def _side(noun: Token) -> str | None:
    """ "the left side": which one."""
    words = [child.lower_ for child in noun.lefts]
    return next((word for word in words if word in ("left", "right")), None)


def _position(preposition: Token, noun: Token, after_verb: bool) -> Place | None:
    """A place in the image, where the phrase names no corner, part or other thing."""
    outer = [c for c in preposition.rights if c.dep_ == "pobj"]
    lemma = noun_lemma(noun)
    if lemma not in _PICTURES and lemma in _OF_ANYTHING:
        return None  # "on top", "in the center": of what was told before, as likely as not
    if lemma in _PICTURES:
        if not outer or outer[0] == noun:
            return None
        noun, lemma = outer[0], noun_lemma(outer[0])
    name = _side(noun) if lemma == "side" else lemma
    if name is None or preposition.lower_ not in ("in", "on", "at", "to"):
        return None
    extra = [c for c in noun.lefts if c.dep_ == "amod" and c.lower_ not in ("left", "right")]
    owned = any(c.dep_ == "poss" for c in noun.lefts)
    found = mapped("positions", name)
    if found is None or extra or owned or any(c.dep_ == "conj" for c in noun.rights):
        return None
    if after_verb and preposition.lower_ == "to":
        return None  # a direction ("facing to the left") is no position
    return Place("", (), found)


def _is_alternative(noun: Token) -> bool:
    return any(child.dep_ == "cc" and child.lower_ == "or" for child in noun.rights)


def _conjuncts(noun: Token, loose: bool) -> list[Token]:
    """The noun and those coordinated with it.

    Where "and" may start another phrase, all of them have an article or none has.
    """
    found = [noun]
    for one in found:
        found += [c for c in one.rights if c.dep_ == "conj" and c.pos_ in ("NOUN", "PROPN")]
    return [one for one in found if loose or _has_article(one) == _has_article(noun)]


def _has_article(noun: Token) -> bool:
    return any(child.dep_ in ("det", "poss") for child in noun.lefts)


def _phrase(preposition: Token, noun: Token) -> str | None:
    """The phrase as text, where it is short and its noun takes nothing after it."""
    words = preposition.doc[preposition.i : noun.i + 1]
    lemma = noun_lemma(noun)
    bare = not list(noun.rights) or noun.nbor().is_punct
    if len(words) > _MAX_WORDS or not bare or noun.pos_ != "NOUN":
        return None
    if preposition.lower_ == "with" or lexicon.is_part(lemma) or listed("never", lemma):
        return None
    text = str(words.text)
    return text[:1].lower() + text[1:]
