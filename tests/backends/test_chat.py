"""What providers put into a chat completion, and what is read from it."""

from __future__ import annotations

from typing import Any

import pytest

from backends.base import Completion
from backends.chat import read_completion
from runtime.errors import ToolkitError


def read(content: Any = "yes", finish_reason: str = "stop", **choice: Any) -> Completion:
    message = {"role": "assistant", "content": content}
    return read_completion(
        {"choices": [{"message": message, "finish_reason": finish_reason, **choice}]}, "m"
    )


def test_parts_of_text_are_joined_without_the_thoughts() -> None:
    thoughts = {"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}
    parts = [thoughts, {"type": "text", "text": "a "}, {"type": "text", "text": "cat"}]
    assert read(parts).text == "a cat"


@pytest.mark.parametrize("reason", ["error", "network_error", "abort"])
def test_answer_that_the_provider_broke_off_is_asked_again(reason: str) -> None:
    with pytest.raises(ToolkitError, match="broke off") as raised:
        read("It shows a cat and", reason)
    assert raised.value.retryable


@pytest.mark.parametrize("logprob", [None, float("-inf"), float("nan")])
def test_log_probability_that_is_no_number_can_be_cached(logprob: float | None) -> None:
    top = [{"token": "a", "logprob": -0.1}, {"token": "b", "logprob": logprob}]
    tokens = [{"token": "a", "logprob": logprob, "top_logprobs": top}]
    completion = read(logprobs={"content": tokens})
    assert completion.logprobs is not None
    assert completion.logprobs[0].logprob == -9999
    assert completion.logprobs[0].top == {"a": -0.1, "b": -9999}
    assert Completion.model_validate_json(completion.model_dump_json()) == completion
