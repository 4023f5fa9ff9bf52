"""Quotas and silences as providers state them."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from email.utils import formatdate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.rate_headers import Rate, read_rate_limits, retry_after


def openai(limit: str, remaining: str = "", reset: str = "") -> dict[str, str]:
    fields = {"limit": limit, "remaining": remaining, "reset": reset}
    return {f"x-ratelimit-{name}-requests": value for name, value in fields.items() if value}


def test_openai_names() -> None:
    limits = read_rate_limits(
        {
            "X-RateLimit-Limit-Requests": "10000",
            "X-RateLimit-Remaining-Requests": "9999",
            "X-RateLimit-Reset-Requests": "6ms",
            "x-ratelimit-limit-tokens": "200000",
        }
    )
    assert limits is not None
    assert limits.requests == Rate(10_000, 9_999, 0.006)
    assert limits.tokens == Rate(200_000, None, None)


def test_anthropic_names_and_litellms_prefix() -> None:
    reset = datetime.fromtimestamp(time.time() + 30, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    limits = read_rate_limits(
        {
            "llm_provider-anthropic-ratelimit-tokens-limit": "80000",
            "llm_provider-anthropic-ratelimit-tokens-remaining": "40000",
            "llm_provider-anthropic-ratelimit-tokens-reset": reset,
        }
    )
    assert limits is not None and limits.tokens is not None and limits.requests is None
    assert limits.tokens[:2] == (80_000, 40_000)
    assert limits.tokens.reset_s == pytest.approx(30, abs=2)


@pytest.mark.parametrize(
    ("remaining", "reset", "per_minute"),
    [
        ("14370", "3m0s", None),  # 30 of 14,400 back in 180 s: a day
        ("7200", "30s", 14_400),  # half of it back in half a minute
        ("14399", "6s", None),
        ("14400", "0s", 14_400),
        ("14399", "1s", 14_400),  # rounded: says nothing
        ("", "", 14_400),
    ],
)
def test_quota_of_a_day_is_told_from_that_of_a_minute(
    remaining: str, reset: str, per_minute: int | None
) -> None:
    limits = read_rate_limits(openai("14400", remaining, reset))
    assert limits is not None and limits.requests is not None
    assert limits.requests.per_minute == per_minute


def test_no_quota_no_limits() -> None:
    assert read_rate_limits({"content-type": "application/json"}) is None
    assert read_rate_limits(openai("0")) is None
    assert read_rate_limits(openai("many", "few", "soon")) is None


def test_retry_after_in_all_its_forms() -> None:
    assert retry_after({"Retry-After": "2.5"}) == 2.5
    assert retry_after({"retry-after-ms": "250", "retry-after": "9"}) == 0.25
    dated = retry_after({"retry-after": formatdate(time.time() + 60, usegmt=True)})
    assert dated == pytest.approx(60, abs=2)
    assert retry_after({"retry-after": formatdate(time.time() - 60, usegmt=True)}) == 0.0
    assert retry_after({"retry-after": "soon"}) is None
    assert retry_after(openai("60", "0", "1m30s")) == 90.0
    assert retry_after(openai("60", "5", "1m30s")) is None


@given(st.dictionaries(st.sampled_from([*openai("1", "1", "1"), "retry-after"]), st.text()))
def test_no_header_is_an_error(headers: dict[str, str]) -> None:
    read_rate_limits(headers)
    assert (retry_after(headers) or 0.0) >= 0.0
