"""What a run asked of its models and what it cost, in total and for each record."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field, fields

from backends.base import TokenUsage
from runtime.errors import ToolkitError


@dataclass
class Usage:
    """Counters. `requests` = answered from the cache + coalesced + asked live or failed.

    `calls` are attempts sent to a provider, `retries` those among them that repeat a failed
    one, `corrections` turns that told the model what was wrong with its answer, `rate_limited`
    answers of "too many requests". Tokens and US dollars are of live calls only: what is
    answered from the cache or shared with an identical request is free.
    """

    requests: int = 0
    cached: int = 0
    coalesced: int = 0
    calls: int = 0
    retries: int = 0
    corrections: int = 0
    rate_limited: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0


_SCOPES: ContextVar[tuple[Usage, ...]] = ContextVar("usage_scopes", default=())


@dataclass
class UsageMeter:
    """Counts a run's calls and keeps its budget.

    `spent_before_usd` is what earlier sessions of the same run spent of `budget_usd`.
    """

    budget_usd: float | None = None
    spent_before_usd: float = 0.0
    total: Usage = field(default_factory=Usage)

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

    def charge(self, tokens: TokenUsage) -> None:
        """Add the tokens and dollars of one answer."""
        for usage in (self.total, *_SCOPES.get()):
            usage.prompt_tokens += tokens.prompt_tokens
            usage.completion_tokens += tokens.completion_tokens
            usage.cost_usd += tokens.cost_usd

    def add(self, counted: Mapping[str, int | float]) -> None:
        """Add what another process counted for one record; names that are no counters are left."""
        for counter in fields(Usage):
            value = getattr(self.total, counter.name) + counted.get(counter.name, 0)
            setattr(self.total, counter.name, value)

    def check_budget(self) -> None:
        """Raises ToolkitError (budget) once the money is spent.

        Called before each call, so a run overshoots by the calls then in flight at most.
        """
        spent = self.spent_before_usd + self.total.cost_usd
        if self.budget_usd is not None and spent >= self.budget_usd:
            raise ToolkitError(
                "budget",
                f"the budget of ${self.budget_usd:.2f} is spent (${spent:.4f})",
                "raise --max-cost or `run: {budget_usd: …}` and run the same command again",
            )
