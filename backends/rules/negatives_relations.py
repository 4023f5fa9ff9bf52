"""What a relation says, and whether another one could be true of the same two things as well."""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import NamedTuple

from backends.rules.grammar import gerund, third_person
from backends.rules.negatives_attributes import axes
from backends.rules.negatives_words import belongs, table, words

_IRREGULAR = {
    "sat": "sit", "stood": "stand", "lain": "lie", "held": "hold", "worn": "wear", "hung": "hang",
    "ridden": "ride", "laid": "lay", "hidden": "hide", "seen": "see", "set": "set", "put": "put",
    "eaten": "eat", "spread": "spread", "driven": "drive", "drunk": "drink", "sunk": "sink",
    "dug": "dig", "bound": "tie", "seated": "sit", "ironing": "iron", "equipping": "equip",
    "equipped": "equip",
}  # fmt: skip
_IN_OR_ON = (
    "land", "road", "floor", "ground_cover", "mountain", "beach", "water", "wave", "sky",
    "tree", "vegetation", "boat", "bus", "train", "picture", "seat", "bed", "dish",
)  # fmt: skip
_VAGUE = frozenset({"beside", "toward"})
_VAGUE_TEXT = "can be true at the same time: it is too vague"
_BOTH = "can be true at the same time"
_MOVING = frozenset(
    "run walk jump swim fly climb crawl fall roll slide drive dance sink ski surf bounce".split()
)
_REGION = re.compile(
    r"\b(?:in|at|on|along|near|to) the (?:\w+ )*"
    r"(?:corner|top|bottom|edge|end|middle|center|centre) of$"
)
_WHOLE = ("on top of", "at the bottom of")
_ATTENTION_LOST = frozenset("away past asleep closed shut blindfolded hide sleep ignore".split())


class Parsed(NamedTuple):
    """A relation in parts. `form` is "is", "are", "finite" (holds) or "bare" (holding)."""

    form: str
    verb: str
    """Lemma; "" where there is only a preposition."""
    group: str
    """Class of the verb, such as "hold"; "" if it is in none."""
    place: str
    """Class of the preposition, such as "under"; "" if there is none."""
    rest: str
    """What follows the verb."""


@lru_cache(16_384)
def parse_relation(text: str) -> Parsed:
    """The parts of a relation phrase such as "is standing upright on"."""
    tokens = list(words(text))
    form = tokens.pop(0) if tokens and tokens[0] in ("is", "are") else ""
    passive = bool(tokens) and tokens[0] == "being"
    tokens = tokens[passive:]
    while tokens and tokens[0].endswith("ly") and tokens[0] not in ("fly", "rely"):
        tokens.pop(0)
    if not tokens:
        return Parsed(form or "bare", "", "", "", "")
    lemma = _lemma(tokens[0])
    finite = not form and lemma is not None and tokens[0] in (third_person(lemma), lemma)
    rest = " ".join(tokens[1:] if lemma else tokens)
    group = _groups().get(lemma or "", "")
    place = "" if passive and rest == "by" else _place(rest)
    return Parsed(form or ("finite" if finite else "bare"), lemma or "", group, place, rest)


@lru_cache(65_536)
def relation_clash(positive: str, candidate: str, target: str) -> str | None:
    """Why the candidate could be true where the positive is; None if it excludes it.

    Verbs that the tables do not know are believed to be another action.
    """
    first, second = parse_relation(positive), parse_relation(candidate)
    if _other_region(first, second):
        return None
    if is_paraphrase(first, second):
        return f'says the same as "{positive}"'
    if _other_posture(first, second):
        return None
    if first.group == "attention":
        lost = second.place == "far" or not _ATTENTION_LOST.isdisjoint(
            (second.verb, *words(candidate))
        )
        return None if lost else _BOTH
    if second.group == "attention":
        return _BOTH
    if second.verb in table("relations")["entails"].get(first.group, ()):
        return f'follows from "{positive}"'
    if first.group and first.group not in ("posture", "static", "attach"):
        return _state_clash(first, second)
    return _place_clash(first, second, target)


def is_paraphrase(first: Parsed, second: Parsed) -> bool:
    """Whether two relations have like verbs and like prepositions."""
    if {first.group, second.group} <= {"", "static"} and not _unknown(first, second):
        return first.place == second.place
    same = first.verb == second.verb or (
        first.group == second.group not in ("", "posture", "static")
    )
    same = same or _posture(first.verb) == _posture(second.verb) >= 0
    return same and (first.place == second.place or first.group in ("hold", "wear", "eat"))


def _unknown(first: Parsed, second: Parsed) -> bool:
    """Whether one has a verb of which nothing is known."""
    return any(one.verb and not one.group for one in (first, second))


