"""Names and relations of annotators as the phrases of a scene graph.

Annotators write "ON", "sitting on a", "wears", "the man ". A name becomes a noun phrase without
article; a relation becomes what reads after "that": "is on", "is sitting on", "is wearing", "has".
"""

from __future__ import annotations

import re

from backends.rules.grammar import gerund, singular

_DETERMINERS = (
    "a", "an", "the", "his", "her", "its", "their", "this", "that", "some", "another", "one",
)  # fmt: skip
_LEADING = re.compile(rf"(?:(?:{'|'.join(_DETERMINERS)}) )+")
_TRAILING = re.compile(rf"(?: (?:{'|'.join(_DETERMINERS)}))+$")
_PLACES = {
    "on", "in", "at", "by", "with", "behind", "beside", "besides", "near", "above", "below",
    "under", "underneath", "beneath", "next", "between", "over", "against", "around", "inside",
    "outside", "along", "across", "through", "into", "onto", "atop", "off", "among", "amongst",
    "beyond", "past", "up", "down", "adjacent", "close", "toward", "towards", "from", "front",
    "within", "opposite", "of", "to", "parallel", "far", "away", "out",
}  # fmt: skip
_WHOLE = {
    "of": "is part of",
    "part of": "is part of",
    "belongs to": "is part of",
    "belonging to": "is part of",
    "with": "has",
    "have": "has",
    "are with": "has",
    "is with": "has",
    "next": "is next to",
    "front of": "is in front of",
    "on front of": "is in front of",
    "on top": "is on top of",
    "on side of": "is on the side of",
    "on back of": "is on the back of",
    "on top of": "is on top of",
    "in back of": "is behind",
    "left of": "is to the left of",
    "to left of": "is to the left of",
    "on left": "is to the left of",
    "on left of": "is to the left of",
    "right of": "is to the right of",
    "to right of": "is to the right of",
    "on right": "is to the right of",
    "on right of": "is to the right of",
}
_INTRANSITIVE = {
    "sitting", "standing", "walking", "lying", "laying", "hanging", "growing", "flying",
    "looking", "leaning", "resting", "going", "coming", "being", "running", "playing",
    "grazing", "swimming", "waiting", "sleeping", "smiling", "posing",
}  # fmt: skip
_BASE_VERBS = {
    "wear", "hold", "sit", "stand", "ride", "carry", "eat", "cover", "watch", "walk", "hang",
    "use", "pull", "touch", "surround", "support", "fly", "lie", "lean", "rest", "drink",
}  # fmt: skip
_PARTICIPLES = {"made", "seen", "hung", "built", "shown", "worn", "held", "set", "kept", "strewn"}
_NEEDS_TO = {"next": "next to", "close": "close to", "adjacent": "adjacent to"}


def clean(text: str) -> str:
    """Lower case, single spaces, no punctuation around."""
    return " ".join(text.lower().replace("_", " ").split()).strip(" .,;:!?\"'`()[]")


def noun_phrase(name: str) -> str | None:
    """A name without article; None where there is none, or what is there is no name."""
    phrase = _LEADING.sub("", f"{clean(name)} ", count=1).strip()
    return phrase if 1 < len(phrase) <= 60 and phrase[0].isalpha() else None


def relation_phrase(relation: str) -> str | None:
    """A relation as it reads after "that"; None for junk, such as a bare noun or adjective."""
    text = _TRAILING.sub("", clean(relation))
    if text in _WHOLE:
        return _WHOLE[text]
    words = text.split()
    if words and words[0] in ("is", "are", "was", "were"):
        words = words[1:]
    if (
        not words
        or len(words) > 8
        or "not" in words
        or not all(re.fullmatch("[a-z'-]+", word) for word in words)
    ):
        return None
    first, last = words[0], words[-1]
    if first in ("has", "have", "having"):
        return " ".join(["has", *words[1:]])
    if first in _PLACES:
        words[-1] = _NEEDS_TO.get(last, last)
        return " ".join(["is", *words]) if last in _PLACES or len(words) > 1 else None
    if not first.endswith(("ing", "ed")):
        verb = first if first in _BASE_VERBS else singular(first)
        known = verb in _BASE_VERBS or (verb != first and last in _PLACES)
        if known:
            words[0] = gerund(verb)
        elif first not in _PARTICIPLES or last not in _PLACES:
            return None
    if len(words) == 1 and (words[0] in _INTRANSITIVE or words[0].endswith("ed")):
        return None
    return " ".join(["is", *words])
