"""What the training scripts read: rows of training data, and the config file."""

from __future__ import annotations

from typing import Annotated, Any, Literal, Self

from pydantic import AliasChoices, ConfigDict, Field, field_validator, model_validator

from schemas.base import Identifier, StrictModel
from schemas.preference import ChatMessage

_CRITIC = "agents.critic_reward:consistency"


class PromptRow(StrictModel):
    """A row of `rl.jsonl`: a prompt to answer. `images` are paths relative to the file.

    All other keys of the row go to the reward function.
    """

    model_config = ConfigDict(extra="allow", frozen=True)

    id: Identifier | None = None
    images: tuple[str, ...] = ()
    prompt: tuple[ChatMessage, ...]


class TrainingRow(PromptRow):
    """A row of `pairs.jsonl`, or of a file for SFT with `completion` in place of `chosen`.

    Other keys of the row are left alone.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

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


class Policy(StrictModel):
    """What is trained."""

    model: str
    """Id on the Hugging Face hub, or a folder: of a model, or of an adapter that is trained on."""
    lora: LoraSettings | None = LoraSettings()
    """`null` trains all weights. An adapter that is trained on keeps its own settings."""
    text_only: bool = False
    """Leave the images out, to train a model without vision."""

    @field_validator("model")
    @classmethod
    def _not_empty(cls, model: str) -> str:
        if not model.strip():
            raise ValueError("expected the id or the folder of a model")
        return model


class TrainSettings(StrictModel):
    """How one training goes."""

    held_out: Annotated[float, Field(ge=0, lt=1)] = 0.0
    """Share of the images (of the prompts, where there are none) kept for evaluation."""
    max_dropped: Annotated[float, Field(ge=0, le=1)] = 0.1
    """Stop when more than this share of the rows fails the checks."""
    trl: Annotated[dict[str, Any], Field(default_factory=dict)]
    """Arguments of TRL's config class, by their own names."""


class RLSettings(TrainSettings):
    """How reinforcement learning goes (FGAM section 3.3.3)."""

    method: Literal["grpo", "rloo"] = "grpo"
    reward: str = _CRITIC
    """`MODULE:FUNCTION` of a reward function as TRL calls it."""
    reward_config: str | None = None
    """A file, relative to the config, that the reward function is opened with first."""
    max_prompt_length: Annotated[int, Field(ge=1)] | None = None
    """Prompts of more tokens, those of images included, are dropped."""

    @field_validator("reward")
    @classmethod
    def _names_a_function(cls, reward: str) -> str:
        module, _, function = reward.partition(":")
        if not module or not function.isidentifier():
            raise ValueError(f"expected MODULE:FUNCTION, such as {_CRITIC}")
        return reward

    @model_validator(mode="after")
    def _critic_has_a_backend(self) -> Self:
        if self.reward == _CRITIC and self.reward_config is None:
            raise ValueError("reward_config: the critic needs a config that says which model it is")
        return self


class TrainConfig(TrainSettings, Policy):
    """A file in `training/configs`."""


class RLConfig(RLSettings, TrainConfig):
    """A file in `training/configs` for `training.rl`."""


class HybridConfig(Policy):
    """A file in `training/configs` for `training.hybrid`: both trainings of one model."""

    sft: TrainSettings
    rl: RLSettings
