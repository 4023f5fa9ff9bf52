"""The config file: named backends, which agent uses which, and how a run behaves."""

from __future__ import annotations

import math
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, model_validator

from schemas.base import StrictModel

Positive = Annotated[int, Field(gt=0)]
MAX_ENTROPY = math.log(5)
"""Of five options, in nats."""
StructuredMode = Literal["auto", "json_schema", "json", "prompt"]


def _endpoint(text: str) -> str:
    try:
        parts = urlsplit(text)
        known = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # of a port that is none, too
        known = False
    if not known:
        raise ValueError("expected a URL like http://localhost:8000/v1")
    return text


class Price(StrictModel):
    """US dollars for a million tokens."""

    input: Annotated[float, Field(ge=0)]
    output: Annotated[float, Field(ge=0)]


class BackendConfig(StrictModel):
    """Fields every driver takes: limits and the sampling of its calls.

    An endpoint that answers nothing is waited for up to `dead_after_s`; then the run stops.
    """

    max_parallel: Positive = 16
    rpm: Positive | None = None
    tpm: Positive | None = None
    timeout_s: Annotated[float, Field(gt=0)] = 120.0
    dead_after_s: Annotated[float, Field(gt=0)] = 600.0
    price: Price | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] = 0.0
    max_tokens: Positive = 2048


class RulesConfig(BackendConfig):
    """Classical NLP: no key, no download, no GPU."""

    driver: Literal["rules"]


class LiteLLMConfig(BackendConfig):
    """Any model LiteLLM can reach: `model` is its id, `api_base` an own endpoint.

    A call of `--batch` costs `batch_price` of what a live one does.
    """

    driver: Literal["litellm"]
    model: str
    api_base: Annotated[str, AfterValidator(_endpoint)] | None = None
    api_key_env: str | None = None
    structured: StructuredMode = "auto"
    vision: bool | None = None
    logprobs: bool | None = None
    batch_price: Annotated[float, Field(ge=0)] = 0.5


class LlamaCppConfig(BackendConfig):
    """A GGUF served by llama.cpp on this machine: `gguf` path, or hub `model` + `file`."""

    driver: Literal["llama_cpp"]
    gguf: str | None = None
    model: str | None = None
    file: str | None = None
    revision: str = "main"
    sha256: str | None = None
    context: Positive = 8192
    threads: Positive | None = None
    max_parallel: Positive = 2

    @model_validator(mode="after")
    def _has_source(self) -> Self:
        if (self.gguf is None) == (self.model is None or self.file is None):
            raise ValueError("needs either `gguf` (a path) or `model` and `file` (hub repository)")
        return self


class OutlinesConfig(BackendConfig):
    """A model of the Hugging Face hub in this process, held to the schema while it decodes.

    `max_parallel` is the number of requests generated together. `context` bounds the tokens of a
    prompt with its answer; None is what the model was made for.
    """

    driver: Literal["outlines"]
    engine: Literal["transformers", "vllm"] = "transformers"
    model: str
    revision: str = "main"
    dtype: Literal["auto", "float32", "float16", "bfloat16"] = "auto"
    device: str | None = None
    context: Positive | None = None

    @model_validator(mode="after")
    def _device_is_for_transformers(self) -> Self:
        if self.device is not None and self.engine == "vllm":
            raise ValueError("`device` is for the engine transformers; vllm chooses its own")
        return self


class FakeConfig(BackendConfig):
    """Scripted answers and faults, for tests: `script` is a JSON file."""

    driver: Literal["fake"]
    script: str | None = None
    vision: bool = False


AnyBackendConfig = Annotated[
    RulesConfig | LiteLLMConfig | LlamaCppConfig | OutlinesConfig | FakeConfig,
    Field(discriminator="driver"),
]


class RunConfig(StrictModel):
    """How a run behaves, whatever it runs."""

    seed: Annotated[int, Field(ge=0)] = 17
    budget_usd: Annotated[float, Field(gt=0)] | None = None
    max_error_rate: Annotated[float, Field(ge=0, le=1)] = 0.1
    cache: str = ".cache/grainwise"


class DiscriminatorConfig(StrictModel):
    """When an element is ambiguous, and how long that is worked on.

    `max_entropy` in nats over five options, `regenerate_above` a probability; `votes` are samples
    of one question where the backend gives no log-probabilities.
    """

    max_entropy: Annotated[float, Field(ge=0, le=MAX_ENTROPY)] = 0.5
    regenerate_above: Annotated[float, Field(ge=0, le=1)] = 0.1
    max_rounds: Positive = 3
    votes: Positive = 8


class Config(StrictModel):
    """The whole file. An empty one is valid: every agent on `rules`.

    `prompts` is a folder whose files replace the built-in prompts of the same name.
    """

    backends: dict[str, AnyBackendConfig] = Field(default_factory=dict)
    agents: dict[str, str] = Field(default_factory=lambda: {"default": "rules"})
    prompts: str | None = None
    run: RunConfig = RunConfig()
    discriminator: DiscriminatorConfig = DiscriminatorConfig()

    def backend_name(self, agent: str) -> str:
        """Name of the backend that `agent` uses."""
        return self.agents.get(agent, self.agents.get("default", "rules"))

    def backend(self, agent: str) -> BackendConfig:
        """Profile of the backend that `agent` uses; `rules` needs no entry.

        Raises KeyError when the name stands for no backend.
        """
        name = self.backend_name(agent)
        if name == "rules" and name not in self.backends:
            return RulesConfig(driver="rules")
        return self.backends[name]
