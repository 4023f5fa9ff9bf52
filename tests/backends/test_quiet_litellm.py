"""LiteLLM with our record of a call: the same prices, and none of the reports."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from backends import quiet_litellm
from backends.litellm_driver import LiteLLMBackend
from backends.prices import table_price
from backends.quiet_litellm import import_litellm, record_arguments
from backends.translation import from_provider
from schemas.config import LiteLLMConfig

MESSAGES = [{"role": "user", "content": "What is shown?"}]
GEMINI = {
    "candidates": [
        {"content": {"parts": [{"text": "A cat."}], "role": "model"}, "finishReason": "STOP"}
    ],
    "usageMetadata": {
        "promptTokenCount": 300_000,
        "candidatesTokenCount": 50,
        "thoughtsTokenCount": 30,
        "totalTokenCount": 300_080,
    },
}
ANTHROPIC = {
    "id": "msg_1",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5",
    "content": [{"type": "text", "text": "A cat."}],
    "stop_reason": "end_turn",
    "usage": {"input_tokens": 900, "cache_read_input_tokens": 100, "output_tokens": 50},
}
OPENAI = {
    "id": "c",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-4o-2024-05-13",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "A"}, "finish_reason": "stop"}
    ],
    "usage": {
        "prompt_tokens": 900,
        "completion_tokens": 50,
        "total_tokens": 950,
        "prompt_tokens_details": {"cached_tokens": 400},
    },
}
ANSWERS = pytest.mark.parametrize(
    ("model", "answer"),
    [
        ("gemini/gemini-2.5-pro", GEMINI),  # dearer above 200,000 tokens, thoughts are paid
        ("anthropic/claude-sonnet-4-5", ANTHROPIC),
        ("openai/gpt-4o", OPENAI),  # another snapshot answered, at another price
    ],
)


def price(model: str, answer: dict[str, Any]) -> float:
    response = asyncio.run(from_provider(model, {"messages": MESSAGES}, answer))
    backend = LiteLLMBackend(LiteLLMConfig(driver="litellm", model=model))
    return backend.read(response).usage.cost_usd


@ANSWERS
def test_price_is_the_one_litellm_states(
    model: str, answer: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = price(model, answer)
    monkeypatch.setattr("backends.translation.record_arguments", lambda *_: {})
    assert ours == pytest.approx(price(model, answer)) and ours > 0


def test_nothing_is_reported(monkeypatch: pytest.MonkeyPatch) -> None:
    import_litellm()
    from litellm.litellm_core_utils.litellm_logging import Logging

    def report(*_: Any, **__: Any) -> None:
        raise AssertionError("somebody wrote a report")

    for name in ("response_cost_calculator", "async_success_handler", "success_handler"):
        monkeypatch.setattr(Logging, name, report)
    assert price("gemini/gemini-2.5-pro", GEMINI) > 0


def test_without_a_price_none_is_looked_for() -> None:
    arguments = record_arguments("gemini/gemini-2.5-pro", MESSAGES, priced=False)
    record = arguments["litellm_logging_obj"]
    assert record.response_cost_calculator(None) is None


def test_litellm_with_other_records_goes_on_with_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    def changed(**_: Any) -> None:
        raise TypeError("unexpected keyword argument 'function_id'")

    monkeypatch.setattr(quiet_litellm, "_record_class", lambda: changed)
    assert record_arguments("gemini/gemini-2.5-pro", MESSAGES) == {}
    assert price("gemini/gemini-2.5-pro", GEMINI) > 0


@pytest.mark.parametrize(
    ("model", "known"),
    [
        ("gemini/gemini-2.5-pro", True),
        ("anthropic/claude-sonnet-4-5", True),
        ("hosted_vllm/gpt-4o", False),  # a server of one's own, whatever it calls its model
        ("gemini/no-such-model", False),
    ],
)
def test_table_knows_models_under_their_providers(model: str, known: bool) -> None:
    assert (table_price(model) is not None) == known
