"""Is a region's text fit to train on? It names its thing, and says no more than is known."""

from __future__ import annotations

import re

from agents.nouns import head
from agents.region_draft import MAX_WORDS, is_named
from agents.scene_graph_checks import unsupported_words
from backends.rules.lexicon import is_kind_of
from schemas.region_writing import RegionQuestion

_WORD = re.compile(r"[a-z0-9][a-z0-9'’-]*")
_DENIAL = frozenset("no not without none never nobody nothing".split())
_SIDE = re.compile(r"\b(?:on|at|in|to) the (?:\w+ )?(left|right|top|bottom)\b")
_OPPOSITE = {"left": "right", "right": "left", "top": "bottom", "bottom": "top"}
_SAME_SIDE = {"upper": "top", "lower": "bottom"}


def problem(text: str, region: RegionQuestion, caption: str) -> str | None:
    """Why a text is no good for its region; None if it is. Cheap, and no proof that it is true."""
    words = _WORD.findall(text.lower())
    if not words or len(words) > MAX_WORDS:
        return f"it has {len(words)} words, expected 1 to {MAX_WORDS}"
    if not _names(words, region.label):
        return f'it does not name the region\'s label, "{region.label}"'
    denied = next(
        (word for word in words if word in _DENIAL or word.endswith(("n't", "n’t"))), None
    )
    if denied:
        return f'it says what is not there ("{denied}")'
    place = ", ".join(filter(None, [region.position, region.where, *region.near]))
    known = f"{caption} {region.label} {region.draft} {place} side"
    foreign = unsupported_words(text, known)
    if foreign:
        return f"neither the caption nor the label has {', '.join(map(repr, foreign))}"
    return _wrong_side(text.lower(), place, caption.lower())


def _names(words: list[str], label: str) -> bool:
    """Whether the head noun of the label, a form of it or a kind of it is said."""
    noun = head(label)
    if not unsupported_words(noun, " ".join(words)):
        return True
    return any(is_named(word, noun) or is_kind_of(word, noun) for word in words)


def _wrong_side(text: str, place: str, caption: str) -> str | None:
    """A side that is not the region's own, and that the caption has not or its place denies."""
    for side in _SIDE.findall(text):
        denied = _OPPOSITE[side] in _sides(place)
        if side not in _sides(place) and (denied or side not in _sides(caption)):
            return f'it says "{side}", but the region is elsewhere: {place}'
    return None


def _sides(text: str) -> set[str]:
    return {_SAME_SIDE.get(word, word) for word in _WORD.findall(text)}
