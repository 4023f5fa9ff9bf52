"""An agent with its backends: what makes records' outcomes, here or on a node of a cluster."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, Self

from agents.base import Agent, AgentContext, In, Out
from backends.cache import open_cache
from backends.registry import Backends
from backends.usage import UsageMeter
from runtime.errors import ToolkitError
from schemas.config import BackendConfig, Config

if TYPE_CHECKING:
    from backends.batch import Batches

_LIMITS = ("max_parallel", "rpm", "tpm")
_FILES = ("gguf", "script")


@dataclass
class Worker(Generic[In, Out]):
    """Use as `async with worker`, then `process` items. Before that it may be copied and pickled.

    `folder` is what image paths are relative to; images of the web are fetched into `downloads`,
    and not at all where this is None.
    """

    agent: Agent[In, Out]
    config: Config
    meter: UsageMeter
    folder: Path
    downloads: Path | None = None
    batches: Batches | None = None
    _backends: Backends | None = None
    _usage: dict[str, dict[str, int | float]] = field(default_factory=dict)

    @property
    def divisible(self) -> int | None:
        """Into how many workers this one's limits can be divided; None where it has none."""
        return min(map(_smallest_limit, self._profiles()), default=None)

    def share(self, workers: int) -> Self:
        """One of several workers that run in other places.

        It keeps to its part of the limits, knows the whole budget, and finds its files from any
        working directory.
        """
        backends = {name: _divided(p, workers) for name, p in self.config.backends.items()}
        run = self.config.run
        if "://" not in run.cache:
            run = run.model_copy(update={"cache": str(Path(run.cache).absolute())})
        prompts = self.config.prompts and str(Path(self.config.prompts).absolute())
        changed = {"backends": backends, "prompts": prompts, "run": run}
        config = self.config.model_copy(update=changed)
        downloads = self.downloads and self.downloads.absolute()
        # What it pays is written down where its outcomes are received.
        meter = UsageMeter(self.meter.budget_usd, self.meter.spent_usd)
        folder = self.folder.absolute()
        return replace(self, config=config, meter=meter, folder=folder, downloads=downloads)

    async def check(self) -> None:
        """Fail before money is spent. Raises ToolkitError, which names this machine."""
        try:
            await self.backends.check(self.agent.steps, self.agent.needs)
        except ToolkitError as error:
            message = f"on {platform.node()}: {error.message}"
            raise ToolkitError(error.kind, message, error.hint) from error

    async def process(self, item: In) -> Out:
        """The agent's result for one item. Raises ToolkitError when there is none."""
        context = AgentContext(self.backends, self.config.run.seed, self.folder, self.downloads)
        with self.meter.scope() as usage:
            try:
                return await self.agent.run(item, context)
            finally:
                counted = {**vars(usage), **context.answers, **context.latency}
                self._usage[item.id] = counted

    def usage(self, record_id: str) -> Mapping[str, int | float]:
        """What the record took; can be asked for once."""
        return self._usage.pop(record_id)

    async def __aenter__(self) -> Self:
        cache = open_cache(self.config.run.cache)
        self._backends = Backends(self.config, cache, self.meter, self.batches)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.backends.close()
        self._backends = None

    @property
    def backends(self) -> Backends:
        """Those that the worker has open."""
        assert self._backends, "use the worker as `async with worker`"
        return self._backends

    def _profiles(self) -> Iterable[BackendConfig]:
        names = {self.config.backend_name(step) for step in self.agent.steps}
        return (self.config.backends[name] for name in names & self.config.backends.keys())


def _smallest_limit(profile: BackendConfig) -> int:
    return min(limit for limit in (profile.max_parallel, profile.rpm, profile.tpm) if limit)


def _divided(profile: BackendConfig, by: int) -> BackendConfig:
    limits = {name: getattr(profile, name) for name in _LIMITS}
    shares: dict[str, Any] = {name: max(1, limit // by) for name, limit in limits.items() if limit}
    files = {name: getattr(profile, name, None) for name in _FILES}
    paths = {name: str(Path(file).absolute()) for name, file in files.items() if file}
    return profile.model_copy(update=shares | paths)
