"""`--engine ray`: the records go out to a Ray cluster in blocks, their outcomes into the journal.

Ray Data moves the blocks, keeps the actors alive and repeats what a lost node had not delivered.
The driver writes each block of outcomes into the same journal as the local engine as soon as it
arrives, so everything after that, a killed driver included, is as in a run on one machine.
"""

from __future__ import annotations

import asyncio
import json
import math
import os
import socket
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol, Self

from pydantic import BaseModel

from runtime.errors import ToolkitError
from runtime.runner import Ledger, RunPolicy, RunSummary, outcome_of
from runtime.store import Outcome, OutcomeStore

if TYPE_CHECKING:
    import pyarrow

# An actor mostly waits for a provider. One that held a whole CPU would starve Ray Data's own tasks.
_CPUS_AN_ACTOR = 0.25
_MOST_ROWS = 64
_BLOCKS_AN_ACTOR = 4


class Worker(Protocol):
    """What an actor is given; it must be possible to pickle it before it is entered."""

    @property
    def divisible(self) -> int | None:
        """Into how many workers its limits can be divided; None where there is no limit."""
        ...

    def share(self, workers: int) -> Self:
        """A worker that keeps to its part of the limits."""
        ...

    async def check(self) -> None:
        """Raises ToolkitError when it cannot work on this machine."""
        ...

    async def process(self, item: Any) -> BaseModel:
        """The result for one item. Raises ToolkitError when there is none."""
        ...

    def usage(self, record_id: str) -> Mapping[str, int | float]:
        """The numbers to be stored with the outcome of an id."""
        ...

    async def __aenter__(self) -> Self: ...


def run_on_ray(
    worker: Worker,
    items: Callable[[], Iterable[Any]],
    store: OutcomeStore,
    policy: RunPolicy,
    received: Callable[[Outcome, RunSummary], None],
) -> RunSummary:
    """Process every item that has no outcome yet on a cluster, and store what became of it.

    The cluster is that of the environment variable RAY_ADDRESS, else one started on this machine.
    `policy.concurrency` records are in flight on all of it. `received` is called with each
    outcome once it is stored and the counts so far; what it raises ends the run, a ToolkitError
    after the rest of the block that has arrived. Raises what `runtime.runner.run_agent` raises,
    and ToolkitError("prerequisite") when Ray is missing or the cluster cannot be reached.
    """
    ledger = Ledger(store, policy)
    left, model = _left(items(), ledger)
    if model is None:
        return ledger.summary
    with _cluster() as cpus:
        most = min(left, policy.concurrency, cpus, worker.divisible or cpus)
        plan = _Plan(left, actors=max(1, most), concurrency=policy.concurrency)
        blocks = _blocks(items(), store, plan.rows)
        try:
            with closing(_outcomes(worker, plan, model, blocks)) as arrived:
                for outcomes in arrived:
                    _take(outcomes, ledger, received)
        finally:
            store.flush()
    return ledger.summary


def _take(
    outcomes: Iterable[Outcome], ledger: Ledger, received: Callable[[Outcome, RunSummary], None]
) -> None:
    """Store a block and hand it on, all of it before an error ends the run: it is paid for."""
    errors: list[ToolkitError] = []
    for outcome in outcomes:
        if ledger.store.done(outcome.id):
            continue
        try:
            ledger.record(outcome)
        except ToolkitError as error:
            errors.append(error)
        try:
            received(outcome, ledger.summary)
        except ToolkitError as error:
            errors.append(error)
    if errors:
        raise errors[0]


