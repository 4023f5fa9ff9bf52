"""`--batch`, one start of the command: collect what has come, go as far as it reaches, hand in."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

from backends.batch_store import STORE
from backends.registry import Backends
from backends.usage import UsageMeter
from runtime.errors import ToolkitError
from schemas.config import Config

_AGAIN = "run the same command again to collect them"


class BatchRounds:
    """The batches of a run in its output directory."""

    def __init__(self, directory: Path, usage: UsageMeter) -> None:
        from backends.batch import Batches

        self.batches = Batches(directory, usage)

    async def begin(self, backends: Backends, steps: Iterable[str]) -> bool:
        """Collect; whether there is something to go on with. Raises ToolkitError."""
        for step in steps:
            backends.client(step)  # each opens its queue
        store = self.batches.store
        # Also where no batch is open: a kill may have come after the answers and before their bill.
        if await self.batches.collect() or not store.open_batches():
            return True
        print(f"{store.count_submitted():,} requests are in batches that have not ended; {_AGAIN}")
        self.batches.close(complete=False)
        return False

    async def end(self, pending: int) -> None:
        """Hand in what is new; nothing is left to do where no record is pending.

        Raises ToolkitError.
        """
        if not pending:
            self.batches.close(complete=True)
            return
        taken = await self.batches.submit()
        store = self.batches.store
        print(
            f"{pending:,} records wait for the answers to {store.count_submitted():,} requests in "
            f"batches; {_AGAIN}"
        )
        if left := store.count_queued():
            until = "the budget allows another batch" if taken else "the provider takes them"
            print(f"{left:,} requests more wait until {until}")
        self.batches.close(complete=False)


def warn_of_batches(directory: Path) -> None:
    """Say that batches are under way whose answers a run without `--batch` does not use."""
    if (directory / STORE).exists():
        print(
            "batches of this run were handed in; without --batch their answers are not used",
            file=sys.stderr,
        )


def require_batches(config: Config, steps: Iterable[str], engine: str) -> None:
    """Raises ToolkitError (config) on a cluster, and where no backend of these takes batches."""
    from backends.batch import has_batches

    if engine != "local":
        message = f"--batch: not with --engine {engine}, which has nothing to do while batches run"
        raise ToolkitError("config", message, "leave one of the two out")
    if not any(has_batches(config.backend(step)) for step in steps):
        raise ToolkitError(
            "config",
            "--batch: no backend in use takes batches",
            "put an agent on an openai/, anthropic/ or gemini/ model, or leave --batch out",
        )
