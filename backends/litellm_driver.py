"""Any model that LiteLLM reaches. LiteLLM is imported at the first call, not before."""

from __future__ import annotations

import asyncio
import logging
import os
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from pydantic import BaseModel

from backends.base import Capabilities, Completion, ModelRequest
from backends.chat import chat_arguments, read_completion
from backends.prices import table_price
from backends.provider_errors import from_exception
from backends.quiet_litellm import import_litellm, record_arguments
from backends.rate_headers import read_rate_limits
from backends.structured import Mode
from runtime.errors import ToolkitError
from schemas.config import LiteLLMConfig

if TYPE_CHECKING:
    from backends.openai_http import OpenAIEndpoint

logger = logging.getLogger(__name__)

_OPENAI_COMPATIBLE = ("hosted_vllm/", "openai/")
# OpenAI's own newer models rename parameters, which LiteLLM knows to do.
_OPENAI_HOST = "api.openai.com"
_PROBE_S = 3.0
_KEY_VARIABLES = {
    "anthropic": ("ANTHROPIC_API_KEY",),
    "cohere_chat": ("COHERE_API_KEY",),
    "deepseek": ("DEEPSEEK_API_KEY",),
    "fireworks_ai": ("FIREWORKS_AI_API_KEY", "FIREWORKS_API_KEY"),
    "gemini": ("GEMINI_API_KEY", "GOOGLE_API_KEY"),
    "groq": ("GROQ_API_KEY",),
    "mistral": ("MISTRAL_API_KEY",),
    "openai": ("OPENAI_API_KEY",),
    "openrouter": ("OPENROUTER_API_KEY",),
    "together_ai": ("TOGETHERAI_API_KEY", "TOGETHER_API_KEY"),
    "xai": ("XAI_API_KEY",),
}


