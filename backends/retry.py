"""When a failed call is tried again: one policy for every driver."""

from __future__ import annotations

import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from tenacity import AsyncRetrying, RetryCallState, retry_if_exception, wait_random_exponential

from backends.limits import Sleep
from runtime.errors import ToolkitError

T = TypeVar("T")

MAX_ATTEMPTS = 6
MAX_TRANSIENT = 5
MAX_RETRY_AFTER_S = 600.0

_backoff = wait_random_exponential(multiplier=0.5, max=20)


@dataclass
class Attempts:
    """The tries that one request has had, those of its correction turn included."""

    used: int = 0
    transient: int = 0

    def worth_another(self, error: BaseException) -> bool:
        """Whether the same call may be sent again after `error`.

        A timeout, a lost connection or a server error is tried 5 times, "too many requests"
        until 6 attempts are used, unless the provider wants more than ten minutes of silence.
        """
        if not isinstance(error, ToolkitError) or not error.retryable or self.left == 0:
            return False
        if error.kind == "rate_limited":
            return (error.retry_after or 0.0) <= MAX_RETRY_AFTER_S
        return self.transient < MAX_TRANSIENT

    @property
    def left(self) -> int:
        """How many more may be sent."""
        return MAX_ATTEMPTS - self.used


async def retry(
    call: Callable[[], Awaitable[T]],
    attempts: Attempts,
    on_retry: Callable[[], None],
    sleep: Sleep,
) -> T:
    """Await `call()` until it succeeds or `attempts` says that another try is not worth it.

    Waits as long as the provider asked for, else a random time that doubles. Raises the last
    error.
    """

    async def attempt() -> T:
        attempts.used += 1
        try:
            return await call()
        except ToolkitError as error:
            attempts.transient += error.retryable and error.kind != "rate_limited"
            raise

    # Most calls succeed at once, and tenacity takes a tenth of a call's CPU time: it is told of
    # the first attempt only when that has failed.
    try:
        return await attempt()
    except ToolkitError as error:
        failed: list[ToolkitError] = [error]

    async def again() -> T:
        if failed:
            raise failed.pop()
        return await attempt()

    retrying = AsyncRetrying(
        retry=retry_if_exception(attempts.worth_another),
        wait=_wait,
        before_sleep=lambda state: on_retry(),
        sleep=sleep,
        reraise=True,
    )
    return await retrying(again)


def _wait(state: RetryCallState) -> float:
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, ToolkitError) else None
    # Some say 0 and go on refusing: that is no answer to "when".
    return asked * random.uniform(1.0, 1.25) if asked else _backoff(state)
