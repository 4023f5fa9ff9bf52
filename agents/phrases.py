"""Elements of a scene graph as English: noun phrases, "with …", "that is …", statements, lists."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from agents.nouns import definite, head, indefinite, is_plural, words
from backends.rules import lexicon
from backends.rules.english_words import listed
from schemas.scene_graph import ElementKind

__all__ = ["indefinite", "is_phrase", "joined", "statement", "with_phrase"]

_CACHED = 16_384

_POSSESSIVE = re.compile(r"\b(?:its|their)\b")
_FINITE = {"has": "have", "was": "were", "does": "do"}
_SAID_OF_MANY = {many: one for one, many in _FINITE.items()}


def joined(phrases: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    if len(phrases) < 2:
        return "".join(phrases)
    return f"{', '.join(phrases[:-1])} and {phrases[-1]}"


def with_phrase(attribute: str, owner: str = "") -> str:
    """An attribute as it reads after a noun: "with a red collar", "made of wood".

    With an `owner` its possessive agrees: "with their heads tilted" of dogs.
    """
    text = _after_noun(attribute)
    return _agreeing(text, owner) if owner and _POSSESSIVE.search(text) else text


@lru_cache(_CACHED)
def is_phrase(relation: str, plural: bool = False) -> str:
    """A relation as it reads after its subject: "is leaning against", "are on", "holds"."""
    text = _clean(relation)
    first, _, rest = text.partition(" ")
    verb = "are" if plural else "is"
    if first in ("is", "are") and rest:
        return f"{verb} {rest}"
    if first in _FINITE or first in _SAID_OF_MANY:
        agreed = _FINITE.get(first, first) if plural else _SAID_OF_MANY.get(first, first)
        return f"{agreed} {rest}".strip()
    if first == "can":
        return text
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
    return " ".join(words(phrase)).rstrip(".!?;, ") or phrase


@lru_cache(_CACHED)
def _after_noun(attribute: str) -> str:
    text = _clean(attribute)
    first, _, rest = text.partition(" ")
    if first.lower() in ("has", "have", "having") and rest:
        return f"with {rest}"
    return text if _stands_alone(words(text.lower())) else f"with {text}"


def _agreeing(text: str, owner: str) -> str:
    """Its parts are those of one thing, their parts those of several; persons are left alone."""
    if lexicon.is_person(head(owner)):
        return text
    return _POSSESSIVE.sub("their" if is_plural(owner) else "its", text)


def _stands_alone(phrase: Sequence[str]) -> bool:
    """Whether a phrase reads right after a noun, without "with"."""
    first, *rest = phrase
    while rest and first.endswith("ly") and not lexicon.is_adjective(first):
        first, *rest = rest
    following = rest[0] if rest else ""
    if listed("prepositions", first) or listed("opening", first):
        return True
    if listed("determiners", first):
        return False
    if first.endswith("ing"):
        return listed("taking_objects", first) or _is_complement(following, objects=True)
    if first.endswith("ed") or listed("participles", first):
        return _is_complement(following)
    describes = lexicon.is_adjective(first) and not is_plural(first)
    return describes and listed("prepositions", following)


def _is_complement(word: str, objects: bool = False) -> bool:
    """Whether a word continues a participle and does not begin the noun it describes."""
    if listed("prepositions", word) or listed("adverbs", word) or not word or word.endswith("ly"):
        return True
    return objects and listed("determiners", word)


def _is_finite(verb: str) -> bool:
    """ "holds" and "carries", not "across"."""
    return (
        verb.isalpha()
        and verb.endswith("s")
        and not verb.endswith("ss")
        and not listed("not_finite", verb)
        and not listed("prepositions", verb)
    )


def _base(verb: str) -> str:
    """ "hold" of "holds", "carry" of "carries", "touch" of "touches"."""
    if verb.endswith("ies") and len(verb) > 4:
        return f"{verb[:-3]}y"
    return verb[:-2] if verb.endswith(("ches", "shes", "sses", "xes", "oes")) else verb[:-1]
