"""Rates and adaptive concurrency against a clock that only sleeping moves."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.limits import Limiter, TokenBucket
from backends.rate_headers import Rate, RateLimits


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.now += seconds


def starts(limiter: Limiter, calls: int, tokens: int = 0) -> list[float]:
    async def one_after_another() -> list[float]:
        times = []
        for _ in range(calls):
            async with limiter.slot(tokens) as started:
                times.append(started)
        return times

    return asyncio.run(one_after_another())


@given(rpm=st.integers(1, 6000), calls=st.integers(1, 200))
def test_no_minute_has_more_than_rpm_and_a_seconds_worth(rpm: int, calls: int) -> None:
    clock = Clock()
    times = starts(Limiter(64, rpm=rpm, clock=clock, sleep=clock.sleep), calls)
    allowed = rpm + max(1, rpm / 60)
    for first in times:
        assert sum(first <= time < first + 60 - 1e-6 for time in times) <= allowed


def test_tokens_a_minute_count_what_was_really_used() -> None:
    clock = Clock()
    limiter = Limiter(1, tpm=6000, clock=clock, sleep=clock.sleep)
    assert starts(limiter, 2, tokens=100) == [100.0, 101.0]
    limiter.succeeded(estimated_tokens=100, used_tokens=1100)
    assert starts(limiter, 1, tokens=100) == [pytest.approx(112.0)]


def test_amount_above_the_burst_goes_out_and_is_paid_off() -> None:
    clock = Clock()
    bucket = TokenBucket(60, clock)
    assert bucket.take(30) == 0.0
    assert bucket.take(1) == pytest.approx(30.0)


def test_rate_limit_halves_once_a_round_and_pauses() -> None:
    clock = Clock()
    limiter = Limiter(16, clock=clock, sleep=clock.sleep)
    clock.now += 1
    limiter.rate_limited(started=clock.now, retry_after=5.0)
    clock.now += 0.1
    limiter.rate_limited(started=clock.now - 0.5, retry_after=None)
    assert limiter.limit == 8
    assert starts(limiter, 1) == [106.0]
    limiter.rate_limited(started=clock.now, retry_after=None)
    assert limiter.limit == 4


def test_nobody_waits_longer_than_ten_minutes_and_a_long_wait_is_told_once(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = Clock()
    limiter = Limiter(16, clock=clock, sleep=clock.sleep)
    for _ in range(3):
        limiter.rate_limited(started=clock.now, retry_after=86_400.0)
    assert starts(limiter, 1) == [700.0]
    assert [record.message for record in caplog.records] == [
        "the provider wants 600 s without calls; waiting"
    ]


def test_concurrency_never_falls_below_one_and_recovers_by_one_a_round() -> None:
    clock = Clock()
    limiter = Limiter(8, clock=clock, sleep=clock.sleep)
    for _ in range(10):
        clock.now += 1
        limiter.rate_limited(clock.now, None)
    assert limiter.limit == 1
    limiter.succeeded(0, 0)
    assert limiter.limit == 2
    limiter.succeeded(0, 0)
    limiter.succeeded(0, 0)
    assert 2.8 < limiter.limit < 3
    for _ in range(100):
        limiter.succeeded(0, 0)
    assert limiter.limit == 8


def test_slots_are_never_exceeded_nor_lost_to_cancelled_waiters() -> None:
    limiter = Limiter(2)
    most = 0

    async def hold() -> None:
        nonlocal most
        async with limiter.slot(0):
            most = max(most, limiter.active)
            await asyncio.sleep(0.001)

    async def main() -> None:
        tasks = [asyncio.create_task(hold()) for _ in range(30)]
        await asyncio.sleep(0)
        for task in tasks[::3]:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert limiter.active == 0
        await asyncio.wait_for(asyncio.gather(hold(), hold(), hold()), 5)

    asyncio.run(main())
    assert most == 2


def test_slot_given_to_a_waiter_in_the_moment_of_its_cancellation_is_passed_on() -> None:
    limiter = Limiter(1)

    async def main() -> None:
        release = asyncio.Event()

        async def hold() -> None:
            async with limiter.slot(0):
                await release.wait()

        first, second, third = (asyncio.create_task(hold()) for _ in range(3))
        await asyncio.sleep(0)
        release.set()
        while not first.done():
            await asyncio.sleep(0)
        second.cancel()
        await asyncio.wait_for(third, 5)
        assert limiter.active == 0

    asyncio.run(main())


def stated(per_minute: int | None, remaining: int | None, reset_s: float | None) -> RateLimits:
    return RateLimits(Rate(per_minute, remaining, reset_s), None)


def test_stated_rate_is_adopted_and_follows_what_is_stated_next() -> None:
    clock = Clock()
    limiter = Limiter(1, clock=clock, sleep=clock.sleep)
    limiter.adopt(stated(60, 60, None))
    assert starts(limiter, 3) == [100.0, 101.0, 102.0]
    limiter.adopt(stated(600, None, None))
    assert limiter.rates == (600, None)


def test_what_others_used_of_the_key_is_not_there() -> None:
    clock = Clock()
    limiter = Limiter(1, clock=clock, sleep=clock.sleep)
    limiter.adopt(stated(600, 0, 1.0))
    assert starts(limiter, 1) == [pytest.approx(100.1)]


def test_rate_of_the_config_wins_over_what_is_stated() -> None:
    limiter = Limiter(1, rpm=30, tpm=500)
    limiter.adopt(RateLimits(Rate(6000, 0, None), Rate(10**6, 0, None)))
    assert limiter.rates == pytest.approx((30, 500))


def test_used_up_quota_of_a_day_pauses_until_its_end_or_ten_minutes() -> None:
    clock = Clock()
    limiter = Limiter(4, clock=clock, sleep=clock.sleep)
    limiter.adopt(stated(None, 3, 9000.0))
    assert (limiter.rates, starts(limiter, 1)) == ((None, None), [100.0])
    limiter.adopt(stated(None, 0, 30.0))
    assert starts(limiter, 1) == [130.0]
    limiter.adopt(stated(None, 0, 9000.0))
    assert starts(limiter, 1) == [730.0]
