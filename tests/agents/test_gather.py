"""Several calls of one record: what becomes of the others where one fails."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from agents.base import gather
from runtime.errors import PendingError, ToolkitError


class Calls:
    """Calls that end after so many turns of the loop, with a result or an error."""

    def __init__(self) -> None:
        self.done: list[object] = []

    async def call(self, turns: int, result: object) -> object:
        for _ in range(turns):
            await asyncio.sleep(0)
        if isinstance(result, Exception):
            raise result
        self.done.append(result)
        return result


def run(*calls: tuple[int, object]) -> tuple[Any, list[object]]:
    made = Calls()

    async def main() -> object:
        try:
            return await gather(made.call(*one) for one in calls)
        except Exception as error:
            return error

    return asyncio.run(main()), made.done


def test_results_come_in_order() -> None:
    assert run((5, "a"), (1, "b"))[0] == ["a", "b"]


def test_a_failed_call_does_not_waste_the_others() -> None:
    failure = ToolkitError("schema", "no")
    assert run((9, "a"), (1, failure), (5, "b")) == (failure, ["b", "a"])


@pytest.mark.parametrize("end", [ToolkitError("budget", "spent"), KeyError("bug")])
def test_what_ends_the_run_cancels_the_others(end: Exception) -> None:
    raised, done = run((9, "a"), (3, end), (1, ToolkitError("schema", "no")))
    assert raised is end and done == []


def test_a_record_that_waits_for_a_batch_asks_all_it_can() -> None:
    waiting = PendingError()
    assert run((1, waiting), (5, "a")) == (waiting, ["a"])
    failure = ToolkitError("schema", "no")
    assert run((1, waiting), (5, failure))[0] is failure