class _Plan:
    """How `left` records are spread over `actors` with `concurrency` of them in flight in all."""

    def __init__(self, left: int, actors: int, concurrency: int) -> None:
        self.actors = actors
        self.in_flight = max(1, concurrency // actors)
        # Small blocks at the end of a run keep all actors busy; large ones cost Ray less.
        self.rows = min(_MOST_ROWS, math.ceil(left / (actors * _BLOCKS_AN_ACTOR)))
        # One block more than fit in flight: it fills the gap that the end of another leaves.
        self.blocks_at_once = 1 + math.ceil(self.in_flight / self.rows)


class _Actor:
    """Makes blocks of items into blocks of outcomes, several at once in one event loop."""

    def __init__(self, worker: Worker, model: type[BaseModel], in_flight: int) -> None:
        self._worker, self._model = worker, model
        self._slots = asyncio.Semaphore(in_flight)
        self._opened: asyncio.Future[None] | None = None

    async def __call__(self, block: pyarrow.Table) -> pyarrow.Table:
        import pyarrow

        self._opened = self._opened or asyncio.ensure_future(self._open())
        rows = zip(block["index"].to_pylist(), block["item"].to_pylist(), strict=True)
        made = await asyncio.gather(*(self._row(self._opened, *row) for row in rows))
        return pyarrow.table({"outcome": [o for o, _ in made], "error": [e for _, e in made]})

    async def _open(self) -> None:
        await self._worker.__aenter__()
        await self._worker.check()

    async def _row(
        self, opened: asyncio.Future[None], index: int, text: str
    ) -> tuple[str | None, str | None]:
        """An outcome, or the error that ends the run."""
        try:
            async with self._slots:
                await asyncio.shield(opened)
                item = self._model.model_validate_json(text)
                outcome = await outcome_of(self._worker.process, index, item, self._worker.usage)
                return outcome.model_dump_json(exclude_defaults=True), None
        except ToolkitError as error:
            return None, json.dumps([error.kind, error.message, error.hint])


def _left(items: Iterable[Any], ledger: Ledger) -> tuple[int, type[BaseModel] | None]:
    """How many items have no outcome, and what they are; those that have one are counted."""
    left, model = 0, None
    for item in items:
        if ledger.store.done(item.id):
            ledger.summary.resumed += 1
        else:
            left, model = left + 1, type(item)
    return left, model


def _blocks(items: Iterable[Any], store: OutcomeStore, rows: int) -> Iterator[pyarrow.Table]:
    import pyarrow

    left = ((number, item) for number, item in enumerate(items) if not store.done(item.id))
    while block := list(islice(left, rows)):
        texts = [item.model_dump_json() for _, item in block]
        yield pyarrow.table({"index": [number for number, _ in block], "item": texts})


def _outcomes(
    worker: Worker, plan: _Plan, model: type[BaseModel], blocks: Iterator[pyarrow.Table]
) -> Generator[list[Outcome]]:
    """The outcomes of each block as it arrives. Raises ToolkitError that ends the run."""
    import ray

    ray.data.DataContext.get_current().enable_progress_bars = False
    pool = ray.data.ActorPoolStrategy(
        size=plan.actors, max_concurrent_calls_per_actor=plan.blocks_at_once
    )
    done = ray.data.from_arrow(blocks).map_batches(
        _Actor,
        batch_size=None,
        batch_format="pyarrow",
        fn_constructor_args=(worker.share(plan.actors), model, plan.in_flight),
        compute=pool,
        num_cpus=_CPUS_AN_ACTOR,
    )
    # A thread of Ray's that still runs when the cluster is left kills this process. So there is
    # none that fetches ahead, and the others end when the iterator is closed.
    batches = done.iter_batches(batch_size=None, batch_format="pyarrow", prefetch_batches=0)
    with closing(iter(batches)) as arrived:
        for block in arrived:
            rows = block.to_pylist()
            texts = (row["outcome"] for row in rows if row["outcome"])
            yield [Outcome.model_validate_json(text) for text in texts]
            for row in rows:
                if row["error"]:
                    raise ToolkitError(*json.loads(row["error"]))


@contextmanager
def _cluster() -> Iterator[int]:
    """Connect to the cluster, or start one here; yields its number of CPUs."""
    # A cluster that is started here reports nothing to anybody, and progress is ours to show.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    os.environ.setdefault("RAY_DATA_LOG_LEVEL", "ERROR")
    try:
        import ray
    except ModuleNotFoundError as error:
        message = "--engine ray needs the package ray"
        raise ToolkitError("prerequisite", message, 'pip install "grainwise[ray]"') from error
    try:
        _reach(os.environ.get("RAY_ADDRESS", ""))
        ray.init(log_to_driver=False, logging_level="ERROR", include_dashboard=False)
    except (OSError, RuntimeError, ValueError) as error:  # ConnectionError is an OSError
        message = f"cannot reach the Ray cluster: {error}"
        hint = "check RAY_ADDRESS, and that every node has the same versions of Python and Ray"
        raise ToolkitError("prerequisite", message, hint) from error
    try:
        yield max(1, int(ray.cluster_resources().get("CPU", 1)))
    finally:
        ray.shutdown()


def _reach(address: str) -> None:
    """Raises OSError at once where Ray itself would try for minutes."""
    host, _, port = address.rpartition("://")[2].rpartition(":")
    if port.isdecimal():
        socket.create_connection((host.strip("[]"), int(port)), timeout=10).close()