class LiteLLMBackend:
    """One LiteLLM model id.

    `hosted_vllm/…` or `openai/…` with an `api_base` of one's own is any OpenAI-compatible endpoint
    (vLLM, SGLang, llama.cpp, TGI) and goes there directly; every other id goes through LiteLLM.
    """

    def __init__(self, config: LiteLLMConfig, identity: str | None = None) -> None:
        self.config = config
        # Where it is served does not change what a model says: a moved server keeps its cache.
        self.identity = identity or f"{config.model}#{config.structured}"
        self._endpoint: OpenAIEndpoint | None = None
        self._price_warned = False

    @cached_property
    def capabilities(self) -> Capabilities:
        """What the config states; else LiteLLM's table. An OpenAI-compatible endpoint of one's
        own is not in it, and is taken to have all but vision.
        """
        model, config = self.config.model, self.config
        known: dict[str, bool] = {"json_schema": True, "logprobs": True, "seed": True}
        if not self._is_direct:
            litellm = import_litellm()
            supported = litellm.get_supported_openai_params(model) or []
            known = {name: name in supported for name in ("logprobs", "seed")}
            known["json_schema"] = bool(config.api_base) or litellm.supports_response_schema(model)
            known["vision"] = litellm.supports_vision(model)
        stated = {"vision": config.vision, "logprobs": config.logprobs}
        return Capabilities(**known | {k: v for k, v in stated.items() if v is not None})

    async def complete(
        self, request: ModelRequest, output: type[BaseModel], **more: Any
    ) -> Completion:
        """Ask the model once, with `more` fields in the call. Raises ToolkitError."""
        arguments = self.arguments(request, output) | more
        name = self.config.model
        if self._is_direct:
            answer, headers = await self._opened().chat(name.split("/", 1)[1], arguments)
            return read_completion(answer, name, read_rate_limits(headers))
        return self.read(await self._through_litellm(arguments))

    def arguments(self, request: ModelRequest, output: type[BaseModel]) -> dict[str, Any]:
        """Everything of the chat completion but the model. Raises ToolkitError (image)."""
        return chat_arguments(request, output, self._mode(), self.capabilities)

    def read(self, response: Any) -> Completion:
        """LiteLLM's response as a completion with its price. Raises ToolkitError (server)."""
        stated = read_rate_limits(response._hidden_params.get("additional_headers") or {})
        completion = read_completion(response.model_dump(), self.config.model, stated)
        paid = completion.usage.model_copy(update={"cost_usd": self._cost(response)})
        return completion.model_copy(update={"usage": paid})

    async def check(self) -> None:
        """The key is set and the endpoint answers. Raises ToolkitError (auth, prerequisite)."""
        config = self.config
        accepted = key_variables(config)
        if accepted and key_value(config) is None:
            raise ToolkitError(
                "auth",
                f"{config.model}: environment variable {accepted[0]} is not set",
                f"export {accepted[0]}=… or choose another backend with --backend",
            )
        if config.api_base:
            await _probe(config.api_base, config.model)

    async def close(self) -> None:
        """Close the connections."""
        if self._endpoint is not None:
            await self._endpoint.close()
        if import_litellm.cache_info().currsize:
            litellm = import_litellm()
            await litellm.close_litellm_async_clients()
            litellm.in_memory_llm_clients_cache.flush_cache()  # else closed ones are used again

    @cached_property
    def _is_direct(self) -> bool:
        return _is_own(self.config) and self.config.model.startswith(_OPENAI_COMPATIBLE)

    def _mode(self) -> Mode:
        if self.config.structured != "auto":
            return self.config.structured
        if self.capabilities.json_schema:
            return "json_schema"
        supported = import_litellm().get_supported_openai_params(self.config.model) or []
        return "json" if "response_format" in supported else "prompt"

    def _opened(self) -> OpenAIEndpoint:
        # Imported at the first call: aiohttp takes as long as some thousand cached answers.
        from backends.openai_http import OpenAIEndpoint

        if self._endpoint is None:
            self._endpoint = OpenAIEndpoint(self.config.api_base or "", key_value(self.config))
        return self._endpoint

    async def _through_litellm(self, arguments: dict[str, Any]) -> Any:
        key, model = key_value(self.config), self.config.model
        own_endpoint = {"api_base": self.config.api_base} if self.config.api_base else {}
        record = record_arguments(model, arguments["messages"], priced=self._has_price)
        try:
            return await import_litellm().acompletion(
                model=model,
                # The OpenAI client insists on a key; own endpoints mostly want none.
                api_key=key or ("none" if own_endpoint else None),
                num_retries=0,
                max_retries=0,
                timeout=self.config.timeout_s,
                drop_params=True,
                **own_endpoint,
                **record,
                **arguments,
            )
        except Exception as error:
            known = from_exception(model, error, key or "")
            if known is None:
                raise
            raise known from error

    @cached_property
    def _has_price(self) -> bool:
        """Whether LiteLLM may know a price that counts."""
        config = self.config
        return config.price is None and not (config.api_base and table_price(config.model) is None)

    def _cost(self, response: Any) -> float:
        """US dollars by LiteLLM's table; 0 for an own endpoint and for an unknown price."""
        cost = response._hidden_params.get("response_cost")
        config = self.config
        if cost is None and not (config.api_base or config.price or self._price_warned):
            self._price_warned = True
            logger.warning("%s: price unknown, counted as $0; set `price`", config.model)
        return float(cost or 0.0)


def key_variables(config: LiteLLMConfig) -> tuple[str, ...]:
    """Names of the environment variables of which one must hold the key; the first is usual."""
    if config.api_key_env:
        return (config.api_key_env,)
    return () if _is_own(config) else _KEY_VARIABLES.get(provider_name(config.model), ())


def key_value(config: LiteLLMConfig) -> str | None:
    """The key, from the first of its variables that is set; read from a file it has a line end."""
    values = (os.environ.get(variable, "").strip() for variable in key_variables(config))
    return next(filter(None, values), None)


def _is_own(config: LiteLLMConfig) -> bool:
    """Whether `api_base` names an endpoint of one's own; OpenAI's may be written out."""
    return config.api_base is not None and urlsplit(config.api_base).hostname != _OPENAI_HOST


def provider_name(model: str) -> str:
    """Name of the provider of a LiteLLM model id."""
    if "/" in model:
        return model.split("/", 1)[0]
    return "anthropic" if model.startswith("claude") else "openai"


async def _probe(url: str, model: str) -> None:
    address = urlsplit(url)
    port = address.port or (443 if address.scheme == "https" else 80)
    try:
        opening = asyncio.open_connection(address.hostname, port)
        _, writer = await asyncio.wait_for(opening, _PROBE_S)
        writer.close()
    except (OSError, TimeoutError) as error:
        start = "ollama serve" if model.startswith("ollama") else "vllm serve MODEL"
        shown = url.replace(address.netloc, address.netloc.rpartition("@")[2])
        raise ToolkitError(
            "prerequisite",
            f"{model}: nothing answers at {shown}",
            f"start it, e.g. `{start}`, or correct `api_base` in the config",
        ) from error
