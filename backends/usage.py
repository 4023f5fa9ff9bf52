"""What a run asked of its models and what it cost, in total and for each record."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, fields

from backends.base import TokenUsage
from runtime.errors import ToolkitError
from schemas.config import Price

_ROUNDING_USD = 1e-9


@dataclass
class Usage:
    """Counters. `requests` = answered from the cache + coalesced + asked live or failed.

    `calls` are attempts sent to a provider, `retries` those among them that repeat a failed
    one, `corrections` turns that told the model what was wrong with its answer, `rate_limited`
    answers of "too many requests", `answers` those that were paid for. Tokens and US dollars are
    of live calls only: what is answered from the cache or shared with an identical request is free.
    """

    requests: int = 0
    cached: int = 0
    coalesced: int = 0
    calls: int = 0
    retries: int = 0
    corrections: int = 0
    rate_limited: int = 0
    answers: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0


def priced(tokens: TokenUsage, price: Price | None) -> TokenUsage:
    """At `price` where the config has one, else as the driver knew it."""
    if price is None:
        return tokens
    cost = tokens.prompt_tokens * price.input + tokens.completion_tokens * price.output
    return tokens.model_copy(update={"cost_usd": cost / 1e6})


_SCOPES: ContextVar[tuple[Usage, ...]] = ContextVar("usage_scopes", default=())


@dataclass
class UsageMeter:
    """Counts a run's calls and keeps its budget.

    `spent_before_usd` is what earlier sessions of the same run spent of `budget_usd`. `pay` is
    told the backend, the usage and the number (one) of every answer before it is used.
    """

    budget_usd: float | None = None
    spent_before_usd: float = 0.0
    pay: Callable[[str, TokenUsage, int], None] | None = None
    total: Usage = field(default_factory=Usage)
    _reserved: list[float] = field(default_factory=list)
    _dearest: dict[str, float] = field(default_factory=dict)
    _waiting: list[asyncio.Future[None]] = field(default_factory=list)

    @contextmanager
    def scope(self) -> Iterator[Usage]:
        """Count what happens inside the block, and in tasks created inside, by itself too."""
        usage = Usage()
        token = _SCOPES.set((*_SCOPES.get(), usage))
        try:
            yield usage
        finally:
            _SCOPES.reset(token)

    def count(self, counter: str) -> None:
        """Add one to a counter of the run and of every scope around."""
        for usage in (self.total, *_SCOPES.get()):
            setattr(usage, counter, getattr(usage, counter) + 1)

    def charge(self, tokens: TokenUsage, backend: str = "") -> None:
        """Add the tokens and dollars of one answer of `backend`."""
        for usage in (self.total, *_SCOPES.get()):
            usage.answers += 1
            usage.prompt_tokens += tokens.prompt_tokens
            usage.completion_tokens += tokens.completion_tokens
            usage.cost_usd += tokens.cost_usd
        self._dearest[backend] = max(self._dearest.get(backend, 0.0), tokens.cost_usd)
        if self.pay:
            self.pay(backend, tokens, 1)

    @property
    def spent_usd(self) -> float:
        """What the run has paid, earlier sessions included."""
        return self.spent_before_usd + self.total.cost_usd

    @asynccontextmanager
    async def admitted(self, backend: str, worst_usd: float) -> AsyncIterator[None]:
        """Hold the money of one call while it is in flight.

        It is held to cost what the dearest answer of `backend` did, before the first one
        `worst_usd`. Where that may be too much, it waits for the calls in flight; a call alone
        in flight may always go. Raises ToolkitError (budget) once the money is spent.
        """
        if self.budget_usd is None:
            yield
            return
        while True:
            self.check_budget()
            expected = self._dearest.get(backend, worst_usd)
            held = self.spent_usd + sum(self._reserved)
            if not self._reserved or held + expected <= self.budget_usd + _ROUNDING_USD:
                break
            turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self._waiting.append(turn)
            await turn
        self._reserved.append(expected)
        try:
            yield
        finally:
            self._reserved.remove(expected)
            waiting, self._waiting = self._waiting, []
            for turn in waiting:
                if not turn.done():
                    turn.set_result(None)

    def add(self, counted: Mapping[str, int | float]) -> None:
        """Add what another process counted for one record; names that are no counters are left."""
        for counter in fields(Usage):
            value = getattr(self.total, counter.name) + counted.get(counter.name, 0)
            setattr(self.total, counter.name, value)

    def check_budget(self) -> None:
        """Raises ToolkitError (budget) once the money is spent."""
        spent = self.spent_usd
        if self.budget_usd is not None and spent >= self.budget_usd - _ROUNDING_USD:
            raise ToolkitError(
                "budget",
                f"the budget of ${self.budget_usd:.2f} is spent (${spent:.4f})",
                "raise --max-cost or `run: {budget_usd: …}` and run the same command again",
            )
