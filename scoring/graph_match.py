"""Which elements of a predicted scene graph are those of a reference (FINER section 2.2).

Elements are matched one to one. A pair counts as the same

- **object**: the names are equal but for case, number, articles and hyphens; or one is a modified
  form of the other ("orange tabby cat", "cat": the same head noun and no word that the other
  contradicts); or their heads are synonyms. The best kind of match goes first, and among equals
  the objects that agree in most attributes; each choice stands once it is made.
- **attribute**: the owners are matched, and the content words have a Jaccard index of at least
  0.5. Words that only name a dimension ("color", "size", "surface") are no content. An attribute
  that the other graph says in the owner's name ("pink brush") is neither right nor wrong: it is
  left out.
- **relation**: both ends are matched, and both say the same place ("is sitting on", "is on"), or,
  where one or both say no place, share another content word ("is wearing", "wears").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import product

from schemas.scene_graph import Element, Relation, SceneGraph, SceneObject, elements
from scoring.content_words import DETERMINERS, content, noun_stem, overlap, stem, words

Synonyms = Callable[[str, str], bool]
"""Whether two nouns can name the same kind of thing."""

MIN_OVERLAP = 0.5

_PLACES = {
    "above": "above", "across": "across", "against": "against", "along": "along",
    "among": "among", "amid": "among", "around": "around", "behind": "behind", "below": "below",
    "beneath": "under", "under": "under", "underneath": "under", "beside": "next",
    "next": "next", "adjacent": "next", "alongside": "next", "near": "near", "close": "near",
    "between": "between", "beyond": "beyond", "down": "down", "up": "up", "front": "front",
    "inside": "inside", "left": "left", "middle": "middle", "off": "off", "out": "out",
    "outside": "outside", "over": "over", "past": "past", "right": "right", "through": "through",
    "top": "top", "bottom": "bottom", "toward": "toward", "towards": "toward", "atop": "top",
}  # fmt: skip
_WEAK_PLACES = {
    "in": "in", "into": "in", "within": "in", "on": "on", "onto": "on", "upon": "on", "at": "at",
    "with": "with", "to": "to", "by": "by", "from": "from", "for": "for", "of": "of",
}  # fmt: skip
_NOT_SAID = DETERMINERS | {"is", "are", "be", "being", "and", "it"}

_Key = tuple[str, int, int | None]


@dataclass(frozen=True, slots=True)
class GraphMatch:
    """The elements that both graphs have, predicted first, and those that only one has."""

    matched: tuple[tuple[Element, Element], ...]
    extra: tuple[Element, ...]
    missing: tuple[Element, ...]


def match_graphs(predicted: SceneGraph, reference: SceneGraph, same: Synonyms) -> GraphMatch:
    """Match the elements of two graphs of one caption one to one; see above for the rules."""
    owners = _match_objects(predicted.objects, reference.objects, same)
    pairs: list[tuple[_Key, _Key]] = []
    for mine, theirs in owners.items():
        pairs.append((("object", mine, None), ("object", theirs, None)))
        shared = _match_attributes(predicted.objects[mine], reference.objects[theirs])
        pairs += [(("attribute", mine, a), ("attribute", theirs, b)) for a, b in shared]
    for mine, theirs in _match_relations(predicted.relations, reference.relations, owners):
        pairs.append((("relation", mine, None), ("relation", theirs, None)))
    ours, gold = (
        {_key(item): item for item in elements(graph)} for graph in (predicted, reference)
    )
    named = {mine: reference.objects[theirs].name for mine, theirs in owners.items()}
    back = {theirs: predicted.objects[mine].name for mine, theirs in owners.items()}
    return GraphMatch(
        tuple((ours[mine], gold[theirs]) for mine, theirs in pairs),
        _unmatched(ours, {mine for mine, _ in pairs}, named),
        _unmatched(gold, {theirs for _, theirs in pairs}, back),
    )


def _key(element: Element) -> _Key:
    return element.kind, element.index, element.attribute


def _unmatched(
    items: dict[_Key, Element], found: set[_Key], partners: dict[int, str]
) -> tuple[Element, ...]:
    """What was not found, less attributes that stand in the name of the object's partner."""
    return tuple(
        item
        for key, item in items.items()
        if key not in found and not (item.kind == "attribute" and _is_named(item, partners))
    )


