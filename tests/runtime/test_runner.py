from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from runtime.errors import ToolkitError
from runtime.runner import RunPolicy, RunSummary, run_agent
from runtime.store import OutcomeStore
from schemas.base import StrictModel
from tests.e2e.commands import interruptible

ROOT = Path(__file__).parents[2]


class Item(StrictModel):
    id: str


class Result(StrictModel):
    text: str


def items(count: int) -> Iterator[Item]:
    return (Item(id=f"r{number}") for number in range(count))


def names(count: int) -> list[str]:
    return [item.id for item in items(count)]


def endings(store: OutcomeStore, count: int) -> Counter[str]:
    """How many of the records ended how; those without an outcome are not in it."""
    outcomes = store.iterate_in_order(names(count))
    return Counter(outcome.failure.kind if outcome.failure else "done" for outcome in outcomes)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[OutcomeStore]:
    with OutcomeStore(tmp_path / "run", {}) as opened:
        yield opened


def fail_on(*failing: str, kind: Any = "malformed") -> Callable[[Item], Any]:
    async def process(item: Item) -> Result:
        await asyncio.sleep(0)
        if item.id in failing:
            raise ToolkitError(kind, f"no answer for {item.id}", "try another model")
        return Result(text=item.id.upper())

    return process


def run(process: Callable[[Item], Any], count: int, store: OutcomeStore, **policy: Any) -> Any:
    return asyncio.run(run_agent(process, items(count), store, RunPolicy(**policy)))


def test_every_record_ends_in_a_value_or_a_failure(store: OutcomeStore) -> None:
    summary = run(fail_on("r1", "r3"), 6, store)
    assert (summary.done, summary.resumed, summary.rejected) == (4, 0, Counter(malformed=2))
    outcomes = list(store.iterate_in_order(names(6)))
    assert [outcome.index for outcome in outcomes] == list(range(6))
    assert outcomes[0].value == {"text": "R0"}
    failure = outcomes[1].failure
    assert failure and failure.model_dump() == {
        "kind": "malformed", "reason": "no answer for r1", "hint": "try another model"
    }  # fmt: skip


def test_finished_records_are_not_processed_again(store: OutcomeStore) -> None:
    run(fail_on("r1"), 3, store)
    seen: list[str] = []

    async def process(item: Item) -> Result:
        seen.append(item.id)
        return Result(text="later")

    summary = run(process, 300, store)
    assert seen == names(300)[3:]
    assert (summary.done, summary.resumed) == (297, 3)
    again = run(process, 300, store)
    assert (again.done, again.resumed) == (0, 300)


def test_concurrency_is_bounded_and_items_are_taken_only_when_there_is_room(
    store: OutcomeStore,
) -> None:
    drawn, finished, most = 0, 0, 0

    def counted() -> Iterator[Item]:
        nonlocal drawn
        for item in items(50):
            drawn += 1
            yield item

    async def process(item: Item) -> Result:
        nonlocal finished, most
        most = max(most, drawn - finished)
        await asyncio.sleep(0.001)
        finished += 1
        return Result(text=item.id)

    asyncio.run(run_agent(process, counted(), store, RunPolicy(concurrency=7)))
    assert (drawn, finished, most) == (50, 50, 7)


@pytest.mark.parametrize("kind", ["auth", "budget", "capability", "config"])
def test_an_error_that_ends_the_run_keeps_what_is_done_and_cancels_the_rest(
    store: OutcomeStore, kind: Any
) -> None:
    cancelled: list[str] = []

    async def process(item: Item) -> Result:
        if item.id == "r5":
            raise ToolkitError(kind, "stop")
        try:
            await asyncio.sleep(0 if item.id < "r5" else 60)
        except asyncio.CancelledError:
            cancelled.append(item.id)
            raise
        return Result(text=item.id)

    with pytest.raises(ToolkitError) as caught:
        run(process, 100, store, concurrency=3)
    assert caught.value.kind == kind
    assert 3 <= endings(store, 100)["done"] <= 5
    assert not store.done("r5")
    assert set(cancelled) <= {"r3", "r4", "r6", "r7"}


