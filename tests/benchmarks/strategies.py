"""Random graphs with negatives: clashing names, namesakes, missing negatives, odd text."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from schemas.base import ShortText
from schemas.scene_graph import NegatedGraph

_SHORT: TypeAdapter[str] = TypeAdapter(ShortText)
NAMES = (
    "puppy", "cat", "tabby cat", "door", "grass", "dogs", "upper dog", "people", "man", "sky",
    "jeans", "hourglass", "Big Ben", "American flag", "statue of a laughing Buddha", "bus",
)  # fmt: skip
OTHER_NAMES = (
    "kitten", "rabbit", "pillar", "window", "gates", "woman", "waiter", "girl", "boy", "umbrella",
    "Eiffel Tower", "sand", "sun", "trousers", "buckets", "elephant", "one-way sign", "men",
)  # fmt: skip
ATTRIBUTES = (
    "a red collar", "with a red collar", "made of wood", "wearing a hat", "covered in snow",
    "a standing posture", "its head tilted backward", "their tails up", "long floppy ears",
    "a dark green color", "an open state", "panting", "in full bloom", "lit by the sun",
)  # fmt: skip
OTHER_ATTRIBUTES = (
    "with a blue collar", "a green collar", "made of metal", "wearing a scarf", "hung on a wall",
    "a kneeling posture", "its head turned away", "short ears", "a light gray color", "upside down",
    "a closed state", "striped fur", "in profile", "a position on the left", "dressed in white",
)  # fmt: skip
RELATIONS = (
    "is sitting on", "is standing on", "leaning against", "is looking out of", "holds", "has",
    "are behind", "next to", "is wearing",
)  # fmt: skip
OTHER_RELATIONS = (
    "is lying under", "carries", "is in front of", "on", "are above", "is running into",
    "is hanging over", "faces", "being carried by", "far from",
)  # fmt: skip
ODD = (
    'a "quoted" thing', "salt and pepper", "{braces}", "a, b and c", "naïve café\u200b", "with",
    "x" * 200, "one\nline", "cr\rlf", "end.", "\u00c9clair", "100% {0}", "the cat", "\x1c", "PUPPY",
)  # fmt: skip


def _is_short_text(text: str) -> bool:
    try:
        return bool(_SHORT.validate_python(text))
    except ValidationError:
        return False


def _texts(usual: tuple[str, ...], odd: bool) -> st.SearchStrategy[str]:
    if not odd:
        return st.sampled_from(usual)
    strange = st.sampled_from(ODD) | st.text(min_size=1, max_size=12).filter(_is_short_text)
    return st.sampled_from(usual) | st.sampled_from(usual) | strange


def _negatives(texts: st.SearchStrategy[str]) -> st.SearchStrategy[list[str]]:
    four = st.lists(texts, min_size=4, max_size=4, unique=True)
    return st.integers(0, 7).flatmap(lambda number: four if number else st.just([]))


@st.composite
def graphs(draw: st.DrawFn, odd: bool = True) -> NegatedGraph:
    """Up to six objects and eight relations; one set of negatives in eight is missing.

    Negatives are mostly of their own, but sometimes they are stated by the graph too.
    """
    names, attributes, relations = (_texts(pool, odd) for pool in (NAMES, ATTRIBUTES, RELATIONS))
    no_names, no_attributes, no_relations = (
        _negatives(_texts((*pool, *pool, *pool, *true), odd))
        for pool, true in (
            (OTHER_NAMES, NAMES),
            (OTHER_ATTRIBUTES, ATTRIBUTES),
            (OTHER_RELATIONS, RELATIONS),
        )
    )
    objects: list[dict[str, Any]] = []
    for name in draw(st.lists(names, min_size=1, max_size=6)):
        has = draw(st.lists(attributes, max_size=5))
        row = {"name": name, "attributes": has, "negatives": draw(no_names)}
        objects.append(row | {"attribute_negatives": [draw(no_attributes) for _ in has]})
    places = st.integers(0, len(objects) - 1)
    linked = [
        {
            "subject": subject,
            "relation": draw(relations),
            "object": target,
            "negatives": draw(no_relations),
        }
        for subject, target in draw(st.lists(st.tuples(places, places), max_size=8))
        if subject != target
    ]
    identifier = draw(st.sampled_from(("1", "000000347456", "a/b", "ü")))
    graph = {"id": identifier, "image": "images/a.jpg", "objects": objects, "relations": linked}
    return NegatedGraph.model_validate(graph)
