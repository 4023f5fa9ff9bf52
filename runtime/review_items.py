"""What a reviewer decides on: the items of a file, and the rows that are left of them.

An item of `scene_graphs.jsonl` and of `pairs.jsonl` is a row, of `negatives.jsonl` an element with
its four negatives, of `verdicts.jsonl` an element's verdict of round 1, and of a CSV file of
questions a pair of rows, or a row where there are no pairs.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

from schemas.review import ReviewedElement
from schemas.scene_graph import (
    NEGATIVES,
    DroppedElement,
    Element,
    NegatedGraph,
    elements,
    with_negatives,
)

Row = dict[str, Any]
"""A row as it stands in its file, before any model has looked at it."""

NEGATIVES_FILE, VERDICTS_FILE = "negatives.jsonl", "verdicts.jsonl"


class Item(NamedTuple):
    """What one decision is about. `content` is plain JSON: a row, rows, or part of a row."""

    id: str
    content: Any

    @property
    def sha256(self) -> str:
        """Hex digest of the content, by which a decision knows its item again."""
        return digest(self.content)


def digest(content: Any) -> str:
    """Hex sha256 of a JSON value; the order of keys does not matter."""
    text = json.dumps(content, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def groups(name: str, rows: Iterable[tuple[int, Row]]) -> Iterator[list[tuple[int, Row]]]:
    """Rows of a file with their lines, those together that are decided on together."""
    if not name.endswith(".csv"):
        yield from ([row] for row in rows)
        return
    pair: list[tuple[int, Row]] = []
    for number, row in rows:
        pair.append((number, row))
        if len(pair) == 2 or not str(row.get("qtype")).endswith(("_pos", "_neg")):
            yield pair
            pair = []
    if pair:
        yield pair


def items(name: str, group: Sequence[Row]) -> list[Item]:
    """The items of one group. Raises ValidationError for a row that is none of its file."""
    row = group[0]
    if name.endswith(".csv"):
        content = list(group)
        stem = str(row.get("qtype")).removesuffix("_pos").removesuffix("_neg")
        return [Item(f"{stem}:{digest(content)[:16]}", content)]
    if name == NEGATIVES_FILE:
        graph = NegatedGraph.model_validate(row)
        return [Item(_element_id(graph, one), _shown(graph, one)) for one in _with_negatives(graph)]
    if name == VERDICTS_FILE and row.get("round") != 1:
        return []
    return [Item(str(row.get("id") or digest(row)[:16]), row)]


def remaining(name: str, group: Sequence[Row], accepted: Sequence[Any]) -> list[Row]:
    """The rows of a group, with only what was accepted of `items`, in the accepted form.

    `accepted` has a content for each item, None for one that is left out. A graph stays, without
    the negatives of elements that are left out, so that no question is made of them.
    """
    if name != NEGATIVES_FILE:
        [content] = accepted or [None]
        return [] if content is None else content if isinstance(content, list) else [content]
    graph = NegatedGraph.model_validate(group[0])
    listed = list(zip(_with_negatives(graph), accepted, strict=True))
    kept = {
        one.place: ReviewedElement.model_validate(content).negatives
        for one, content in listed
        if content is not None
    }
    dropped = tuple(
        DroppedElement(kind=one.kind, text=one.text, reason="not accepted by a reviewer")
        for one, content in listed
        if content is None
    )
    left = with_negatives(graph, kept, graph.dropped + dropped)
    left = left.model_copy(update={"tested_against": graph.tested_against})
    return [left.model_dump(mode="json")]


def _with_negatives(graph: NegatedGraph) -> Iterator[Element]:
    return (one for one in elements(graph) if len(one.negatives) == NEGATIVES)


def _element_id(graph: NegatedGraph, element: Element) -> str:
    """As the verdicts name it, without the round: `cat/attribute/0.2`."""
    inner = "" if element.attribute is None else f".{element.attribute}"
    return f"{graph.id}/{element.kind}/{element.index}{inner}"


def _shown(graph: NegatedGraph, element: Element) -> Row:
    return {
        "image": graph.image,
        "kind": element.kind,
        "text": element.text,
        "subject": element.subject,
        "object": element.object,
        "negatives": list(element.negatives),
    }
