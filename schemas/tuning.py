"""FINER-Tuning: questions with an accepted and a rejected answer (FINER section 3, spec 3.6)."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from schemas.base import LongText, Record, ShortText, StrictModel
from schemas.preference import ChatMessage
from schemas.scene_graph import Relation, SceneObject, find_caption

TuningKind = Literal["obj", "attr", "rel", "wh"]
Polarity = Literal["positive", "negative"]

TUNING_KINDS: tuple[TuningKind, ...] = ("obj", "attr", "rel", "wh")


class TuningRecord(Record):
    """A caption, or a scene graph: a row with `objects` is not parsed again."""

    model_config = ConfigDict(extra="ignore", frozen=True)

    image: str
    caption: LongText | None = None
    objects: tuple[SceneObject, ...] | None = None
    relations: tuple[Relation, ...] = ()

    _caption = model_validator(mode="before")(find_caption)

    @model_validator(mode="after")
    def _has_content(self) -> Self:
        if self.caption is None and self.objects is None:
            raise ValueError("needs `caption` (a text) or `objects` (a scene graph)")
        return self


class Phrase(StrictModel):
    """Parts of one kind: objects, or attributes or relations of `head`.

    `parts` are the texts of the scene graph. Two phrases of a pair differ in exactly one of them.
    """

    head: ShortText | None = None
    parts: Annotated[tuple[ShortText, ...], Field(min_length=1)]
    targets: tuple[ShortText, ...] = Field(default=(), description="Of relations: their objects.")


class WhInput(StrictModel):
    """Two related objects, and the attribute of the second one that a question will hang on."""

    subject: ShortText
    subject_attributes: tuple[ShortText, ...] = ()
    relation: ShortText
    object: ShortText
    attribute: ShortText
    problem: str | None = None


class WhQuestion(StrictModel):
    """A question about the subject, with the slot `{attribute}` for the phrase of the object."""

    question: ShortText
    answer: ShortText


class TuningPair(Record):
    """One training tuple in TRL's conversational format, with what it was made of."""

    id: str
    images: tuple[str, ...]
    prompt: tuple[ChatMessage, ...]
    chosen: tuple[ChatMessage, ...]
    rejected: tuple[ChatMessage, ...]
    kind: TuningKind
    polarity: Polarity
    positive: Phrase
    negative: Phrase
    written_by: Literal["template", "model"] = "template"


class TuningPairs(Record):
    """What became of one image: its pairs, and why kinds are missing."""

    pairs: tuple[TuningPair, ...]
    missing: dict[TuningKind, str] = Field(default_factory=dict)
    excluded: bool = False
