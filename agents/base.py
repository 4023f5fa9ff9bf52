"""What an agent is: a prompt, an input model, an output model, and the backend it is given."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from asyncio import FIRST_EXCEPTION
from collections import Counter, defaultdict
from collections.abc import Callable, Coroutine, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Generic, TypeVar

from pydantic import BaseModel

from backends.base import Capabilities, ImageInput, Message, ModelRequest, Sampling
from backends.client import Parsed
from backends.images import open_image
from backends.registry import Backends
from prompts import Prompt, load_prompt
from runtime.errors import PendingError, ToolkitError
from schemas.base import Record
from schemas.config import BackendConfig

In = TypeVar("In", bound=Record)
Out = TypeVar("Out", bound=BaseModel)
T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)


class AgentContext:
    """What an agent may use for one record besides the record: the backends and the seed.

    `folder` is what image paths are relative to; images of the web are fetched into `downloads`,
    and not at all where this is None. `answers` counts the answers taken, by backend
    and by the model id its provider returned; `latency` has number and seconds of the live calls
    of each step.
    """

    def __init__(
        self,
        backends: Backends,
        seed: int = 17,
        folder: Path = Path(),
        downloads: Path | None = None,
    ) -> None:
        self._backends = backends
        self.seed = seed
        self.folder = folder
        self._downloads = downloads
        self.answers: Counter[str] = Counter()
        self.latency: defaultdict[str, float] = defaultdict(float)

    async def ask(
        self,
        step: str,
        inputs: BaseModel,
        output: type[M],
        *,
        legend: str = "",
        images: tuple[ImageInput, ...] = (),
        validate: Callable[[M], None] | None = None,
    ) -> M:
        """Put `inputs` to the backend of `step` under the prompt of the same name.

        `legend` repeats the inputs in a form that is easier to refer to. `validate` raises
        ToolkitError("semantic") for an answer that fits the schema and is wrong all the same.
        Raises ToolkitError when no valid answer could be had.
        """
        request = self.request(step, inputs, legend=legend)
        request = request.model_copy(update={"images": images})
        return (await self.send(step, request, output, validate)).value

    def request(
        self, step: str, inputs: BaseModel, *, legend: str = "", backend_of: str = ""
    ) -> ModelRequest:
        """The request for one step, to be put to its backend or that of another step."""
        profile = self.profile(backend_of or step)
        return build_request(self.prompt(step), inputs, profile, self.seed, legend)

    def prompt(self, step: str) -> Prompt:
        """The user's own prompt of a step where there is one, else the built-in one."""
        return load_prompt(step, self._backends.config.prompts)

    async def send(
        self,
        step: str,
        request: ModelRequest,
        output: type[M],
        validate: Callable[[M], None] | None = None,
    ) -> Parsed[M]:
        """Put a request of one's own making to the backend of `step`. Raises ToolkitError."""
        parsed = await self._backends.client(step).structured(request, output, validate)
        name = self._backends.config.backend_name(step)
        self.answers[f"answers {name} {parsed.completion.model}"] += 1
        if not parsed.cached and parsed.completion.seconds is not None:
            self.latency[f"live:{step}"] += 1
            self.latency[f"seconds:{step}"] += parsed.completion.seconds
        return parsed

    def profile(self, step: str) -> BackendConfig:
        """The config of the backend of `step`."""
        return self._backends.client(step).config

    def capabilities(self, step: str) -> Capabilities:
        """What the backend of `step` can do."""
        return self._backends.client(step).backend.capabilities

    async def image(self, path: str) -> ImageInput:
        """An image of a record, to be shown. Raises ToolkitError("image") if it cannot be read."""
        return await asyncio.to_thread(open_image, path, self.folder, self._downloads)


def build_request(
    prompt: Prompt, inputs: BaseModel, profile: BackendConfig, seed: int, legend: str = ""
) -> ModelRequest:
    """The request for one step: its prompt as system message, the inputs as user message."""
    return ModelRequest(
        task=prompt.id,
        prompt_version=prompt.version,
        inputs=inputs,
        messages=(
            Message(role="system", content=prompt.text),
            Message(role="user", content=user_text(inputs, legend)),
        ),
        sampling=Sampling(
            temperature=profile.temperature, max_tokens=profile.max_tokens, seed=seed
        ),
    )


def mean_latency(totals: Mapping[str, float], steps: Iterable[str]) -> dict[str, float]:
    """Mean seconds of a live call of each step, from sums of `AgentContext.latency`."""
    return {
        step: totals[f"seconds:{step}"] / totals[f"live:{step}"]
        for step in steps
        if totals.get(f"live:{step}")
    }


class Agent(ABC, Generic[In, Out]):
    """Turns one typed record into another."""

    name: ClassVar[str]
    steps: tuple[str, ...]
    """What the agent asks; each step may have a backend of its own, and mostly has a prompt."""
    needs: Mapping[str, set[str]] = MappingProxyType({})
    """Capabilities that a step's backend must have: `{"discriminator": {"vision"}}`."""
    votes: Mapping[str, int] = MappingProxyType({})
    """Calls in place of one of a step where its backend gives no log-probabilities."""
    settings: Mapping[str, Any] = MappingProxyType({})
    """What the agent's own flags were set to: plain JSON values, part of the run's identity."""

    def check(self) -> None:
        """Raises ToolkitError for what would fail every record, before anything is written."""

    @abstractmethod
    async def run(self, item: In, context: AgentContext) -> Out:
        """Do the work for one record. Raises ToolkitError when it cannot be done."""

    @abstractmethod
    def estimate(self, item: In) -> dict[str, int]:
        """Roughly how many calls of each step the record needs, before anything is asked."""


def user_text(inputs: BaseModel, legend: str = "") -> str:
    """The inputs as delimited JSON. `<` is escaped, so no input can close the delimiter."""
    data = inputs.model_dump_json().replace("<", "\\u003c")
    return f"<input>\n{data}\n</input>" + (f"\n\n{legend.replace('<', '‹')}" if legend else "")


async def gather(calls: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """Run the calls at once, in order of the results.

    Where one fails, the others are still awaited, since their answers are paid for and the next
    attempt at the record finds them in the cache; what ends the run cancels them. Raises what ends
    the run, else the first failure.
    """
    tasks: list[asyncio.Task[T]] = [asyncio.create_task(call) for call in calls]
    waiting: set[asyncio.Task[T]] = set(tasks)
    try:
        while waiting:
            finished, waiting = await asyncio.wait(waiting, return_when=FIRST_EXCEPTION)
            if any(map(_ends_the_run, finished)):
                break
    finally:
        for task in waiting:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    failed = [task for task in tasks if task.cancelled() or task.exception()]
    for task in sorted(failed, key=_rank):
        task.result()  # raises
    return [task.result() for task in tasks]


def _rank(task: asyncio.Task[Any]) -> int:
    """What ends the run, then what fails the record, then what it waits for."""
    if task.cancelled():
        return 3
    if _ends_the_run(task):
        return 0
    return 1 if isinstance(task.exception(), ToolkitError) else 2


def _ends_the_run(task: asyncio.Task[Any]) -> bool:
    error = task.exception()
    if isinstance(error, ToolkitError):
        return error.exit_code is not None
    return error is not None and not isinstance(error, PendingError)
