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
_SIDE = re.compile(r"\b(?:on|at|in|to) the (?:\w+ )?(left|right|top|bottom|middle|cent(?:er|re))\b")
_OPPOSITE = {"left": "right", "right": "left", "top": "bottom", "bottom": "top"}
_PLACE_WORDS = {"top": "upper", "bottom": "lower"}


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
    place = " ".join([region.position, region.where or "", *region.near])
    foreign = unsupported_words(text, f"{caption} {region.label} {region.draft} {place}")
    if foreign:
        return f"neither the caption nor the label has {', '.join(map(repr, foreign))}"
    return _wrong_side(text.lower(), place)


def _names(words: list[str], label: str) -> bool:
    """Whether the head noun of the label, a form of it or a kind of it is said."""
    noun = head(label)
    if not unsupported_words(noun, " ".join(words)):
        return True
    return any(is_named(word, noun) or is_kind_of(word, noun) for word in words)


def _wrong_side(text: str, place: str) -> str | None:
    """A side that is the opposite of the region's own."""
    for side in _SIDE.findall(text):
        other = _OPPOSITE.get(side)
        if other and not _has(place, side) and _has(place, other):
            return f'it says "{side}", but the region is at the {other}'
    return None


def _has(place: str, side: str) -> bool:
    return side in place.split() or _PLACE_WORDS.get(side) in place.split()
