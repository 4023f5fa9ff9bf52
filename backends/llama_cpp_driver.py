"""A GGUF model on this machine: llama.cpp's server, in this process, on the loopback address."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

from pydantic import BaseModel

from backends.base import Capabilities, Completion, ModelRequest
from backends.fingerprints import file_fingerprint
from backends.litellm_driver import LiteLLMBackend
from backends.loading import Loading
from runtime.errors import ToolkitError
from schemas.config import LiteLLMConfig, LlamaCppConfig

_MAX_SLOTS = 4  # each holds a context of its own in memory; a CPU gains nothing from more
_LISTED = 200  # alternatives of a token, where they are to hold all choices


class _Running(NamedTuple):
    server: Any  # it stops when its last reference goes
    endpoint: LiteLLMBackend


class LlamaCppBackend:
    """Started by the first call, stopped by `close`; asked as an OpenAI-compatible endpoint."""

    def __init__(self, config: LlamaCppConfig) -> None:
        self.config = config
        self.capabilities = Capabilities(json_schema=True, logprobs=True, seed=True)
        self._running = Loading(self._start, ThreadPoolExecutor(1, thread_name_prefix="llama_cpp"))

    @cached_property
    def identity(self) -> str:
        """The file's content, or where on the hub it is from. Raises ToolkitError."""
        config = self.config
        if config.sha256:
            return f"llama_cpp:{config.sha256}"
        if config.gguf is None:
            return f"llama_cpp:{config.model}/{config.file}@{config.revision}"
        return f"llama_cpp:{file_fingerprint(_existing(config.gguf))}"

    async def load(self) -> None:
        """Fetch the model and start the server, where that is not done. Raises ToolkitError."""
        await self._running.get()

    async def complete(self, request: ModelRequest, output: type[BaseModel]) -> Completion:
        """Ask the model once. Raises ToolkitError."""
        endpoint = (await self._running.get()).endpoint  # an error's traceback holds no server
        return await endpoint.complete(request, output, **_held_to_choices(request))

    async def check(self) -> None:
        """llama.cpp is installed and a local file is there. Raises ToolkitError."""
        if importlib.util.find_spec("xllamacpp") is None:
            raise ToolkitError(
                "prerequisite",
                "the llama_cpp driver needs the package xllamacpp",
                'pip install "grainwise[local]"',
            )
        if self.config.gguf is not None:
            _existing(self.config.gguf)

    async def close(self) -> None:
        """Stop the server."""
        running = self._running.drop()
        if running:
            await running.endpoint.close()

    def _start(self) -> _Running:
        path = self._model_path()
        import xllamacpp

        slots = min(self.config.max_parallel, _MAX_SLOTS)
        params = xllamacpp.CommonParams()
        params.model.path = str(path)
        params.hostnames = ["127.0.0.1"]
        params.n_parallel = slots
        params.n_ctx = self.config.context * slots
        threads = self.config.threads or max(1, (os.cpu_count() or 2) - 1)  # one is the client's
        params.cpuparams.n_threads = params.cpuparams_batch.n_threads = threads
        params.ui = False
        params.verbosity = -1
        try:
            server = xllamacpp.Server(params)
        except Exception as error:  # it raises bare exceptions with llama.cpp's own words
            raise ToolkitError(
                "prerequisite",
                f"llama.cpp cannot load {path.name}: {error}",
                "check that the file is a whole GGUF and fits into memory, or lower `context`",
            ) from error
        address = f"{server.listening_address}/v1"
        shown = LiteLLMConfig(driver="litellm", model=f"hosted_vllm/{path.stem}", api_base=address)
        return _Running(server, LiteLLMBackend(shown, self.identity))

    def _model_path(self) -> Path:
        config = self.config
        path = Path(_existing(config.gguf)) if config.gguf else Path(self._download())
        if config.sha256:
            with path.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
            if found != config.sha256.lower():
                raise ToolkitError(
                    "prerequisite",
                    f"{path}: its sha256 is {found}, the config says {config.sha256}",
                    "delete the file to have it fetched again, or correct the config",
                )
        return path

    def _download(self) -> str:
        from huggingface_hub import hf_hub_download

        config = self.config
        try:
            return str(hf_hub_download(config.model, config.file, revision=config.revision))
        except Exception as error:  # network, name, rights: many types, one cure
            raise ToolkitError(
                "prerequisite",
                f"cannot fetch {config.file} from {config.model}: {error}",
                "check the names and the network, or give a local file as `gguf`",
            ) from error


def _held_to_choices(request: ModelRequest) -> dict[str, Any]:
    """A grammar that allows the request's choices only.

    llama.cpp lists the likeliest tokens as if there were no grammar, so that a choice the model
    would not have made by itself is far down.
    """
    if not request.choices:
        return {}
    grammar = {"grammar": "root ::= " + " | ".join(json.dumps(text) for text in request.choices)}
    return grammar | ({"top_logprobs": _LISTED} if request.top_logprobs else {})


def _existing(gguf: str) -> str:
    if not os.path.isfile(gguf):
        raise ToolkitError("prerequisite", f"no model file at {gguf}", "correct `gguf`")
    return gguf