def test_a_programming_error_propagates_and_is_no_outcome(store: OutcomeStore) -> None:
    async def process(item: Item) -> Result:
        return Result(text=str(1 / (0 if item.id == "r2" else 1)))

    with pytest.raises(ZeroDivisionError):
        run(process, 10, store, concurrency=1)
    assert endings(store, 10) == {"done": 2}


def test_the_error_gate_opens_only_after_twenty_records(store: OutcomeStore) -> None:
    summary = run(fail_on(*names(19)), 19, store, max_error_rate=0.1)
    assert summary.rejected.total() == 19
    assert summary.failure_share == 1.0


def test_the_error_gate_stops_the_run(store: OutcomeStore) -> None:
    with pytest.raises(ToolkitError) as caught:
        run(fail_on(*names(100)), 100, store, concurrency=1, max_error_rate=0.5)
    assert (caught.value.kind, caught.value.exit_code) == ("error_rate", 5)
    assert caught.value.message == (
        "stopped: 100% of 20 records failed; the last one (r19): no answer for r19"
    )
    assert "--retry-rejected" in caught.value.hint
    assert endings(store, 100) == {"malformed": 20}


def test_as_many_failures_as_allowed_do_not_stop_the_run(store: OutcomeStore) -> None:
    summary = run(fail_on(*names(50)[1::2]), 50, store, concurrency=1, max_error_rate=0.5)
    assert (summary.done, summary.rejected.total()) == (25, 25)


def test_rate_limits_are_outside_the_error_gate(store: OutcomeStore) -> None:
    summary = run(fail_on(*names(60)[5:], kind="rate_limited"), 60, store, max_error_rate=0.0)
    assert (summary.done, summary.rejected["rate_limited"]) == (5, 55)
    assert summary.failure_share == 0.0


def test_the_usage_of_each_record_is_stored(store: OutcomeStore) -> None:
    def usage(record_id: str) -> dict[str, int | float]:
        return {"requests": int(record_id[1:])}

    process = fail_on("r2")
    asyncio.run(run_agent(process, items(4), store, RunPolicy(), usage=usage))
    stored = [outcome.usage for outcome in store.iterate_in_order(names(4))]
    assert stored == [{"requests": number} for number in range(4)]


def test_progress_sees_the_final_numbers(store: OutcomeStore) -> None:
    seen: list[tuple[int, int]] = []

    def progress(summary: RunSummary) -> None:
        seen.append((summary.done, summary.rejected.total()))

    asyncio.run(run_agent(fail_on("r1"), items(3), store, RunPolicy(), progress))
    assert seen[-1] == (2, 1)


def test_the_summary_tells_what_is_running_and_the_last_failures(store: OutcomeStore) -> None:
    summaries: list[RunSummary] = []
    running: list[int] = []

    async def process(item: Any) -> Any:
        await asyncio.sleep(0)
        running.append(summaries[0].running)
        return await fail_on(*names(10)[3:])(item)

    policy = RunPolicy(concurrency=4, max_error_rate=1.0)
    summary = asyncio.run(run_agent(process, items(10), store, policy, summaries.append))
    assert max(running) == 4
    assert summary.running == 0
    assert list(summary.last_failures) == [f"r{n}: no answer for r{n}" for n in (7, 8, 9)]


def test_ctrl_c_ends_with_130_and_the_run_can_be_continued(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.runtime.sleeping_run", str(tmp_path / "run")]
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    pipes |= {"text": True, "cwd": ROOT, "preexec_fn": interruptible}
    child = subprocess.Popen([*command, "60"], **pipes)
    assert child.stdout and child.stdout.readline() == "waiting\n"
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=30)
    assert child.returncode == 130
    assert errors == "interrupted; run the same command again to continue\n"
    again = subprocess.run([*command, "0"], check=True, **pipes)
    assert again.stdout.splitlines()[-1] == "done 2, resumed 4"
