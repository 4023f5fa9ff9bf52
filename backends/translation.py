"""LiteLLM as a translator: a chat completion into a provider's own request, and back.

LiteLLM translates for every provider, but offers no batch calls for Anthropic's and Gemini's own
batches. Both directions are had from its ordinary call, over a connection that goes nowhere.
"""

from __future__ import annotations

import contextlib
import json
from typing import Any, NamedTuple

from backends.base import TokenUsage
from backends.quiet_litellm import import_litellm, record_arguments

_BETA = "anthropic-beta"
# What OpenAI, Anthropic and Gemini call the tokens that are paid.
_PROMPT_TOKENS = (
    "prompt_tokens", "input_tokens", "cache_creation_input_tokens", "cache_read_input_tokens",
    "promptTokenCount",
)  # fmt: skip
_COMPLETION_TOKENS = (
    "completion_tokens", "output_tokens", "candidatesTokenCount", "thoughtsTokenCount",
)  # fmt: skip


class ProviderRequest(NamedTuple):
    """A request in the provider's format, and the headers that it needs besides the key."""

    body: dict[str, Any]
    headers: dict[str, str]


class _Captured(BaseException):
    """The request is known; there is no answer to give.

    Not an Exception: LiteLLM takes 20 ms to explain one.
    """


async def to_provider(model: str, arguments: dict[str, Any]) -> ProviderRequest:
    """What LiteLLM would send for this chat completion. Raises what LiteLLM raises."""
    seen: list[ProviderRequest] = []

    def keep(request: Any) -> Any:
        headers = {_BETA: request.headers[_BETA]} if _BETA in request.headers else {}
        seen.append(ProviderRequest(json.loads(request.content), headers))
        raise _Captured

    with contextlib.suppress(_Captured):
        await _call(model, arguments, keep)
    return seen[0]


async def from_provider(model: str, arguments: dict[str, Any], answer: dict[str, Any]) -> Any:
    """LiteLLM's response for the provider's `answer`, its cost included. Raises as it does."""

    def give(request: Any) -> Any:
        import httpx

        return httpx.Response(200, json=answer)

    return await _call(model, arguments, give)


def stated_tokens(answer: Any) -> TokenUsage:
    """The tokens that a provider's own answer states, for one that cannot be read; else none."""
    found = answer if isinstance(answer, dict) else {}
    counted = found.get("usage") or found.get("usageMetadata")
    if not isinstance(counted, dict):
        return TokenUsage()
    try:
        return TokenUsage(
            prompt_tokens=sum(counted.get(name) or 0 for name in _PROMPT_TOKENS),
            completion_tokens=sum(counted.get(name) or 0 for name in _COMPLETION_TOKENS),
        )
    except (TypeError, ValueError):
        return TokenUsage()


async def _call(model: str, arguments: dict[str, Any], handle: Any) -> Any:
    import httpx

    litellm = import_litellm()
    async with httpx.AsyncClient(transport=httpx.MockTransport(handle)) as http:
        return await litellm.acompletion(
            model=model,
            client=_client(model, http),
            api_key="none",
            num_retries=0,
            max_retries=0,
            drop_params=True,
            **record_arguments(model, arguments["messages"]),
            **arguments,
        )


def _client(model: str, http: Any) -> Any:
    """`http` in the form in which LiteLLM takes it for this model."""
    if model.startswith(("anthropic/", "claude", "gemini/")):
        from litellm.llms.custom_httpx.http_handler import AsyncHTTPHandler

        handler = AsyncHTTPHandler()
        handler.client = http
        return handler
    from openai import AsyncOpenAI

    return AsyncOpenAI(api_key="none", http_client=http, max_retries=0)
