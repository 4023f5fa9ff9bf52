"""Elements of a scene graph as English: noun phrases, "with …", "that is …", statements, lists."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from agents.nouns import definite, indefinite, is_plural
from backends.rules import lexicon
from backends.rules.grammar import singular, third_person
from schemas.scene_graph import ElementKind

__all__ = ["definite", "indefinite", "is_phrase", "is_plural", "joined", "statement", "with_phrase"]

_CACHED = 16_384

_PREPOSITIONS = frozenset(
    "about above across after against along alongside amid among around as at atop before behind "
    "below beneath beside between beyond by down during facing for from in inside into like near "
    "of off on onto opposite out outside over past through throughout to toward towards under "
    "underneath until up upon via with within without".split()
)
_ADVERBS = frozenset(
    "ahead alone apart around aside away back backward backwards close closed down downward "
    "downwards flat forward forwards high home left loose low off open out outdoors outward "
    "outwards overhead right sideways still straight there together up upright upward upwards "
    "upside wide indoors inward inwards".split()
)
_DETERMINERS = frozenset(
    "a an the its their his her two three four five several some many one another".split()
)
_STATES = frozenset(
    "afloat ajar alight alone aloft asleep awake barefoot upright upside sideways outdoors".split()
)
_PARTICIPLES = frozenset(
    "bent blown bound broken built caught cut drawn driven dug eaten fed frozen grown held hidden "
    "hung kept knit laid left lit lost made built overgrown parked placed put seen set sewn shown "
    "shut split spread strewn struck strung stuck sunk swept taken thrown tied torn topped turned "
    "woven worn wound written".split()
)
_TAKING_OBJECTS = frozenset(
    "adjusting bearing biting blowing brushing carrying casting catching chasing chewing climbing "
    "containing covering crossing cutting displaying doing drinking eating emitting facing "
    "featuring feeding forming giving grazing having hitting holding imitating kicking licking "
    "lifting making performing playing pulling pushing reading reflecting releasing revealing "
    "riding serving showing sipping smoking spraying surrounding throwing touching using watching "
    "wearing".split()
)
_NOT_FINITE = frozenset(
    "across always besides towards upwards downwards inwards outwards backwards forwards sideways "
    "perhaps this its his as is was has does".split()
)
_FINITE = {"has": "have", "was": "were", "does": "do"}
_SAID_OF_MANY = {many: one for one, many in _FINITE.items()}


def joined(phrases: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    if len(phrases) < 2:
        return "".join(phrases)
    return f"{', '.join(phrases[:-1])} and {phrases[-1]}"


@lru_cache(_CACHED)
def with_phrase(attribute: str, owner: str = "") -> str:
    """An attribute as it reads after a noun: "with a red collar", "made of wood".

    With an `owner` its possessive agrees: "with their heads tilted" of dogs.
    """
    text = _agreeing(_clean(attribute), owner)
    first, _, rest = text.partition(" ")
    if first.lower() in ("has", "have", "having") and rest:
        return f"with {rest}"
    return text if _stands_alone(text.lower().split()) else f"with {text}"


@lru_cache(_CACHED)
def is_phrase(relation: str, plural: bool = False) -> str:
    """A relation as it reads after its subject: "is leaning against", "are on", "holds"."""
    text = _clean(relation)
    first, _, rest = text.partition(" ")
    verb = "are" if plural else "is"
    if first in ("is", "are", "being") and rest:
        return f"{verb} {rest}" if first != "being" else f"{verb} {text}"
    if first in _FINITE or first in _SAID_OF_MANY:
        agreed = _FINITE.get(first, first) if plural else _SAID_OF_MANY.get(first, first)
        return f"{agreed} {rest}".strip()
    if _is_finite(first):
        return f"{_base(first)} {rest}".strip() if plural else text
    return f"{verb} {text}"


def statement(kind: ElementKind, text: str, subject: str | None, target: str | None) -> str:
    """An element as a noun phrase or clause that can be true or false of an image.

    "a puppy"; "the puppy with a red collar"; "the puppy is looking out of the door".
    """
    if kind == "object":
        return indefinite(text)
    owner = subject or ""
    if kind == "attribute":
        return f"{definite(owner)} {with_phrase(text, owner)}"
    return f"{definite(owner)} {is_phrase(text, is_plural(owner))} {definite(target or '')}"


def _clean(phrase: str) -> str:
    """On one line, without what would end a sentence in its midst."""
    return " ".join(phrase.split()).rstrip(".!?;, ") or phrase.strip()


def _agreeing(text: str, owner: str) -> str:
    """Its own parts belong to one thing, their parts to several; persons are left alone."""
    if not owner or lexicon.is_person(singular(owner.lower())):
        return text
    wrong, right = ("its", "their") if is_plural(owner) else ("their", "its")
    return re.sub(rf"\b{wrong}\b", right, text)


def _stands_alone(words: Sequence[str]) -> bool:
    """Whether a phrase reads right after a noun, without "with"."""
    first, *rest = words
    while rest and first.endswith("ly") and not lexicon.is_adjective(first):
        first, *rest = rest
    following = rest[0] if rest else ""
    if first in _PREPOSITIONS or first in _STATES or first in ("that", "which", "who"):
        return True
    if first in _DETERMINERS:
        return False
    if first.endswith("ing"):
        return first in _TAKING_OBJECTS or _is_complement(following, objects=True)
    if first.endswith("ed") or first in _PARTICIPLES:
        return _is_complement(following)
    return lexicon.is_adjective(first) and following in _PREPOSITIONS and not is_plural(first)


def _is_complement(word: str, objects: bool = False) -> bool:
    """Whether a word continues a participle and does not begin the noun it describes."""
    if word in _PREPOSITIONS or word in _ADVERBS or not word or word.endswith("ly"):
        return True
    return objects and word in _DETERMINERS


def _is_finite(verb: str) -> bool:
    """ "holds" and "carries", not "across"."""
    return (
        verb.isalpha()
        and verb.endswith("s")
        and not verb.endswith("ss")
        and verb not in _NOT_FINITE
        and verb not in _PREPOSITIONS
    )


def _base(verb: str) -> str:
    """ "hold" of "holds", "carry" of "carries", "touch" of "touches"."""
    candidates = (verb.removesuffix("s"), verb.removesuffix("es"), f"{verb.removesuffix('ies')}y")
    return next((base for base in candidates if third_person(base) == verb), candidates[0])
