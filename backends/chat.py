"""The chat-completions format: a request as its arguments, a response as a completion."""

from __future__ import annotations

import math
from typing import Any

from pydantic import BaseModel

from backends.base import (
    Capabilities,
    Completion,
    FinishReason,
    ModelRequest,
    TokenLogprob,
    TokenUsage,
)
from backends.images import data_uri
from backends.rate_headers import RateLimits
from backends.structured import Mode, structured_arguments
from runtime.errors import ToolkitError

_BROKEN_OFF = ("error", "network_error", "abort")
_IMPOSSIBLE = -9999.0  # as OpenAI writes it


def chat_arguments(
    request: ModelRequest, output: type[BaseModel], mode: Mode, capabilities: Capabilities
) -> dict[str, Any]:
    """Everything of a chat-completions call but the model. Raises ToolkitError (image)."""
    sampling = request.sampling
    arguments = structured_arguments(_messages(request), output, mode)
    arguments |= {"temperature": sampling.temperature, "max_tokens": sampling.max_tokens}
    if sampling.seed is not None and capabilities.seed:
        # Samples of one question must differ, and the same seed would draw the same one.
        arguments["seed"] = sampling.seed + request.sample_index
    if request.top_logprobs:
        arguments |= {"logprobs": True, "top_logprobs": request.top_logprobs}
    return arguments


def read_completion(
    response: dict[str, Any], model: str, limits: RateLimits | None = None
) -> Completion:
    """The first choice of a chat-completions response, whose headers stated `limits`.

    Raises ToolkitError (server) when the response is not of that format, or broken off.
    """
    try:
        choice = response["choices"][0]
        if choice.get("finish_reason") in _BROKEN_OFF:
            hint = "the provider failed; run the same command again later"
            raise ToolkitError("server", f"{model} broke off its answer", hint)
        message = choice["message"]
        counted = response.get("usage") or {}
        # LiteLLM keeps fields that are not of its own format in a drawer of their own.
        drawer = message.get("provider_specific_fields") or {}
        refusal = message.get("refusal") or drawer.get("refusal")
        reason: FinishReason = "refusal" if refusal else _finish_reason(choice)
        return Completion(
            text=refusal or _text(message.get("content")),
            finish_reason=reason,
            model=response.get("model") or model,
            usage=TokenUsage(
                prompt_tokens=counted.get("prompt_tokens") or 0,
                completion_tokens=counted.get("completion_tokens") or 0,
            ),
            logprobs=_logprobs(choice),
            limits=limits,
        )
    except (KeyError, IndexError, TypeError, AttributeError, ValueError) as error:
        raise ToolkitError(
            "server",
            f"{model} sent a response without an answer",
            "check that the endpoint serves chat completions",
        ) from error


def _messages(request: ModelRequest) -> list[dict[str, Any]]:
    messages: list[dict[str, Any]] = [
        {"role": message.role, "content": message.content} for message in request.messages
    ]
    if request.images:
        # Shown with the question, not with a correction of its answer.
        asked = next(message for message in messages if message["role"] == "user")
        shown = [
            {"type": "image_url", "image_url": {"url": data_uri(image.path)}}
            for image in request.images
        ]
        asked["content"] = [{"type": "text", "text": asked["content"]}, *shown]
    return messages


def _text(content: Any) -> str:
    """The answer itself: some models send a list of parts, of which their thoughts are others."""
    if isinstance(content, list):
        return "".join(part["text"] for part in content if part["type"] == "text")
    return content or ""


def _finish_reason(choice: dict[str, Any]) -> FinishReason:
    reason = choice.get("finish_reason")
    if reason in ("length", "max_tokens"):
        return "length"
    return "refusal" if reason in ("content_filter", "refusal") else "stop"


def _logprobs(choice: dict[str, Any]) -> tuple[TokenLogprob, ...] | None:
    content = (choice.get("logprobs") or {}).get("content")
    if content is None:
        return None
    return tuple(
        TokenLogprob(
            token=token["token"],
            logprob=_finite(token["logprob"]),
            top={top["token"]: _finite(top["logprob"]) for top in token.get("top_logprobs") or ()},
        )
        for token in content
    )


def _finite(logprob: float | None) -> float:
    """Some servers write null or -Infinity, which no cache could keep."""
    return logprob if logprob is not None and math.isfinite(logprob) else _IMPOSSIBLE