def _other_posture(first: Parsed, second: Parsed) -> bool:
    """Whether nothing can do both at once: stand and lie, fly and swim, rest and roll."""
    still = (first.group in ("static", "attach"), second.group in ("static", "attach"))
    if (still[0] and second.verb in _MOVING) or (still[1] and first.verb in _MOVING):
        return True
    places = _posture(first.verb), _posture(second.verb)
    if min(places) < 0 or places[0] == places[1]:
        return False
    together = {frozenset(map(_posture, pair)) for pair in table("relations")["verbs"]["together"]}
    return frozenset(places) not in together


def _other_region(first: Parsed, second: Parsed) -> bool:
    """Whether two regions of a thing are apart: its top and its bottom, its edge and its middle."""
    if {first.place, second.place} != {"region"} or first.verb != second.verb:
        return False
    one, other = words(first.rest), words(second.rest)
    inner = [not {"middle", "center", "centre"}.isdisjoint(said) for said in (one, other)]
    apart = any(a and b and not a & b for a, b in zip(axes(one), axes(other), strict=True))
    return apart or inner[0] != inner[1]


def _state_clash(first: Parsed, second: Parsed) -> str | None:
    """Against wearing, holding, being covered: where things are says little, doing says more."""
    if second.place in _VAGUE and second.group in ("", "static", "posture"):
        return _VAGUE_TEXT
    covered = first.group in ("cover", "surround") and second.place in ("under", "in", "behind")
    if covered and second.group in ("", "static"):
        return _BOTH
    return None


def _place_clash(first: Parsed, second: Parsed, target: str) -> str | None:
    """Against being somewhere."""
    if second.verb in _MOVING and second.place in ("above", "under"):
        return None
    known = not second.verb or second.group in ("posture", "static", "attach")
    if not second.place or (second.verb and not known and second.place not in _VAGUE):
        return None
    if second.place in _VAGUE:
        return _VAGUE_TEXT
    if not first.place:
        return None
    if {first.place, second.place} == {"in", "on"} and belongs(target, _IN_OR_ON):
        return _BOTH
    excluded = table("relations")["exclusive"].get(first.place)
    if excluded is None or second.place in excluded:
        return None
    return _BOTH


@cache
def _groups() -> dict[str, str]:
    """Class of each known verb."""
    found: dict[str, str] = {}
    for name, entry in table("relations")["verbs"].items():
        if name != "together":
            lemmas = (lemma for part in entry for lemma in ([part] if name != "posture" else part))
            for lemma in lemmas:
                found.setdefault(lemma, name)
    return found


def _posture(verb: str) -> int:
    """Which posture or motion a verb is; -1 if none."""
    return _postures().get(verb, -1)


@cache
def _postures() -> dict[str, int]:
    groups = table("relations")["verbs"]["posture"]
    return {lemma: number for number, group in enumerate(groups) for lemma in group}


@cache
def _forms() -> dict[str, str]:
    """Lemma of each inflected form of a known verb."""
    lemmas = set(_groups())
    for lemma_list in table("relations")["entails"].values():
        lemmas |= set(lemma_list)
    for rule in table("relations")["rules"]:
        lemmas |= {verb for verb in rule.get("verb", ())}
        lemmas |= {text[1:].split()[0] for text in rule["negatives"] if text.startswith("+")}
    found = dict(_IRREGULAR)
    for lemma in sorted(lemmas):
        for form in (lemma, gerund(lemma), third_person(lemma), _past(lemma)):
            found.setdefault(form, lemma)
    return found


def _past(lemma: str) -> str:
    """The regular participle: "cover" to "covered", "equip" to "equipped"."""
    stem = gerund(lemma).removesuffix("ing")
    return f"{stem}ed" if not lemma.endswith("y") or lemma[-2:-1] in "aeiou" else f"{lemma[:-1]}ied"


def _lemma(token: str) -> str | None:
    """Lemma of a verb form; None for a preposition or another word."""
    if token in _forms():
        return _forms()[token]
    if token.endswith(("ing", "ed")) and len(token) > 4:
        return token
    return None


@lru_cache(16_384)
def _place(rest: str) -> str:
    """Class of the preposition that leads to the object: the longest one that the text ends in,
    or else the last one inside ("with a thick layer of").
    """
    if _REGION.search(rest) and not rest.endswith(_WHOLE):
        return "region"
    said = f" {rest} "
    found = [
        (said.rfind(f" {text} ") + len(text), len(text), name)
        for text, name in _prepositions()
        if name != "of" and f" {text} " in said
    ]
    ending = [(length, name) for end, length, name in found if end == len(rest)]
    return max(ending)[1] if ending else max(found, default=(0, 0, ""))[2]


@cache
def _prepositions() -> tuple[tuple[str, str], ...]:
    return tuple(
        (text, name) for name, texts in table("relations")["preps"].items() for text in texts
    )
