"""Preference pairs in TRL's conversational format, with margins (spec 2.2, 2.3, 4.2)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from schemas.base import Identifier, StrictModel

PairKind = Literal["reliability", "granularity"]


PromptText = Annotated[str, StringConstraints(min_length=1, max_length=200_000)]
"""A prompt may be made of several long texts: a question, a response, remarks on it."""


class ImagePart(StrictModel):
    """The place of the image in a prompt."""

    type: Literal["image"] = "image"


class TextPart(StrictModel):
    """A piece of text in a message."""

    type: Literal["text"] = "text"
    text: PromptText


class ChatMessage(StrictModel):
    """One chat message in TRL's multimodal form."""

    role: Literal["user", "assistant"]
    content: tuple[Annotated[ImagePart | TextPart, Field(discriminator="type")], ...]


class PairScores(StrictModel):
    """The metric the gap is computed from (P or gF1), of both texts."""

    metric: Literal["P", "gF1"]
    chosen: float
    rejected: float


class PreferencePair(StrictModel):
    """One training pair: `chosen` is preferred to `rejected` by at least `margin`."""

    id: Identifier
    images: tuple[str, ...]
    prompt: tuple[ChatMessage, ...]
    chosen: tuple[ChatMessage, ...]
    rejected: tuple[ChatMessage, ...]
    kind: PairKind
    gap: Annotated[float, Field(ge=0, le=1)]
    margin: Annotated[float, Field(ge=0)]
    scores: PairScores
