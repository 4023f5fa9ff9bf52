"""Visual Genome: region descriptions become captions, scene graphs and attributes scene graphs.

`region_descriptions.json`: the phrases of an image, each a sentence, are one caption.
`scene_graphs.json`, `attributes.json`: objects with their attributes, and relations.
Images are named by their number, `IMAGE.jpg`.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from backends.rules.grammar import capitalized
from benchmarks.sources.attributes import MAX_ATTRIBUTES, attribute_phrase
from benchmarks.sources.base import (
    BadRow,
    Imported,
    Request,
    Source,
    left_out,
    number,
    objects,
    of_input,
)
from benchmarks.sources.phrases import clean, noun_phrase, relation_phrase
from benchmarks.sources.readers import json_list
from schemas.scene_graph import CaptionRecord, Relation, SceneGraph, SceneObject


def convert(row: dict[str, Any], request: Request) -> Iterator[Imported]:
    """A caption where the row has regions, else a scene graph."""
    if "regions" in row:
        yield _caption(row, request)
        return
    identifier = str(number(row, "image_id"))
    image = request.image(f"{identifier}.jpg")
    parts: list[str] = []
    places, things = _objects(row, parts)
    if not things:
        raise BadRow("objects: none has a name")
    relations = _relations(row, places, parts)
    yield SceneGraph(id=identifier, image=image, objects=tuple(things), relations=tuple(relations))
    yield from left_out(identifier, parts)


def _caption(row: dict[str, Any], request: Request) -> CaptionRecord:
    regions = objects(row, "regions")
    identifier = str(row["id"] if isinstance(row.get("id"), int) else number(row, "image_id"))
    phrases = dict.fromkeys(clean(str(region.get("phrase") or "")) for region in regions)
    sentences = [f"{capitalized(phrase)}." for phrase in phrases if phrase]
    if not sentences:
        raise BadRow("regions: none has a phrase")
    image = request.image(f"{identifier}.jpg")
    return CaptionRecord(id=identifier, image=image, caption=" ".join(sentences))


def _objects(row: dict[str, Any], parts: list[str]) -> tuple[dict[int, int], list[SceneObject]]:
    """The objects that have a name, and the place of each by its `object_id`."""
    places: dict[int, int] = {}
    things: list[SceneObject] = []
    for item in objects(row, "objects" if "objects" in row else "attributes"):
        names = item.get("names")
        name = noun_phrase(str(names[0])) if isinstance(names, list) and names else None
        if name is None:
            parts.append(f"object {item.get('object_id')}: no name in {str(names)[:60]!r}")
            continue
        if item.get("object_id") is not None:
            places[number(item, "object_id")] = len(things)
        things.append(SceneObject(name=name, attributes=_attributes(item, parts)))
    return places, things


def _attributes(item: dict[str, Any], parts: list[str]) -> tuple[str, ...]:
    words = item.get("attributes")
    found: dict[str, None] = {}
    for word in words if isinstance(words, list) else ():
        phrase = attribute_phrase(clean(str(word)))
        if phrase and len(phrase) <= 200:
            found[phrase] = None
        else:
            parts.append(f"object {item.get('object_id')}: attribute {str(word)[:60]!r}")
    return tuple(found)[:MAX_ATTRIBUTES]


def _relations(row: dict[str, Any], places: dict[int, int], parts: list[str]) -> list[Relation]:
    found: dict[tuple[int, int], Relation] = {}
    for item in objects(row, "relationships") if "relationships" in row else ():
        ends = (item.get("subject_id"), item.get("object_id"))
        subject, target = (places.get(end) if isinstance(end, int) else None for end in ends)
        phrase = relation_phrase(str(item.get("predicate") or ""))
        part = f"relation {item.get('relationship_id')}"
        if subject is None or target is None or subject == target:
            parts.append(f"{part}: not between two objects of the image")
        elif phrase is None:
            parts.append(f"{part}: predicate {str(item.get('predicate'))[:60]!r}")
        else:
            relation = Relation(subject=subject, relation=phrase, object=target)
            found.setdefault((subject, target), relation)
    return list(found.values())


SOURCE = Source(
    "Visual Genome's region_descriptions.json → captions; scene_graphs.json → scene graphs",
    "a JSON list of images with image_id and objects, or with regions",
    of_input(json_list),
    convert,
)
