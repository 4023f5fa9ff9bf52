"""The config file of `training.fgam`."""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import Field, model_validator

from schemas.base import ShortText, StrictModel

Weight = Annotated[float, Field(ge=0, allow_inf_nan=False)]


class LossWeights(StrictModel):
    """The λ of the total loss (FGAM section 3.2.3); 0 leaves a loss out.

    The paper's values cannot be read; 1 for each is rebuilt.
    """

    lambda_global: Weight = 1.0
    """InfoNCE of images and captions."""
    lambda_region: Weight = 1.0
    """InfoNCE of regions and their texts."""
    lambda_spatial: Weight = 1.0
    """Cross-entropy of how two regions lie."""

    @model_validator(mode="after")
    def _trains_something(self) -> Self:
        if self.lambda_global == self.lambda_region == self.lambda_spatial == 0:
            raise ValueError("expected a lambda above 0, all are 0")
        return self


class FgamConfig(LossWeights):
    """A file `training/configs/fgam-*.yaml`."""

    model: ShortText
    """Id on the Hugging Face hub, or a folder."""
    max_regions: Annotated[int, Field(ge=1)] = 8
    """Of an image with more regions as many are drawn in each epoch."""
    max_dropped: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Stop when more than this share of the captions or of the regions fails the checks."""
    train: Annotated[dict[str, Any], Field(default_factory=dict)]
    """Arguments of transformers' `TrainingArguments`, by their own names."""
