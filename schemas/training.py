"""What the training scripts read: rows of training data, and the config file."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AliasChoices, ConfigDict, Field, field_validator

from schemas.base import Identifier, StrictModel
from schemas.preference import ChatMessage


class TrainingRow(StrictModel):
    """A row of `pairs.jsonl`, or of a file for SFT with `completion` in place of `chosen`.

    Other keys of the row are left alone. `images` are paths relative to the file.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    id: Identifier | None = None
    images: tuple[str, ...] = ()
    prompt: tuple[ChatMessage, ...]
    chosen: Annotated[
        tuple[ChatMessage, ...], Field(validation_alias=AliasChoices("chosen", "completion"))
    ]
    rejected: tuple[ChatMessage, ...] | None = None
    kind: str | None = None
    margin: float | None = None


class LoraSettings(StrictModel):
    """The adapter that is trained. Its base model is the reference of DPO and RP-DPO."""

    rank: Annotated[int, Field(ge=1)] = 32
    alpha: Annotated[int, Field(ge=1)] = 32
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    target_modules: str | tuple[str, ...] = "all-linear"
    exclude_modules: str | None = None
    """Regular expression on whole module names, such as those of the vision encoder."""


class TrainConfig(StrictModel):
    """A file in `training/configs`."""

    model: str
    """Id on the Hugging Face hub, or a folder."""
    lora: LoraSettings | None = LoraSettings()
    """`null` trains all weights."""
    text_only: bool = False
    """Leave the images out, to train a model without vision."""
    held_out: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the images (of the prompts, where there are none) kept for evaluation."""
    max_dropped: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Stop when more than this share of the rows fails the checks."""
    trl: Annotated[dict[str, Any], Field(default_factory=dict)]
    """Arguments of TRL's config class, by their own names."""

    @field_validator("model")
    @classmethod
    def _not_empty(cls, model: str) -> str:
        if not model.strip():
            raise ValueError("expected the id or the folder of a model")
        return model
