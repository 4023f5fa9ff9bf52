"""Runs one async function over many records: bounded, resumable, one outcome a record."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

from pydantic import BaseModel

from runtime.errors import PendingError, ToolkitError
from runtime.store import Failure, Outcome, OutcomeStore

_GATE_MINIMUM = 20
_TICK_SECONDS = 0.2
_SKIPS_BETWEEN_YIELDS = 64


class HasId(Protocol):
    """A record: `id` names it in the store."""

    @property
    def id(self) -> str:
        """Unique within the run."""
        ...


Item = TypeVar("Item", bound=HasId)


@dataclass(frozen=True)
class RunPolicy:
    """`concurrency` records in flight; stop when more than `max_error_rate` of them fail."""

    concurrency: int = 64
    max_error_rate: float = 0.1


@dataclass
class RunSummary:
    """Counts of this process: `resumed` records had their outcome from an earlier one,
    `pending` ones wait for a batch and have none yet."""

    done: int = 0
    resumed: int = 0
    pending: int = 0
    rejected: Counter[str] = field(default_factory=Counter)

    @property
    def failure_share(self) -> float:
        """Share of failures among the finished records; rate limits count on neither side."""
        failed = self.rejected.total() - self.rejected["rate_limited"]
        return failed / (self.done + failed) if failed else 0.0


async def run_agent(
    process: Callable[[Item], Awaitable[BaseModel]],
    items: Iterable[Item],
    store: OutcomeStore,
    policy: RunPolicy,
    progress: Callable[[RunSummary], None] | None = None,
    usage: Callable[[str], Mapping[str, int | float]] | None = None,
) -> RunSummary:
    """Process every item that has no outcome yet and store what became of it.

    `progress` is called a few times a second; `usage` once for each finished record, with its
    id, for the numbers stored with the outcome. A ToolkitError without exit code becomes the
    record's failure; a PendingError leaves it without an outcome. Raises any other error after
    cancelling what is in flight: a ToolkitError that ends the run, ToolkitError("error_rate")
    past the policy's share (after at least 20 records), programming errors as they are.
    Outcomes stored so far are kept in any case.
    """
    run = _Run(process, enumerate(items), store, policy, usage)
    ticker = asyncio.create_task(_tick(run.summary, progress)) if progress else None
    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(policy.concurrency):
                group.create_task(run.work())
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None
    finally:
        if ticker:
            ticker.cancel()
        store.flush()
    if progress:
        progress(run.summary)
    return run.summary


@dataclass
class _Run(Generic[Item]):
    """State that the workers of one run share."""

    process: Callable[[Item], Awaitable[BaseModel]]
    items: Iterator[tuple[int, Item]]
    store: OutcomeStore
    policy: RunPolicy
    usage: Callable[[str], Mapping[str, int | float]] | None
    summary: RunSummary = field(default_factory=RunSummary)

    async def work(self) -> None:
        """Take the next item until there is none; all workers draw from one iterator."""
        for index, item in self.items:
            if self.store.done(item.id):
                self.summary.resumed += 1
                # A long stretch of finished records must not starve the calls in flight.
                if self.summary.resumed % _SKIPS_BETWEEN_YIELDS == 0:
                    await asyncio.sleep(0)
                continue
            outcome = await self._outcome(index, item)
            if outcome is not None:
                self._record(outcome)

    async def _outcome(self, index: int, item: Item) -> Outcome | None:
        value, failure = None, None
        try:
            value = (await self.process(item)).model_dump(mode="json")
        except ToolkitError as error:
            if error.exit_code is not None:
                raise
            failure = Failure(kind=error.kind, reason=error.message, hint=error.hint)
        except PendingError:
            self.summary.pending += 1
        usage = dict(self.usage(item.id)) if self.usage else {}
        if value is None and failure is None:
            return None
        return Outcome(id=item.id, index=index, value=value, failure=failure, usage=usage)

    def _record(self, outcome: Outcome) -> None:
        self.store.append(outcome)
        if outcome.failure is None:
            self.summary.done += 1
            return
        self.summary.rejected[outcome.failure.kind] += 1
        finished = self.summary.done + self.summary.rejected.total()
        share = self.summary.failure_share
        if finished >= _GATE_MINIMUM and share > self.policy.max_error_rate:
            reason = f"the last one ({outcome.id}): {outcome.failure.reason}"
            raise ToolkitError(
                "error_rate",
                f"stopped: {share:.0%} of {finished} records failed; {reason}",
                "remove the cause and run again with --retry-rejected, or raise --max-error-rate",
            )


async def _tick(summary: RunSummary, progress: Callable[[RunSummary], None]) -> None:
    while True:
        progress(summary)
        await asyncio.sleep(_TICK_SECONDS)
