"""CompreCap: `anno.json`, objects with descriptions and relations, written by people.

`info` has an object each: `category`, `short_description`, `extend_description` and `relation`, a
sentence or several. Its masks (`mask_out`) are left alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import PurePath
from typing import Any

from backends.rules.grammar import capitalized, plural
from benchmarks.sources.attributes import described
from benchmarks.sources.base import (
    BadRow,
    Imported,
    Request,
    Source,
    left_out,
    objects,
    of_input,
    text,
)
from benchmarks.sources.phrases import clean, noun_phrase, relation_phrase
from benchmarks.sources.readers import json_list
from schemas.scene_graph import Relation, SceneGraph, SceneObject

_PANOPTIC = re.compile(r"-(merged|other|stuff)\b")
_LAST_DETERMINER = re.compile(r"^(.*)\b(?:the|a|an|its|his|her|their|another|some)\b")


def convert(row: dict[str, Any], request: Request) -> Iterator[Imported]:
    """One scene graph; its caption is what the annotators wrote of all objects."""
    image = text(row, "image")
    identifier = PurePath(image).stem
    info = objects(row, "info")
    names = [noun_phrase(_PANOPTIC.sub("", text(item, "category"))) for item in info]
    if not names or None in names:
        raise BadRow("info: expected objects, each with a category")
    known = [name for name in names if name]
    things = [
        SceneObject(name=name, attributes=described(name, _description(item), known))
        for name, item in zip(known, info, strict=True)
    ]
    relations: dict[tuple[int, int], Relation] = {}
    parts: list[str] = []
    for index, item in enumerate(info):
        for sentence in _sentences(item.get("relation")):
            relation = read_relation(sentence, known, index)
            if relation is None:
                parts.append(f"{sentence[:200]!r} does not read SUBJECT RELATION OBJECT")
            else:
                relations.setdefault((relation.subject, relation.object), relation)
    yield SceneGraph(
        id=identifier,
        image=request.image(image),
        caption=_caption(info),
        objects=tuple(things),
        relations=tuple(relations.values()),
    )
    yield from left_out(identifier, parts)


def read_relation(sentence: str, names: Sequence[str], subject: int) -> Relation | None:
    """ "The cat is sitting on the wooden chair" as a relation of `names[subject]`.

    The object is the longest name that stands last in the sentence; of two objects of one name
    the first is meant, as the annotation does not tell them apart.
    """
    said = f" {clean(sentence)} "
    start = _find(said, names[subject])
    if start is None:
        return None
    ends = [
        (found[1], found[1] - found[0], -place)
        for place, name in enumerate(names)
        if place != subject and (found := _find(said, name, start[1], last=True))
    ]
    if not ends:
        return None
    end, length, place = max(ends)
    between = said[start[1] : end - length]
    cut = _LAST_DETERMINER.match(between)
    phrase = relation_phrase(cut[1] if cut else between)
    return Relation(subject=subject, relation=phrase, object=-place) if phrase else None


def _find(said: str, name: str, after: int = 0, last: bool = False) -> tuple[int, int] | None:
    """Where a name, or its plural, stands in a sentence."""
    forms = "|".join(re.escape(form) for form in (plural(name), name))
    found = list(re.finditer(rf"(?<![\w-])(?:{forms})(?![\w-])", said[after:]))
    if not found:
        return None
    match = found[-1 if last else 0]
    return after + match.start(), after + match.end()


def _description(item: dict[str, Any]) -> str:
    """The long one where there is one."""
    for key in ("extend_description", "short_description"):
        value = item.get(key)
        if isinstance(value, str) and value.strip():
            return " ".join(value.split())
    return ""


def _sentences(relation: object) -> list[str]:
    """A relation is a sentence or a list of them."""
    found = relation if isinstance(relation, list) else [relation]
    return [item.strip() for item in found if isinstance(item, str) and item.strip()]


def _caption(info: Sequence[dict[str, Any]]) -> str | None:
    texts = [_description(item) for item in info]
    texts += [sentence for item in info for sentence in _sentences(item.get("relation"))]
    sentences = [f"{capitalized(found.rstrip(' .'))}." for found in texts if found]
    return " ".join(dict.fromkeys(sentences)) or None


SOURCE = Source(
    "CompreCap's anno.json → scene graphs",
    "a JSON list of images with image and info (category, extend_description, relation)",
    of_input(json_list),
    convert,
    "images",
)
