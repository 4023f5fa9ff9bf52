"""Every way a provider fails, as one kind of error with a cure."""

from __future__ import annotations

import time
from email.utils import formatdate

import pytest

from backends.provider_errors import from_exception, from_status


@pytest.mark.parametrize(
    ("status", "text", "kind"),
    [
        (400, "bad schema", "bad_request"),
        (400, "This model's maximum context length is 4096 tokens", "context_too_long"),
        (400, "the request exceeds the available context size", "context_too_long"),
        (400, "flagged by our content policy", "refused"),
        (400, "API key not valid. Please pass a valid API key.", "auth"),
        (401, "", "auth"),
        (403, "", "auth"),
        (403, "model requires moderation and your input was flagged", "refused"),
        (404, "no such model", "config"),
        (408, "", "timeout"),
        (413, "", "context_too_long"),
        (422, "unknown field", "bad_request"),
        (429, "", "rate_limited"),
        (429, "You exceeded your current quota", "rate_limited"),
        (429, '{"error": {"code": "insufficient_quota"}}', "auth"),
        (500, "", "server"),
        (503, "overloaded", "server"),
        (529, "overloaded", "server"),
    ],
)
def test_status(status: int, text: str, kind: str) -> None:
    error = from_status("m", status, text, {})
    assert error.kind == kind
    assert error.message.startswith("m: ") and error.hint


def test_retry_after_as_seconds_and_as_date() -> None:
    def seconds(value: str) -> float | None:
        return from_status("m", 429, "", {"retry-after": value}).retry_after

    assert seconds("1.5") == 1.5
    assert seconds("soon") is None
    dated = seconds(formatdate(time.time() + 60, usegmt=True))
    assert dated is not None and 50 < dated <= 60


def test_gemini_states_its_delay_in_the_body() -> None:
    text = '{"details": [{"retryDelay": "45.8s"}]}'
    assert from_status("m", 429, text, {}).retry_after == 45.8
    assert from_status("m", 429, text, {"retry-after": "2"}).retry_after == 2


def test_secrets_and_long_texts_are_not_repeated() -> None:
    error = from_status("m", 500, "key sk-123 " + "x" * 9999, {}, secret="sk-123")
    assert "sk-123" not in error.message and len(error.message) < 400
    assert "sk-1" not in from_status("m", 401, "wrong key sk-1**", {}).message


def test_litellm_exceptions_by_their_most_specific_class() -> None:
    import litellm

    def kind(cls: type, **extra: object) -> str:
        error = from_exception("m", cls("why", model="m", llm_provider="p", **extra))
        assert error is not None
        return error.kind

    assert kind(litellm.ContextWindowExceededError) == "context_too_long"
    assert kind(litellm.ContentPolicyViolationError) == "refused"
    assert kind(litellm.BadRequestError) == "bad_request"
    assert kind(litellm.RateLimitError) == "rate_limited"
    assert kind(litellm.Timeout) == "timeout"
    assert kind(litellm.ServiceUnavailableError) == "server"
    assert from_exception("m", KeyError("a bug")) is None


def test_no_credit_is_told_from_a_rate_limit_by_what_litellm_made_of_it() -> None:
    import litellm

    cause = RuntimeError("what OpenAI's client raises")
    cause.code = "insufficient_quota"  # type: ignore[attr-defined]
    error = litellm.RateLimitError("your current quota", model="m", llm_provider="p")
    error.__cause__ = cause
    known = from_exception("m", error)
    assert known is not None and (known.kind, known.exit_code) == ("auth", 3)
