"""Scene graphs and their negatives: what a caption says, and what it could be mistaken for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from schemas.base import LongText, Record, ShortText, StrictModel

ElementKind = Literal["object", "attribute", "relation"]

Index = Annotated[int, Field(strict=True, ge=0)]

Negatives = Annotated[tuple[ShortText, ...], Field(max_length=4)]
"""Four wrong alternatives of one element; none where the element was dropped."""

NEGATIVES = 4


def find_caption(row: Any) -> Any:
    """A row of a caption file with its text under `caption`, whatever it is called there."""
    if isinstance(row, dict) and not row.get("caption"):
        found = next((key for key in ("reference", "text") if row.get(key)), None)
        return row | {"caption": row[found]} if found else row
    return row


class CaptionRecord(Record):
    """One caption of one image. Other keys of the row are left alone: captions come from
    everywhere. `reference` or `text` is taken where there is no `caption`.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    image: str
    caption: LongText

    _caption = model_validator(mode="before")(find_caption)


class SceneObject(StrictModel):
    """One object: its noun phrase without article, and phrases that read after "with"."""

    name: ShortText = Field(description="Noun phrase without article, number or attributes.")
    attributes: Annotated[tuple[ShortText, ...], Field(max_length=40)] = Field(
        default=(), description='Each reads after "the NAME with" or directly after "the NAME".'
    )


class Relation(StrictModel):
    """`objects[subject]` RELATION `objects[object]`; the phrase reads after "that is"."""

    subject: Index
    relation: ShortText = Field(description='Such as "is looking out of" or "leaning against".')
    object: Index


class SceneGraphAnswer(StrictModel):
    """What the caption parser answers."""

    objects: Annotated[tuple[SceneObject, ...], Field(max_length=60)]
    relations: Annotated[tuple[Relation, ...], Field(max_length=120)]

    @model_validator(mode="after")
    def _ends_exist(self) -> Self:
        _check_relations(self.relations, len(self.objects))
        return self


class SceneGraph(Record):
    """One row of `scene_graphs.jsonl` (FINER section 2.2, spec 3.5)."""

    image: str
    caption: LongText | None = None
    objects: tuple[SceneObject, ...]
    relations: tuple[Relation, ...] = ()

    @model_validator(mode="after")
    def _ends_exist(self) -> Self:
        _check_relations(self.relations, len(self.objects))
        return self


class NegatedObject(SceneObject):
    """An object with its negatives; `attribute_negatives` stand beside `attributes`."""

    negatives: Negatives = ()
    attribute_negatives: tuple[Negatives, ...] = ()

    @model_validator(mode="after")
    def _one_set_each(self) -> Self:
        if len(self.attribute_negatives) != len(self.attributes):
            raise ValueError("`attribute_negatives` needs one list for each attribute")
        return self


class NegatedRelation(Relation):
    """A relation with its negatives."""

    negatives: Negatives = ()


class DroppedElement(StrictModel):
    """An element that has no four valid negatives, and why."""

    kind: ElementKind
    text: ShortText
    reason: str


class NegatedGraph(Record):
    """One row of `negatives.jsonl`: the graph with four negatives beside each element.

    An element that was dropped has an empty list and stands in `dropped`.
    `tested_against` says what the discriminator had: the image, or only the caption.
    """

    image: str
    caption: LongText | None = None
    objects: tuple[NegatedObject, ...]
    relations: tuple[NegatedRelation, ...] = ()
    dropped: tuple[DroppedElement, ...] = ()
    tested_against: Literal["image", "caption"] | None = None

    @model_validator(mode="after")
    def _ends_exist(self) -> Self:
        _check_relations(self.relations, len(self.objects))
        return self


Place = tuple[ElementKind, int, int | None]
"""Where an element stands: its kind, the index of the object or relation, that of the attribute."""


@dataclass(frozen=True, slots=True)
class Element:
    """One element of a graph. `index` counts objects or relations, `attribute` attributes."""

    kind: ElementKind
    index: int
    attribute: int | None
    text: str
    subject: str | None
    """Owner of an attribute, subject of a relation."""
    object: str | None
    """What a relation points at."""
    negatives: tuple[str, ...]

    @property
    def place(self) -> Place:
        """Where it stands in its graph."""
        return self.kind, self.index, self.attribute


def with_negatives(
    graph: SceneGraph | NegatedGraph,
    negatives: Mapping[Place, tuple[str, ...]],
    dropped: tuple[DroppedElement, ...],
) -> NegatedGraph:
    """The graph with these negatives, and none for an element that is not among them."""
    return NegatedGraph(
        id=graph.id,
        image=graph.image,
        caption=graph.caption,
        objects=tuple(
            NegatedObject(
                name=item.name,
                attributes=item.attributes,
                negatives=negatives.get(("object", index, None), ()),
                attribute_negatives=tuple(
                    negatives.get(("attribute", index, place), ())
                    for place in range(len(item.attributes))
                ),
            )
            for index, item in enumerate(graph.objects)
        ),
        relations=tuple(
            NegatedRelation(
                subject=item.subject,
                relation=item.relation,
                object=item.object,
                negatives=negatives.get(("relation", index, None), ()),
            )
            for index, item in enumerate(graph.relations)
        ),
        dropped=dropped,
    )


def elements(graph: SceneGraph | NegatedGraph) -> Iterator[Element]:
    """All objects with their attributes, then all relations."""
    for index, item in enumerate(graph.objects):
        has = item if isinstance(item, NegatedObject) else None
        yield Element("object", index, None, item.name, None, None, has.negatives if has else ())
        for place, text in enumerate(item.attributes):
            wrong = has.attribute_negatives[place] if has else ()
            yield Element("attribute", index, place, text, item.name, None, wrong)
    for index, relation in enumerate(graph.relations):
        subject = graph.objects[relation.subject].name
        target = graph.objects[relation.object].name
        wrong = relation.negatives if isinstance(relation, NegatedRelation) else ()
        yield Element("relation", index, None, relation.relation, subject, target, wrong)


def _check_relations(relations: tuple[Relation, ...], objects: int) -> None:
    for index, relation in enumerate(relations):
        for name in ("subject", "object"):
            if getattr(relation, name) >= objects:
                raise ValueError(f"relations[{index}].{name}: there are only {objects} objects")
        if relation.subject == relation.object:
            raise ValueError(f"relations[{index}]: an object has no relation to itself")
