"""What a response's headers say about a key's quota, and how long to be silent."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from time import time
from typing import NamedTuple

_DURATION = re.compile(r"(\d+(?:\.\d+)?)(ms|s|m|h|d)")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_LONGEST_MINUTE_S = 120.0
_EXACT_RESET_S = 5.0
# OpenAI's names, which most others use too, and Anthropic's.
_NAMES = ("x-ratelimit-{field}-{kind}", "anthropic-ratelimit-{kind}-{field}")


class Rate(NamedTuple):
    """One kind of quota: how much a minute (None: not by the minute) and what is left of it.

    `reset_s` is the time until all of it is there again.
    """

    per_minute: int | None
    remaining: int | None
    reset_s: float | None


class RateLimits(NamedTuple):
    """The quota of requests and that of tokens; None where the headers name none."""

    requests: Rate | None
    tokens: Rate | None


def read_rate_limits(headers: Mapping[str, str]) -> RateLimits | None:
    """The quotas that `headers` state; None when they state none."""
    plain = {
        lower.removeprefix("llm_provider-"): str(value)
        for name, value in headers.items()
        if "ratelimit" in (lower := name.lower())
    }
    if not plain:
        return None  # as from every server of one's own: looking for each name would take longer
    limits = RateLimits(_rate(plain, "requests"), _rate(plain, "tokens"))
    return limits if limits.requests or limits.tokens else None


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the provider asks for: `retry-after-ms`, `Retry-After` as seconds or as an
    HTTP date, else the time until a quota that is used up is there again.
    """
    plain = {name.lower(): str(value) for name, value in headers.items()}
    milliseconds = _number(plain.get("retry-after-ms", ""))
    if milliseconds is not None:
        return max(0.0, milliseconds / 1000)
    if value := plain.get("retry-after"):
        return _seconds_or_date(value)
    rates = [rate for rate in read_rate_limits(headers) or () if rate and rate.remaining == 0]
    return max((rate.reset_s for rate in rates if rate.reset_s is not None), default=None)


def _rate(headers: Mapping[str, str], kind: str) -> Rate | None:
    def field(name: str) -> str:
        found = (headers.get(form.format(field=name, kind=kind)) for form in _NAMES)
        return next(filter(None, found), "")

    limit, remaining = _number(field("limit")), _number(field("remaining"))
    reset = _duration(field("reset"))
    if limit is None or limit < 1:
        return None
    left = None if remaining is None else max(0, int(remaining))
    by_minute = _window(limit, left, reset) <= _LONGEST_MINUTE_S
    return Rate(int(limit) if by_minute else None, left, reset)


def _window(limit: float, remaining: int | None, reset_s: float | None) -> float:
    """Seconds in which a whole quota comes back: some providers state the one of a day.

    A short reset is often rounded and says nothing; a minute is what most mean.
    """
    if remaining is None or reset_s is None or reset_s < _EXACT_RESET_S or remaining >= limit:
        return 60.0
    return reset_s * limit / (limit - remaining)


def _duration(text: str) -> float | None:
    """`1m30s`, `250ms`, plain seconds, or an RFC 3339 time, as seconds from now."""
    number = _number(text)
    if number is not None:
        return max(0.0, number)
    parts = _DURATION.findall(text)
    if parts and "".join(amount + unit for amount, unit in parts) == text:
        return sum(float(amount) * _SECONDS[unit] for amount, unit in parts)
    try:
        return max(0.0, datetime.fromisoformat(text).timestamp() - time())
    except (ValueError, OverflowError):
        return None


def _seconds_or_date(value: str) -> float | None:
    number = _number(value)
    if number is not None:
        return max(0.0, number)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time())
    except (ValueError, TypeError, OverflowError):
        return None


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if abs(value) < float("inf") else None
