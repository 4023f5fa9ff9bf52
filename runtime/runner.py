"""Runs one async function over many records: bounded, resumable, one outcome a record."""

from __future__ import annotations

import asyncio
from collections import Counter, deque
from collections.abc import Awaitable, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from pydantic import BaseModel

from runtime.errors import PendingError, ToolkitError
from runtime.store import Failure, Outcome, OutcomeStore

_GATE_MINIMUM = 20
_TICK_SECONDS = 0.2
_SKIPS_BETWEEN_YIELDS = 64
_LAST_FAILURES = 3

Process = Callable[[Any], Awaitable[BaseModel]]
"""Does the work for one item. Raises ToolkitError when it cannot be done."""
Usage = Callable[[str], Mapping[str, int | float]]
"""Hands over the numbers to be stored with the outcome of an id."""


class HasId(Protocol):
    """A record: `id` names it in the store."""

    @property
    def id(self) -> str:
        """Unique within the run."""
        ...


@dataclass(frozen=True)
class RunPolicy:
    """`concurrency` records in flight; stop when more than `max_error_rate` of them fail."""

    concurrency: int = 64
    max_error_rate: float = 0.1


@dataclass
class RunSummary:
    """Counts of this process: `resumed` records had their outcome from an earlier one,
    `pending` ones wait for a batch and have none yet, `running` ones are being worked on here."""

    done: int = 0
    resumed: int = 0
    pending: int = 0
    running: int = 0
    rejected: Counter[str] = field(default_factory=Counter)
    last_failures: deque[str] = field(default_factory=lambda: deque(maxlen=_LAST_FAILURES))
    """`ID: reason` of the records that were rejected last."""

    @property
    def finished(self) -> int:
        """Records that have their outcome."""
        return self.done + self.resumed + self.rejected.total()

    @property
    def failure_share(self) -> float:
        """Share of failures among the finished records; rate limits count on neither side."""
        failed = self.rejected.total() - self.rejected["rate_limited"]
        return failed / (self.done + failed) if failed else 0.0


async def run_agent(
    process: Process,
    items: Iterable[HasId],
    store: OutcomeStore,
    policy: RunPolicy,
    progress: Callable[[RunSummary], None] | None = None,
    usage: Usage | None = None,
) -> RunSummary:
    """Process every item that has no outcome yet and store what became of it.

    `progress` is called a few times a second; `usage` once for each finished record, with its
    id, for the numbers stored with the outcome. A ToolkitError without exit code becomes the
    record's failure; a PendingError leaves it without an outcome. Raises any other error after
    cancelling what is in flight: a ToolkitError that ends the run, ToolkitError("error_rate")
    past the policy's share (after at least 20 records), programming errors as they are.
    Outcomes stored so far are kept in any case.
    """
    ledger = Ledger(store, policy)
    run = _Run(process, enumerate(items), ledger, usage)
    ticker = asyncio.create_task(_tick(ledger.summary, progress)) if progress else None
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
        progress(ledger.summary)
    return ledger.summary


async def outcome_of(process: Process, index: int, item: Any, usage: Usage | None) -> Outcome:
    """What became of one item. Raises PendingError, and what `run_agent` lets through."""
    value, failure = None, None
    try:
        value = (await process(item)).model_dump(mode="json")
    except ToolkitError as error:
        if error.exit_code is not None:
            raise
        failure = Failure(kind=error.kind, reason=error.message, hint=error.hint)
    finally:
        counted = dict(usage(item.id)) if usage else {}
    return Outcome(id=item.id, index=index, value=value, failure=failure, usage=counted)


@dataclass
class Ledger:
    """Stores outcomes and counts them."""

    store: OutcomeStore
    policy: RunPolicy
    summary: RunSummary = field(default_factory=RunSummary)

    def record(self, outcome: Outcome) -> None:
        """Store one outcome. Raises ToolkitError("error_rate") past the policy's share."""
        self.store.append(outcome)
        if outcome.failure is None:
            self.summary.done += 1
            return
        self.summary.last_failures.append(f"{outcome.id}: {outcome.failure.reason}")
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


@dataclass
class _Run:
    """State that the workers of one run share."""

    process: Process
    items: Iterator[tuple[int, HasId]]
    ledger: Ledger
    usage: Usage | None

    async def work(self) -> None:
        """Take the next item until there is none; all workers draw from one iterator."""
        summary = self.ledger.summary
        for index, item in self.items:
            if self.ledger.store.done(item.id):
                summary.resumed += 1
                # A long stretch of finished records must not starve the calls in flight.
                if summary.resumed % _SKIPS_BETWEEN_YIELDS == 0:
                    await asyncio.sleep(0)
                continue
            summary.running += 1
            try:
                outcome = await outcome_of(self.process, index, item, self.usage)
            except PendingError:
                summary.pending += 1
            else:
                self.ledger.record(outcome)
            finally:
                summary.running -= 1


async def _tick(summary: RunSummary, progress: Callable[[RunSummary], None]) -> None:
    while True:
        progress(summary)
        await asyncio.sleep(_TICK_SECONDS)
