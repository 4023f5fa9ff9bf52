"""What an attribute says on closed scales, and whether another could be true as well."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache, lru_cache
from typing import NamedTuple

from backends.rules import lexicon
from backends.rules.grammar import singular
from backends.rules.negatives_words import ARTICLES, PREPOSITIONS, head, is_plural, table, words

SHADES = ("light", "dark", "bright", "deep", "pale", "vivid", "neon", "pastel", "soft", "faded")
OWNERS = frozenset("its his her their one both".split())
_OPPOSED = ({"light", "pale", "pastel", "bright", "neon"}, {"dark", "deep"})
_PARTICIPLES = frozenset(
    "made worn built bent shown held hung set tied torn hidden drawn written cut lit".split()
)
_VAGUE = frozenset("various several many multiple different numerous some few".split())
_MADE = frozenset("made built constructed crafted formed composed".split())
_EMPTY = ARTICLES | OWNERS | {"and", "or", "color", "colour", "very"}
_FREE = _EMPTY | PREPOSITIONS


class Form(NamedTuple):
    """What must stay: the kind of phrase, what it begins with, and the noun it describes."""

    kind: str
    """ "own" (its head …), "doing", "done", "where" or "noun"."""
    lead: str
    head: str
    described: bool
    """Whether the noun has adjectives, which are then what the phrase is about."""


@lru_cache(16_384)
def form(text: str) -> Form:
    """The form of an attribute phrase."""
    found = words(text)
    first, second = found[0], found[1] if len(found) > 1 else ""
    if first in OWNERS and len(found) > 2:
        part = next((word for word in found[1:-1] if not is_known(word, describes=True)), second)
        return Form("own", part, singular(part), True)
    if first.endswith("ing"):
        return Form("doing", "", "", True)
    done = first.endswith("ed") or first in _PARTICIPLES
    if done and (not second or second in PREPOSITIONS or second.endswith(("ward", "wards"))):
        return Form("done", "made" if first in _MADE else "", "", True)
    if first in PREPOSITIONS:
        return Form("where", "", "", True)
    lead = "a" if first in ("a", "an") else "many" if is_plural(text) else ""
    described = any(
        is_known(word, describes=True) for word in _modifiers(text) if word not in _VAGUE
    )
    return Form("noun", lead, head(text), described)


def _modifiers(text: str) -> list[str]:
    noun = head(text)
    before = []
    for word in words(text):
        if word == noun:
            break
        before.append(word)
    return [word for word in before if word not in ARTICLES]


@lru_cache(16_384)
def is_known(word: str, describes: bool = False) -> bool:
    """Whether a word stands on a scale; with `describes`, any adjective will do."""
    if hues(word) or word in _scale_words() or word in _material_words():
        return True
    return describes and (lexicon.is_adjective(word) or word.endswith(("-colored", "-shaped")))


@lru_cache(16_384)
def hues(word: str) -> frozenset[str]:
    """Basic colours that a colour word may name: navy is blue, beige is brown or white."""
    word = word.removesuffix("-colored").removesuffix("-coloured")
    return frozenset(hue for hue, names in table("attributes")["colors"].items() if word in names)


@lru_cache(16_384)
def all_hues(text: str) -> frozenset[str]:
    """The basic colours of a phrase."""
    return frozenset[str]().union(*(hues(word) for word in words(text)))


def scales_of(noun: str, owner: str) -> tuple[str, ...]:
    """Scales that an adjective of this noun stands on; none where the noun says nothing."""
    data = table("attributes")
    if noun in ("appearance", "look", "state", "condition"):
        of_owner = data["appearance"].get(owner, [])
        rest = [*data["appearance"][""], *data["frames"]["state"]]
        return tuple(dict.fromkeys([*of_owner, *(data["frames"].get(noun) or []), *rest]))
    return tuple(data["frames"].get(noun, ()))


@lru_cache(65_536)
def poles(scale: str, phrase: str) -> frozenset[int]:
    """Which values of a scale a word or short phrase can stand for."""
    return frozenset(
        number
        for number, pole in enumerate(table("attributes")["scales"][scale])
        if phrase in pole["offer"] or phrase in pole["also"]
    )


@cache
def _scale_words() -> frozenset[str]:
    scales = table("attributes")["scales"].values()
    return frozenset(
        word for poles in scales for pole in poles for word in (*pole["offer"], *pole["also"])
    )


@cache
def _material_words() -> dict[str, int]:
    """Group of each material."""
    groups = table("attributes")["materials"]
    return {word: number for number, group in enumerate(groups) for word in group}


def material(word: str) -> int | None:
    """Group of materials that a word names; wood and wooden are one."""
    return _material_words().get(word)


@lru_cache(65_536)
def attribute_clash(positive: str, candidate: str, owner: str) -> str | None:
    """Why the candidate could be true where the positive is; None if it excludes it.

    `owner` is the class of the thing that has the attribute.
    """
    first, second = words(positive), words(candidate)
    new = [word for word in second if word not in first and word not in _FREE]
    gone = [word for word in first if word not in second and word not in _EMPTY]
    if not new:
        return f'says the same as "{positive}" or less'
    if _same_place(first, second):
        return "can be true at the same time: it is the same part of the image"
    if not gone:
        return f'is more special than "{positive}", and could be true'
    shared = _shared_hue(gone, new)
    if shared:
        return f"can be true at the same time: both are {shared}"
    pair = _same_value(gone, new, head(positive), owner)
    return (
        f'can be true at the same time: "{pair[0]}" and "{pair[1]}" are much alike'
        if pair
        else None
    )


def _shared_hue(gone: Sequence[str], new: Sequence[str]) -> str | None:
    """A colour of both, unless one is the light and the other the dark of it."""
    both = all_hues(" ".join(gone)) & all_hues(" ".join(new))
    light, dark = _OPPOSED
    for one, other in ((gone, new), (new, gone)):
        if light & set(one) and dark & set(other):
            return None
    return min(both, default=None)


def _same_value(
    gone: Iterable[str], new: Sequence[str], noun: str, owner: str
) -> tuple[str, str] | None:
    """A word of each that stand for the same value, on the noun's scales or else on any."""
    scales = scales_of(noun, owner) or tuple(table("attributes")["scales"])
    for old in gone:
        for word in new:
            if material(old) is not None and material(old) == material(word):
                return old, word
            for scale in scales:
                if poles(scale, old) & poles(scale, word):
                    return old, word
    return None


def _same_place(first: Sequence[str], second: Sequence[str]) -> bool:
    """Whether two positions in the image go together; False if they are not positions."""
    if "position" not in first or "position" not in second:
        return False
    return not any(
        one and other and not one & other
        for one, other in zip(axes(first), axes(second), strict=True)
    )


def axes(found: Iterable[str]) -> list[frozenset[int]]:
    """Places on the axes of the image: depth, across, upright."""
    said = set(found)
    return [
        frozenset(number for number, names in enumerate(axis) if said.intersection(names))
        for axis in table("phrases")["axes"].values()
    ]


def content(text: str) -> Iterator[str]:
    """The words that say something."""
    return (word for word in words(text) if word not in _FREE)
