"""Models in this process, held to the schema while they decode, many requests at a time."""

from __future__ import annotations

import asyncio
import importlib.util
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Protocol

from pydantic import BaseModel

from backends.base import Capabilities, Completion, ModelRequest
from backends.fingerprints import folder_fingerprint
from backends.loading import Loading
from runtime.errors import ToolkitError
from schemas.config import OutlinesConfig

_GATHERING_S = 0.005  # requests that start together come one by one
_PACKAGES = {
    "transformers": ("outlines", "llguidance", "torch", "transformers"),
    "vllm": ("vllm",),
}
# By name: their packages are not loaded here, and safetensors' is a plain Exception.
_DAMAGED = {"SafetensorError", "JSONDecodeError", "UnpicklingError", "EOFError"}
_EXTRAS = {"transformers": "outlines", "vllm": "vllm"}


class Asked(NamedTuple):
    """A request and the schema of its answer."""

    request: ModelRequest
    output: type[BaseModel]


class Engine(Protocol):
    """A loaded model. It is made and asked in one thread."""

    def generate(self, batch: Sequence[Asked]) -> list[Completion | ToolkitError]:
        """The answers in the order of the batch. Any exception means that there is none."""
        ...

    def stop(self) -> None:
        """Give up what is being generated. Called from another thread."""
        ...


class _Waiting(NamedTuple):
    asked: Asked
    answer: asyncio.Future[Completion]


class OutlinesBackend:
    """Loaded by the first call. What waits while one batch is generated becomes the next one."""

    capabilities = Capabilities(json_schema=True, seed=True)

    def __init__(self, config: OutlinesConfig) -> None:
        self.config = config
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="outlines")
        self._engine: Loading[Engine] = Loading(lambda: load_engine(config), self._thread)
        self._waiting: list[_Waiting] = []
        self._worker: asyncio.Task[None] | None = None

    @cached_property
    def identity(self) -> str:
        """The content of a local folder, or the name on the hub; what decodes it, and how."""
        config = self.config
        folder = Path(config.model)
        local = folder.is_dir()
        model = folder_fingerprint(folder) if local else f"{config.model}@{config.revision}"
        return f"outlines:{config.engine}:{config.dtype}:{model}"

    async def load(self) -> None:
        """Load the model where it is not loaded yet. Raises ToolkitError (prerequisite)."""
        await self._engine.get()

    async def complete(self, request: ModelRequest, output: type[BaseModel]) -> Completion:
        """Ask the model once. Raises ToolkitError."""
        if request.images:
            hint = "use the driver litellm or a server for images"
            raise ToolkitError("capability", "the outlines driver shows no images", hint)
        engine = await self._engine.get()
        answer: asyncio.Future[Completion] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(Asked(request, output), answer))
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work(engine))
        return await answer

    async def check(self) -> None:
        """The packages of the engine are installed. Raises ToolkitError (prerequisite)."""
        engine = self.config.engine
        for package in _PACKAGES[engine]:
            if importlib.util.find_spec(package) is None:
                raise ToolkitError(
                    "prerequisite",
                    f"the engine {engine} of the outlines driver needs the package {package}",
                    f'pip install "grainwise[{_EXTRAS[engine]}]"',
                )

    async def close(self) -> None:
        """Drop the model and its thread."""
        if self._worker is not None:
            self._worker.cancel()
            self._worker = None
        engine = self._engine.drop()
        if engine is not None:
            engine.stop()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _work(self, engine: Engine) -> None:
        await asyncio.sleep(_GATHERING_S)
        while batch := self._next_batch():
            loop = asyncio.get_running_loop()
            answers = await loop.run_in_executor(
                self._thread, self._generate, engine, [one.asked for one in batch]
            )
            for one, answer in zip(batch, answers, strict=True):
                if one.answer.cancelled():
                    continue
                if isinstance(answer, Completion):
                    one.answer.set_result(answer)
                else:
                    one.answer.set_exception(answer)
            await asyncio.sleep(_GATHERING_S)

    def _next_batch(self) -> list[_Waiting]:
        """The longest waiting request with those that can share its batch."""
        batch: list[_Waiting] = []
        others: list[_Waiting] = []
        for one in self._waiting:
            if one.answer.cancelled():
                continue
            fits = not batch or self._kind(one.asked) == self._kind(batch[0].asked)
            (batch if fits and len(batch) < self.config.max_parallel else others).append(one)
        self._waiting = others
        return batch

    def _kind(self, asked: Asked) -> object:
        """Equal for requests that can be generated together: vLLM takes any."""
        if self.config.engine == "vllm":
            return None
        sampling = asked.request.sampling
        return asked.output, asked.request.choices, sampling.temperature, sampling.max_tokens

    def _generate(self, engine: Engine, batch: list[Asked]) -> list[Completion | ToolkitError]:
        try:
            return engine.generate(batch)
        except ToolkitError as error:
            return [error] * len(batch)
        except Exception as error:  # out of memory, or a prompt it cannot take: of many types
            if len(batch) > 1:  # one that fails does not take the others with it
                return [answer for asked in batch for answer in self._generate(engine, [asked])]
            reason = " ".join(str(error).split())[:300]
            message = f"{self.config.model} cannot answer: {type(error).__name__}: {reason}"
            return [ToolkitError("bad_request", message, "lower max_parallel or max_tokens")]


def load_engine(config: OutlinesConfig) -> Engine:
    """The model of a profile, loaded. Raises ToolkitError (prerequisite)."""
    try:
        if config.engine == "vllm":
            from backends.vllm_engine import VLLMEngine

            return VLLMEngine(config)
        from backends.transformers_engine import TransformersEngine

        return TransformersEngine(config)
    except ToolkitError:
        raise
    except Exception as error:  # of any type; what cannot be loaded answers no record
        reason = " ".join(str(error).split())[:300] or type(error).__name__
        message = f"{config.engine} cannot load {config.model}: {reason}"
        hint = "check `model`, `revision` and `device`, the network, and the memory it needs"
        if type(error).__name__ in _DAMAGED:
            hint = f"files of the model are damaged: download them again{_download(config)}"
        raise ToolkitError("prerequisite", message, hint) from error


def _download(config: OutlinesConfig) -> str:
    """How, for a model of the hub: what is there already would else be taken for whole."""
    if Path(config.model).is_dir():
        return ""
    return f" with `hf download {config.model} --revision {config.revision} --force-download`"
