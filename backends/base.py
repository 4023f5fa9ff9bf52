"""What is asked of a model, what it answers, and the protocol a driver fulfils."""

from __future__ import annotations

import hashlib
import json
from functools import lru_cache
from typing import Annotated, Literal, Protocol, runtime_checkable

from pydantic import AfterValidator, BaseModel, Field, SerializeAsAny

from backends.rate_headers import RateLimits
from schemas.base import StrictModel

FinishReason = Literal["stop", "length", "refusal"]


def _writable(text: str) -> str:
    """Half of a surrogate pair, which JSON can hold and UTF-8 cannot, becomes a question mark."""
    return text.encode("utf-8", "replace").decode()


ProviderText = Annotated[str, AfterValidator(_writable)]
TokenCount = Annotated[int, Field(ge=0, le=2**40)]


class PlainText(StrictModel):
    """An answer that is not JSON: the completion's own text."""

    text: str


class Capabilities(StrictModel):
    """What a backend can do. A `language_model` answers any prompt, not only tasks it knows."""

    language_model: bool = True
    vision: bool = False
    json_schema: bool = False
    logprobs: bool = False
    seed: bool = False


class ImageInput(StrictModel):
    """An image to show: the digest of its bytes is part of the cache key, its path is not."""

    digest: str
    path: str = Field(exclude=True)


class Message(StrictModel):
    """One chat message of plain text."""

    role: Literal["system", "user", "assistant"]
    content: str


class Sampling(StrictModel):
    """How the answer is drawn."""

    temperature: float = 0.0
    max_tokens: int = 2048
    seed: int | None = None


class ModelRequest(StrictModel):
    """One question to a model. Everything that can change the answer is in the cache key.

    An LLM driver reads `messages` (and `images`, shown with the last user message); the
    `rules` driver reads `task` and `inputs`. `choices` are the only texts that count as an answer:
    a backend that can constrain its output to them does, and what else it says is cut off.
    """

    task: str
    prompt_version: str
    inputs: SerializeAsAny[BaseModel]
    messages: tuple[Message, ...]
    images: tuple[ImageInput, ...] = ()
    choices: tuple[str, ...] = ()
    sampling: Sampling = Sampling()
    top_logprobs: int = 0
    sample_index: int = 0

    def cache_key(self, backend: str, output: type[BaseModel]) -> str:
        """Hex sha256 over the request, the backend's identity and the output schema."""
        text = f"{backend}\n{schema_digest(output)}\n{self.model_dump_json()}"
        return hashlib.sha256(text.encode()).hexdigest()


class TokenUsage(StrictModel):
    """Tokens of one call, as the provider counted them, and US dollars."""

    prompt_tokens: TokenCount = 0
    completion_tokens: TokenCount = 0
    cost_usd: float = 0.0


class TokenLogprob(StrictModel):
    """One generated token with its most likely alternatives (natural logarithms)."""

    token: ProviderText
    logprob: float
    top: dict[ProviderText, float] = Field(default_factory=dict)


class Completion(StrictModel):
    """A provider's raw answer."""

    text: ProviderText
    finish_reason: FinishReason = "stop"
    model: ProviderText
    usage: TokenUsage = TokenUsage()
    logprobs: tuple[TokenLogprob, ...] | None = None
    seconds: float | None = Field(default=None, exclude=True)
    """How long the provider took; None of an answer from the cache."""
    limits: RateLimits | None = Field(default=None, exclude=True)
    """The quota that the answer's headers stated."""


class Backend(Protocol):
    """One provider call: no retry, no cache."""

    @property
    def identity(self) -> str:
        """What tells its answers from another model's: part of every cache key."""
        ...

    @property
    def capabilities(self) -> Capabilities:
        """What it can do. Reading it may import a library; nothing is asked of the model."""
        ...

    async def complete(self, request: ModelRequest, output: type[BaseModel]) -> Completion:
        """Ask the model once. Raises ToolkitError."""
        ...

    async def check(self) -> None:
        """Fail fast, before money is spent: key present, endpoint up. Raises ToolkitError."""
        ...

    async def close(self) -> None:
        """Release sessions and servers."""
        ...


@runtime_checkable
class Loads(Protocol):
    """A backend whose model must be there before it can be asked, which may take any time."""

    async def load(self) -> None:
        """Download the model, load it, start its server; at once where that is done.

        Awaited before each call and not counted as part of it. Raises ToolkitError.
        """
        ...


@lru_cache(maxsize=256)
def schema_digest(output: type[BaseModel]) -> str:
    """Hex sha256 of a model's JSON schema."""
    text = json.dumps(output.model_json_schema(), sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