def _is_named(item: Element, partners: dict[int, str]) -> bool:
    """Whether the name of the owner's partner says this attribute, and the owner's does not."""
    own, other = (
        {stem(word) for word in words(name)}
        for name in (item.subject or "", partners.get(item.index, ""))
    )
    return content(item.text) <= other - own


def _match_objects(
    ours: tuple[SceneObject, ...], gold: tuple[SceneObject, ...], same: Synonyms
) -> dict[int, int]:
    """Indices of `gold` by indices of `ours`."""

    def score(mine: int, theirs: int) -> float:
        level = name_match(ours[mine].name, gold[theirs].name, same)
        agreeing = len(_match_attributes(ours[mine], gold[theirs])) if level else 0
        return level + agreeing / (1 + len(gold[theirs].attributes))

    return dict(_greedy(len(ours), len(gold), score))


def name_match(first: str, second: str, same: Synonyms) -> int:
    """3: equal names; 2: one is a modified form of the other; 1: synonyms; 0: different things."""
    (head, modifiers), (other, others) = _parted(first), _parted(second)
    nested = modifiers <= others or others <= modifiers
    if noun_stem(head) == noun_stem(other):
        return 3 if modifiers == others else 2 if nested else 0
    return 1 if same(first, second) or (nested and same(head, other)) else 0


def _parted(name: str) -> tuple[str, frozenset[str]]:
    """Head noun and stems of the other words. In "glass of red wine" the head comes first."""
    core = [word for word in words(name) if word not in DETERMINERS] or words(name) or [name]
    place = core.index("of", 1) if "of" in core[1:] else len(core)
    rest = [word for word in core[: place - 1] + core[place:] if word != "of"]
    return core[place - 1], frozenset(map(stem, rest))


def _match_attributes(mine: SceneObject, theirs: SceneObject) -> list[tuple[int, int]]:
    ours, gold = (list(map(content, item.attributes)) for item in (mine, theirs))

    def score(one: int, other: int) -> float:
        shared = overlap(ours[one], gold[other])
        return shared if shared >= MIN_OVERLAP else 0.0

    return _greedy(len(ours), len(gold), score)


def _match_relations(
    ours: tuple[Relation, ...], gold: tuple[Relation, ...], owners: dict[int, int]
) -> list[tuple[int, int]]:
    def score(one: int, other: int) -> float:
        mine, theirs = ours[one], gold[other]
        ends = (owners.get(mine.subject), owners.get(mine.object))
        if ends != (theirs.subject, theirs.object):
            return 0.0
        return relation_match(mine.relation, theirs.relation)

    return _greedy(len(ours), len(gold), score)


def relation_match(first: str, second: str) -> float:
    """0 for different relations, else how alike they are, up to 2."""
    (verbs, places), (other_verbs, other_places) = _said(first), _said(second)
    likeness = overlap(verbs, other_verbs)
    if places and other_places:
        return 1 + likeness if places & other_places else 0.0
    return likeness


def _said(relation: str) -> tuple[frozenset[str], frozenset[str]]:
    """Stems of the other content words, and the places. "In front of" says front, not in."""
    found = [word for word in words(relation) if word not in _NOT_SAID]
    strong = frozenset(_PLACES[word] for word in found if word in _PLACES)
    weak = frozenset(_WEAK_PLACES[word] for word in found if word in _WEAK_PLACES)
    verbs = [word for word in found if word not in _PLACES and word not in _WEAK_PLACES]
    return frozenset(map(stem, verbs)), strong or (weak - {"of"}) or weak


def _greedy(ours: int, gold: int, score: Callable[[int, int], float]) -> list[tuple[int, int]]:
    """One-to-one pairs of a positive score, best first; of equal ones the first in the graph."""
    scored = [(score(*pair), pair) for pair in product(range(ours), range(gold))]
    chosen: list[tuple[int, int]] = []
    for value, (mine, theirs) in sorted(scored, key=lambda item: item[0], reverse=True):
        if value > 0 and all(mine != one and theirs != other for one, other in chosen):
            chosen.append((mine, theirs))
    return chosen
