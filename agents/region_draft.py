"""A region's text by template: what the caption says of such a thing, and where it is.

"a brown dog with a red collar" where the caption tells of one such thing and one was found, else
"the dog on the left". It is what the rules answer, and what is taken where a model's text is
refused twice.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from agents.nouns import indefinite, is_plural
from agents.phrases import joined, with_phrase
from agents.region_layout import Layout
from backends.rules.grammar import singular
from backends.rules.lexicon import is_kind_of
from schemas.scene_graph import SceneGraph, SceneObject

MAX_WORDS = 20
_MOST_ADJECTIVES, _PLACE_WORDS = 3, 5
_BEFORE_NOUN = re.compile(
    r"^an? (?P<words>[\w -]+) (?P<kind>size|height|length|width|age|shape|state|condition|posture|"
    r"appearance|texture|finish|surface|style|build|colou?r)$"
)
_ORDER = ("size height length width build", "age", "shape", "state condition posture",
          "appearance texture finish surface style", "color colour")  # fmt: skip
_PLACES = re.compile(r"\b(?:position|distance|foreground|background)\b")
_POSSESSIVE = re.compile(r"^(?:its|their|his|her) ")
_HAVING = re.compile(r"^(?:is|are) (wearing|holding|carrying|riding)$")


def best_draft(label: str, layout: Layout, graphs: Sequence[SceneGraph]) -> str:
    """The draft that says most, of one for each caption of an image.

    Each caption is taken by itself: "a dog" of two captions is one dog, of one it is two.
    """
    return max(
        (draft(label, layout, graph) for graph in graphs), key=lambda text: len(text.split())
    )


def draft(label: str, layout: Layout, graph: SceneGraph) -> str:
    """The text of a region with this label, from the graph of its image's caption."""
    mentions = [place for place, item in enumerate(graph.objects) if is_named(item.name, label)]
    names = {singular(graph.objects[place].name) for place in mentions}
    name = names.pop() if len(names) == 1 else label
    # What is said of one of several things cannot be told to belong to this one.
    known = len(mentions) == 1 and (layout.of == 1 or is_plural(graph.objects[mentions[0]].name))
    before, after = _described(name, mentions[0], graph) if known else (name, "")
    if layout.where is None:
        return f"{indefinite(before)} {after}".strip()
    return f"the {before} {layout.where} {after}".strip()


def is_named(said: str, label: str) -> bool:
    """Whether a name in a caption may be a label's: "dogs", "brown dog", "puppy" are "dog"."""
    said, label = singular(said.lower()), singular(label.lower())
    return said == label or said.endswith(f" {label}") or is_kind_of(said, label)


def _described(name: str, place: int, graph: SceneGraph) -> tuple[str, str]:
    """The name with adjectives before it, and what it has or wears."""
    item = graph.objects[place]
    before = " ".join([*_adjectives(item), name])
    for phrases in _endings(item, graph, [*_worn(place, graph)]):
        after = " ".join(phrases)
        if len(f"{before} {after}".split()) < MAX_WORDS - _PLACE_WORDS:
            return before, after
    return before, ""


def _adjectives(item: SceneObject) -> list[str]:
    """ "large", "brown", from "a large size" and "a brown color"; none that the name has."""
    read = [match for match in map(_BEFORE_NOUN.match, item.attributes) if match]
    read.sort(key=lambda match: [match["kind"] in kinds.split() for kinds in _ORDER].index(True))
    named = item.name.lower().split()
    words = (one["words"] for one in read if one["words"] not in named and not _compares(one))
    return list(dict.fromkeys(words))[:_MOST_ADJECTIVES]


def _compares(attribute: re.Match[str]) -> bool:
    """ "a larger size": than what, the text does not say."""
    return attribute["kind"] in _ORDER[0].split() and attribute["words"].endswith(("er", "est"))


def _worn(place: int, graph: SceneGraph) -> Iterator[str]:
    """ "wearing an orange shirt and gray shorts": what is in the region along with the object."""
    targets: dict[str, list[str]] = {}
    for relation in graph.relations:
        read = _HAVING.match(relation.relation)
        if relation.subject == place and read:
            targets.setdefault(read[1], []).append(_named(graph.objects[relation.object]))
    for verb, phrases in targets.items():
        yield f"{verb} {joined(phrases[:3])}"


def _named(item: SceneObject) -> str:
    return indefinite(" ".join([*_adjectives(item), item.name]))


def _endings(item: SceneObject, graph: SceneGraph, worn: Sequence[str]) -> Iterator[list[str]]:
    """What follows the name: made of what, with what, doing what; first all, then less of it."""
    names = [other.name for other in graph.objects]
    parts = {
        indefinite(other.name): _named(other)
        for other in graph.objects
        if names.count(other.name) == 1
    }
    phrases = [
        with_phrase(parts.get(text, text), item.name)
        for text in item.attributes
        if not (_BEFORE_NOUN.match(text) or _PLACES.search(text) or _POSSESSIVE.match(text))
    ]
    having = [text.removeprefix("with ") for text in phrases if text.startswith("with ")]
    doing = [text for text in phrases if text.split(" ")[0].endswith("ing")]
    states = [text for text in phrases if not text.startswith("with ") and text not in doing]
    for most in (2, 1, 0):
        yield [
            *states[:1],
            *[f"with {joined(found)}" for found in [having[:most]] if found],
            *[" and ".join(found) for found in [[*worn, *doing][:most]] if found],
        ]
    yield []
