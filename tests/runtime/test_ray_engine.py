"""The parts of the Ray engine that need no cluster: blocks, the plan, what an actor returns."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any, Self

import pyarrow
import pytest
from pydantic import BaseModel

from runtime.errors import ToolkitError
from runtime.ray_engine import _Actor, _blocks, _left, _Plan, run_on_ray
from runtime.runner import Ledger, RunPolicy
from runtime.store import Failure, Outcome, OutcomeStore


class Item(BaseModel):
    id: str


class Doubler:
    """Fails for "bad", ends the run for "stop"; knows how many it had in flight at most."""

    divisible = None

    def __init__(self, broken: bool = False) -> None:
        self.broken, self.opened, self.in_flight, self.most = broken, 0, 0, 0

    def share(self, workers: int) -> Self:
        return self

    async def check(self) -> None:
        self.opened += 1
        await asyncio.sleep(0)
        if self.broken:
            raise ToolkitError("auth", "no key", "set it")

    async def process(self, item: Item) -> Item:
        self.in_flight += 1
        self.most = max(self.most, self.in_flight)
        await asyncio.sleep(0)
        self.in_flight -= 1
        if item.id == "bad":
            raise ToolkitError("refused", "no", "ask again")
        if item.id == "stop":
            raise ToolkitError("budget", "spent")
        return Item(id=item.id * 2)

    def usage(self, record_id: str) -> Mapping[str, int | float]:
        return {"calls": 1}

    async def __aenter__(self) -> Self:
        return self


@pytest.fixture
def store(tmp_path: Path) -> Iterator[OutcomeStore]:
    with OutcomeStore(tmp_path / "run", {"run": 1}) as opened:
        yield opened


def call(worker: Doubler, *blocks: list[str], in_flight: int = 2) -> list[list[Any]]:
    tables = [
        pyarrow.table({"index": range(len(ids)), "item": [json.dumps({"id": i}) for i in ids]})
        for ids in blocks
    ]

    async def all_at_once() -> list[pyarrow.Table]:
        actor = _Actor(worker, Item, in_flight)
        return await asyncio.gather(*map(actor, tables))

    return [table.to_pylist() for table in asyncio.run(all_at_once())]


def test_an_actor_opens_once_and_bounds_what_is_in_flight() -> None:
    worker = Doubler()
    one, two = call(worker, ["a", "bad", "c"], ["d", "e", "f"], in_flight=4)
    assert (worker.opened, worker.most) == (1, 4)
    first, failed, _ = (Outcome.model_validate_json(row["outcome"]) for row in one)
    assert first == Outcome(id="a", index=0, value={"id": "aa"}, usage={"calls": 1})
    assert failed.failure is not None and failed.failure.kind == "refused"
    assert [row["error"] for row in one + two] == [None] * 6


def test_what_ends_the_run_comes_beside_the_outcomes_that_were_made() -> None:
    [rows] = call(Doubler(), ["a", "stop", "c"])
    assert [row["outcome"] is None for row in rows] == [False, True, False]
    assert json.loads(rows[1]["error"]) == ["budget", "spent", ""]
    [rows] = call(Doubler(broken=True), ["a", "b"])
    assert [json.loads(row["error"]) for row in rows] == [["auth", "no key", "set it"]] * 2


def test_blocks_hold_what_has_no_outcome_with_its_place(store: OutcomeStore) -> None:
    items = [Item(id=str(number)) for number in range(7)]
    for number in (0, 3):
        store.append(Outcome(id=str(number), index=number, value={}))
    ledger = Ledger(store, RunPolicy())
    assert _left(items, ledger) == (5, Item)
    assert ledger.summary.resumed == 2
    blocks = [block.to_pydict() for block in _blocks(items, store, 2)]
    assert [block["index"] for block in blocks] == [[1, 2], [4, 5], [6]]
    assert blocks[0]["item"] == ['{"id":"1"}', '{"id":"2"}']


def test_a_finished_run_starts_no_cluster(
    store: OutcomeStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RAY_ADDRESS", "127.0.0.1:9")
    store.append(Outcome(id="a", index=0, value={}))

    def received(*_: object) -> None:
        raise AssertionError("nothing was run")

    summary = run_on_ray(Doubler(), lambda: [Item(id="a")], store, RunPolicy(), received)
    assert (summary.resumed, summary.done, summary.finished) == (1, 0, 1)


@pytest.fixture
def arrived(monkeypatch: pytest.MonkeyPatch) -> list[list[Outcome]]:
    """Blocks of outcomes that come from a cluster which is not there."""
    blocks: list[list[Outcome]] = []

    def outcomes(*_: object) -> Iterator[list[Outcome]]:
        yield from blocks

    monkeypatch.setattr("runtime.ray_engine._cluster", lambda: nullcontext(2))
    monkeypatch.setattr("runtime.ray_engine._outcomes", outcomes)
    return blocks


def numbered(first: int, after: int, failure: Failure | None = None) -> list[Outcome]:
    value = None if failure else {"is": "made"}
    return [Outcome(id=str(n), index=n, value=value, failure=failure) for n in range(first, after)]


def taken(store: OutcomeStore, most: int) -> tuple[list[str], ToolkitError]:
    """The ids handed on from 100 items, where the budget is spent with `most`; how it ended."""
    paid: list[str] = []

    def received(outcome: Outcome, _: object) -> None:
        paid.append(outcome.id)
        if len(paid) >= most:
            raise ToolkitError("budget", f"spent with {len(paid)}")

    items = [Item(id=str(number)) for number in range(100)]
    with pytest.raises(ToolkitError) as caught:
        run_on_ray(Doubler(), lambda: items, store, RunPolicy(), received)
    return paid, caught.value


def test_a_spent_budget_still_takes_the_block_that_has_arrived(
    store: OutcomeStore, arrived: list[list[Outcome]]
) -> None:
    arrived += [numbered(0, 8), numbered(6, 16), numbered(16, 24)]
    paid, error = taken(store, most=10)
    assert paid == [str(number) for number in range(16)], "each once, and no block after that one"
    assert [store.done(str(number)) for number in (15, 16)] == [True, False]
    assert str(error) == "spent with 10"


def test_what_failed_is_handed_on_also_when_it_ends_the_run(
    store: OutcomeStore, arrived: list[list[Outcome]]
) -> None:
    arrived.append(numbered(0, 30, Failure(kind="refused", reason="no")))
    paid, error = taken(store, most=25)
    assert len(paid) == 30 and store.done("29")
    assert error.kind == "error_rate", "it came first"
    assert error.message.startswith("stopped: 100% of 20 records failed")


def test_what_the_journal_does_not_take_is_still_handed_on(
    store: OutcomeStore, arrived: list[list[Outcome]], monkeypatch: pytest.MonkeyPatch
) -> None:
    arrived.append(numbered(0, 4))
    with monkeypatch.context() as full:
        full.setattr("os.write", lambda *_: 0)
        paid, error = taken(store, most=100)
    assert error.kind == "prerequisite"
    assert len(paid) == 4 and not store.done("0")


@pytest.mark.parametrize("left", [1, 12, 300, 20_000, 1_000_000])
@pytest.mark.parametrize("actors", [1, 4, 64])
def test_every_actor_has_work_and_no_more_in_flight_than_its_share(left: int, actors: int) -> None:
    actors = min(actors, left)
    plan = _Plan(left, actors, concurrency=64)
    assert 1 <= plan.rows <= 64
    assert plan.rows * actors <= max(left, actors)
    assert plan.in_flight * actors <= 64
    assert (plan.blocks_at_once - 1) * plan.rows >= plan.in_flight
