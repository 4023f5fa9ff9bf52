"""When calls are held, who tries the endpoint, and what is said about it."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from typing import Any

import pytest

from backends.breaker import Breaker
from runtime.errors import ErrorKind, ToolkitError


class Endpoint:
    """Fails with `kind` while it has one; sleeping moves the clock."""

    def __init__(self, kind: ErrorKind | None = None, dead_after_s: float = 600) -> None:
        self.kind, self.now = kind, 0.0
        self.waits: list[float] = []
        self.asked: list[tuple[float, str]] = []
        self.recovers_at = float("inf")
        self.repeated = 0
        self.breaker = Breaker("it", dead_after_s, lambda: self.now, self.sleep)

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)

    async def ask(self, key: str, answer: Callable[[], Any] = lambda: "yes") -> Any:
        async def call() -> Any:
            self.asked.append((self.now, key))
            await asyncio.sleep(0)
            if self.kind and self.now < self.recovers_at:
                raise ToolkitError(self.kind, "nobody there")
            return answer()

        def repeat() -> None:
            self.repeated += 1

        return await self.breaker.guard(key, call, repeat)

    async def fail(self, key: str) -> None:
        with pytest.raises(ToolkitError, match="nobody there"):
            await self.ask(key)


def test_holds_all_calls_while_one_tries_and_each_tries_in_turn() -> None:
    endpoint = Endpoint("connection")
    endpoint.recovers_at = 7.0

    async def outcome(key: str) -> Any:
        try:
            return await endpoint.ask(key)
        except ToolkitError as error:
            return error.message

    async def main() -> list[Any]:
        return await asyncio.gather(*(outcome(f"r{n}") for n in range(8)))

    outcomes = asyncio.run(main())
    assert endpoint.waits == [1.0, 2.0, 4.0]
    tried = [key for now, key in endpoint.asked if now > 0]
    assert len(set(tried[:3])) == 3, "another one each time"
    assert endpoint.breaker.is_open is False
    # Four failures were their calls' own; the fifth opened, and those after it waited.
    assert outcomes.count("nobody there") == 4 and outcomes.count("yes") == 4


@pytest.mark.parametrize("kind", ["timeout", "server"])
def test_one_request_that_always_fails_is_not_a_dead_endpoint(kind: ErrorKind) -> None:
    endpoint = Endpoint(kind)

    async def main() -> None:
        for _ in range(50):
            await endpoint.fail("poison")

    asyncio.run(main())
    assert not endpoint.breaker.is_open and endpoint.waits == []


def test_any_answer_starts_the_count_anew() -> None:
    async def main() -> None:
        for kind in ("server", "server", "server", "server", None) * 5:
            endpoint.kind = kind
            await (endpoint.fail(f"{len(endpoint.asked)}") if kind else endpoint.ask("good"))
        for kind in ("server", "server", "server", "server", "rate_limited") * 5:
            endpoint.kind = kind
            await endpoint.fail(f"{len(endpoint.asked)}")

    endpoint = Endpoint()
    asyncio.run(main())
    assert not endpoint.breaker.is_open


def test_says_once_that_it_waits_and_once_that_it_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    endpoint = Endpoint("connection")
    endpoint.recovers_at = 60.0

    async def main() -> None:
        for _ in range(4):
            await endpoint.fail("a")
        await endpoint.ask("a")

    with caplog.at_level(logging.WARNING):
        asyncio.run(main())
    said = [record.getMessage() for record in caplog.records]
    assert len(said) == 2
    assert said[0].startswith("it has not answered for 1 s (nobody there); waiting")
    assert said[1] == "it answers again after 61 s"
    assert endpoint.waits == [1, 2, 4, 8, 16, 30]
    assert endpoint.repeated == 6


def test_short_trouble_is_not_worth_a_word(caplog: pytest.LogCaptureFixture) -> None:
    endpoint = Endpoint("connection")
    endpoint.recovers_at = 1.0

    async def main() -> None:
        for _ in range(4):
            await endpoint.fail("a")
        await endpoint.ask("a")

    asyncio.run(main())
    assert caplog.records == []


def test_gives_up_in_the_end_with_the_cause_and_the_cure() -> None:
    endpoint = Endpoint("connection", dead_after_s=10)

    async def main() -> ToolkitError:
        for _ in range(4):
            await endpoint.fail("a")
        with pytest.raises(ToolkitError) as raised:
            await endpoint.ask("a")
        return raised.value

    error = asyncio.run(main())
    assert (error.kind, error.exit_code) == ("prerequisite", 3)
    assert error.message == "it has not answered for 10 s: nobody there"
    assert "run the same command again" in error.hint
    assert sum(endpoint.waits) == 10


def test_cancelled_try_leaves_the_turn_to_the_next() -> None:
    endpoint = Endpoint("connection")

    async def main() -> None:
        for _ in range(4):
            await endpoint.fail("a")
        first = asyncio.create_task(endpoint.ask("a"))
        while not endpoint.breaker.is_open:
            await asyncio.sleep(0)
        second = asyncio.create_task(endpoint.ask("b"))
        await asyncio.sleep(0)
        first.cancel()
        endpoint.kind = None
        assert await asyncio.wait_for(second, 5) == "yes"

    asyncio.run(main())
