"""From the config to clients: one backend, one limiter and one client for each profile."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING

from backends.base import Backend
from backends.cache import Cache
from backends.client import ModelClient
from backends.usage import UsageMeter
from runtime.errors import ToolkitError
from schemas.config import (
    BackendConfig,
    Config,
    FakeConfig,
    LiteLLMConfig,
    LlamaCppConfig,
    OutlinesConfig,
    RulesConfig,
)

if TYPE_CHECKING:
    from backends.batch import Batches, BatchQueue

_CURES = {
    "language_model": "configure a model, and choose it with --backend AGENT=NAME",
    "vision": "use a vision model, set `vision: true` if this one sees images, or run with "
    "--text-only where the command has it",
    "logprobs": "use a model that gives log-probabilities, or set `logprobs: true` if it does",
}


def open_backend(config: BackendConfig) -> Backend:
    """The driver of a profile. Nothing is started or asked before its first call."""
    match config:
        case RulesConfig():
            from backends.rules.driver import RulesBackend

            return RulesBackend(config)
        case LiteLLMConfig():
            from backends.litellm_driver import LiteLLMBackend

            return LiteLLMBackend(config)
        case LlamaCppConfig():
            from backends.llama_cpp_driver import LlamaCppBackend

            return LlamaCppBackend(config)
        case OutlinesConfig():
            from backends.outlines_driver import OutlinesBackend

            return OutlinesBackend(config)
        case FakeConfig():
            from backends.fake import FakeBackend

            return FakeBackend.from_config(config)
    raise TypeError(f"no driver for {type(config).__name__}")


def check_needs(
    config: Config, needs: Mapping[str, set[str]], backend: Callable[[str], Backend]
) -> None:
    """What each agent needs, its `backend` can do; nothing is asked of a model.

    Raises ToolkitError (capability).
    """
    for agent, wanted in needs.items():
        for need in sorted(wanted):
            if not getattr(backend(agent).capabilities, need):
                raise ToolkitError(
                    "capability",
                    f"{agent} needs {need}, which its backend {config.backend_name(agent)} "
                    "does not have",
                    _CURES.get(need, f"choose another one with --backend {agent}=NAME"),
                )


class Backends:
    """The clients of a run. Use as `async with Backends(config, cache, usage) as backends`."""

    def __init__(
        self,
        config: Config,
        cache: Cache,
        usage: UsageMeter,
        batches: Batches | None = None,
    ) -> None:
        self.config, self.cache, self.usage = config, cache, usage
        self._batches = batches
        self._clients: dict[str, ModelClient] = {}

    def client(self, agent: str) -> ModelClient:
        """The client that `agent` asks. Agents on one profile share it, and so its limits.

        Raises ToolkitError (config) when the config maps the agent to no backend.
        """
        name = self.config.backend_name(agent)
        if name not in self._clients:
            profile = self.profile(agent)
            backend = open_backend(profile)
            self._clients[name] = ModelClient(
                backend,
                profile,
                self.cache,
                self.usage,
                name=name,
                batch=self._queue(name, backend),
            )
        return self._clients[name]

    def _queue(self, name: str, backend: Backend) -> BatchQueue | None:
        return self._batches.queue(name, backend) if self._batches else None

    def profile(self, agent: str) -> BackendConfig:
        """The profile that `agent` uses. Raises ToolkitError (config)."""
        try:
            return self.config.backend(agent)
        except KeyError:
            name = self.config.backend_name(agent)
            raise _no_such_backend(agent, name, self.config.backends) from None

    async def check(
        self, agents: Iterable[str], needs: Mapping[str, set[str]] | None = None
    ) -> None:
        """Fail before money is spent: name, key, endpoint, and what each agent `needs`.

        `needs` maps an agent to names of capabilities: `{"discriminator": {"vision"}}`. Raises
        ToolkitError (config, auth, prerequisite, capability).
        """
        clients = {agent: self.client(agent) for agent in agents}
        for client in dict.fromkeys(clients.values()):
            await client.backend.check()
        check_needs(self.config, needs or {}, lambda agent: self.client(agent).backend)

    async def close(self) -> None:
        """Release every backend's sessions and servers."""
        for client in self._clients.values():
            await client.backend.close()

    async def __aenter__(self) -> Backends:
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        await self.close()


def _no_such_backend(agent: str, name: str, known: Iterable[str]) -> ToolkitError:
    names = sorted({"rules", *known})
    near = difflib.get_close_matches(name, names, n=1)
    meant = f"did you mean {near[0]}? " if near else ""
    return ToolkitError(
        "config",
        f"{agent} is mapped to the backend {name}, which the config does not define",
        f"{meant}known backends: {', '.join(names)}",
    )
