"""`--batch`: requests are collected, handed in at half the price, and fetched by a later start."""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from backends.base import Backend, Completion, ModelRequest, TokenUsage
from backends.batch_apis import AnthropicBatches, BatchApi, GeminiBatches, Lines, OpenAIBatches
from backends.batch_store import Answered, Batch, BatchStore, Queued
from backends.limits import Sleep
from backends.litellm_driver import LiteLLMBackend, key_value, provider_name
from backends.prices import table_price
from backends.provider_errors import from_exception, from_status
from backends.retry import Attempts, retry
from backends.translation import ProviderRequest, from_provider, stated_tokens, to_provider
from backends.usage import UsageMeter, priced
from runtime.errors import PendingError, ToolkitError
from schemas.config import BackendConfig, LiteLLMConfig

logger = logging.getLogger(__name__)

MAX_TRIES = 3
_WITHOUT_ANSWER = 504
_SHOWN_CHARACTERS = 300
_UNREADABLE = "run again with --retry-rejected, or try another backend for these records"

_APIS: dict[str, type[OpenAIBatches] | type[AnthropicBatches] | type[GeminiBatches]] = {
    "openai": OpenAIBatches,
    "anthropic": AnthropicBatches,
    "gemini": GeminiBatches,
}


def has_batches(profile: BackendConfig) -> bool:
    """Whether a backend's provider takes batches; the others of a run are asked as ever."""
    return isinstance(profile, LiteLLMConfig) and provider_name(profile.model) in _APIS


class Batches:
    """The batches of one run. `usage` has the budget, which open batches count against."""

    def __init__(self, directory: Path, usage: UsageMeter, sleep: Sleep = asyncio.sleep) -> None:
        self.store = BatchStore(directory)
        self._usage, self._sleep = usage, sleep
        self._queues: dict[str, BatchQueue] = {}

    def queue(self, name: str, backend: Backend) -> BatchQueue | None:
        """The queue of one backend; None where its provider takes no batches."""
        if not isinstance(backend, LiteLLMBackend) or not has_batches(backend.config):
            return None
        if name not in self._queues:
            self._queues[name] = BatchQueue(name, backend, self.store)
        return self._queues[name]

    async def collect(self) -> bool:
        """Fetch the answers of batches that have ended; whether anything is new.

        A batch whose provider fails for now counts as under way. Raises ToolkitError.
        """
        news = False
        for batch in self.store.open_batches():
            ask = partial(self._ask_for, batch, self._api(batch.backend))
            try:
                news |= await retry(ask, Attempts(), on_retry=lambda: None, sleep=self._sleep)
            except ToolkitError as error:
                if not error.retryable:
                    raise
                logger.warning("a batch could not be asked for: %s", error.message)
        for queue in self._queues.values():
            async for tokens in queue.unpaid():
                self._usage.count("calls")
                self._usage.charge(tokens, queue.name)
        return news

    async def _ask_for(self, batch: Batch, api: BatchApi) -> bool:
        """Whether anything is new of one batch. Only reads at the provider, so may be repeated."""
        batch_id = batch.provider_id or await self._look_for(batch, api)
        if batch_id is None:
            return True
        ended = await api.fetch(batch_id)
        if ended is None:
            return False
        lacking = {"message": ended.reason or "the batch ended without an answer to it"}
        self.store.ended(batch.id, ended.answers, Answered("", _WITHOUT_ANSWER, lacking))
        return True

    def _api(self, name: str) -> BatchApi:
        if name not in self._queues:
            message = f"a batch of backend {name} is under way, which no agent uses any more"
            raise ToolkitError("config", message, "name the backend again, or use --overwrite")
        return self._queues[name].api

    async def _look_for(self, batch: Batch, api: BatchApi) -> str | None:
        """A batch that was being handed in when the process died."""
        found = await api.find(batch.token)
        if found is None:
            self.store.not_submitted(batch.id)
        else:
            self.store.submitted(batch.id, found)
        return found

    async def submit(self) -> bool:
        """Hand in what is queued, as far as the budget reaches; False if a provider failed for now.

        What it did not take is left to the next start. Raises ToolkitError, also where trying again
        might pay for a batch twice.
        """
        taken = True
        for queue in self._queues.values():
            try:
                while chunk := await queue.next_chunk(self._money_left()):
                    await self._hand_in(queue, chunk)
            except ToolkitError as error:
                # "Too many requests" is a clear no, and passes as the open batches end.
                safe = queue.api.finds or error.kind == "rate_limited"
                if not (error.retryable and safe and self.store.open_batches()):
                    raise
                logger.warning("a batch could not be handed in: %s", error.message)
                taken = False
        return taken

    async def _hand_in(self, queue: BatchQueue, chunk: Lines) -> None:
        """Once: a repeated call might make a second batch."""
        token = uuid.uuid4().hex
        number = self.store.begin(queue.name, token, [key for key, _ in chunk])
        try:
            batch_id = await queue.api.submit(token, chunk)
        except ToolkitError as error:
            # After a lost connection the provider may have it: the next start looks.
            if error.kind not in ("connection", "timeout", "server"):
                self.store.not_submitted(number)
            raise
        self.store.submitted(number, batch_id)

    def _money_left(self) -> float:
        if self._usage.budget_usd is None:
            return float("inf")
        self._usage.check_budget()
        return self._usage.budget_usd - self._usage.spent_usd - self.store.reserved_usd()

    def close(self, complete: bool) -> None:
        """Close the store, and remove it once the run is complete."""
        if complete:
            self.store.remove()
        else:
            self.store.close()


class BatchQueue:
    """Answers from ended batches; what has none yet is queued for the next one."""

    def __init__(self, name: str, backend: LiteLLMBackend, store: BatchStore) -> None:
        self.name = name
        self._backend, self._store = backend, store
        config = backend.config
        provider = _APIS[provider_name(config.model)]
        self.api: BatchApi = provider(config.model, config.api_base, key_value(config))

    async def unpaid(self) -> AsyncIterator[TokenUsage]:
        """What each answer cost that has not been counted; it is as soon as the next is asked for.

        Not left to those who take an answer: a record that fails leaves answers behind.
        """
        for key, answer in self._store.unpaid(self.name):
            # The answer alone tells its tokens, whatever was asked.
            nothing = {"messages": [{"role": "user", "content": ""}]}
            try:
                usage = (await self._read(nothing, answer)).usage
            except ToolkitError:  # that is for the record which takes it; here it is a bill
                known = self._backend.config.price or table_price(self._backend.config.model)
                usage = self._at_batch_price(priced(stated_tokens(answer), known))
            yield usage
            self._store.mark_paid(key)

    async def _read(self, arguments: dict[str, Any], answer: Any) -> Completion:
        """Raises ToolkitError."""
        config = self._backend.config
        try:
            response = await from_provider(config.model, arguments, answer)
        except Exception as error:
            known = _unreadable(config.model, error)
            if known is None:
                raise
            raise known from error
        completion = self._backend.read(response)
        usage = self._at_batch_price(priced(completion.usage, config.price))
        return completion.model_copy(update={"usage": usage})

    def _at_batch_price(self, usage: TokenUsage) -> TokenUsage:
        cost = usage.cost_usd * self._backend.config.batch_price
        return usage.model_copy(update={"cost_usd": cost})

    async def take(
        self, request: ModelRequest, output: type[BaseModel], worst_usd: float
    ) -> Completion:
        """The answer to a request that costs up to `worst_usd` live.

        A request that failed in a way that may pass goes into up to three batches. Raises
        PendingError where there is no answer yet, ToolkitError where there will be none.
        """
        key = request.cache_key(self._backend.identity, output)
        row = self._store.find(key)
        if row is not None and row.status is None:
            raise PendingError
        arguments = self._backend.arguments(request, output)
        config = self._backend.config
        if row is not None and row.status == 200:
            return await self._read(arguments, row.answer)
        if row is not None and row.status is not None:
            error = from_status(config.model, row.status, json.dumps(row.answer), {})
            if not error.retryable or row.tries >= MAX_TRIES:
                raise error
        self._store.queue(key, self.name, arguments, worst_usd * config.batch_price)
        raise PendingError

    async def next_chunk(self, money_usd: float) -> list[tuple[str, ProviderRequest]]:
        """Queued requests that fit into one batch and into the money; one always does."""
        chunk: list[tuple[str, ProviderRequest]] = []
        impossible: list[tuple[str, str]] = []
        size, left = 0, money_usd
        for queued in self._store.queued(self.name):
            line = await self._translated(queued)
            if isinstance(line, str):
                impossible.append((queued.key, line))
                continue
            size += len(json.dumps(line.body)) + len(queued.key) + 100
            left -= queued.worst_usd
            alone = not chunk and not self._store.reserved_usd()
            too_large = chunk and size > self.api.most_bytes
            if len(chunk) == self.api.most_requests or too_large or (left < 0 and not alone):
                break
            chunk.append((queued.key, line))
        for key, reason in impossible:
            self._store.refuse(key, {"message": reason})
        return chunk

    async def _translated(self, queued: Queued) -> ProviderRequest | str:
        """The request in the provider's words, or why it has none for it."""
        model = self._backend.config.model
        try:
            return await to_provider(model, queued.arguments)
        except Exception as error:
            known = from_exception(model, error)
            if known is None:
                raise
            return known.message


def _unreadable(model: str, error: Exception) -> ToolkitError | None:
    """Why LiteLLM cannot read an answer that is here; None if the exception is none of its own.

    It speaks of a lost connection, a server or a key, none of which was asked: whatever it is, it
    is one answer, which rejects its record and neither is asked for again nor ends the run.
    """
    known = from_exception(model, error)
    if known is None or known.kind in ("bad_request", "refused", "context_too_long"):
        return known
    said = str(error).partition("\n")[0][:_SHOWN_CHARACTERS]  # the rest is a traceback
    return ToolkitError(
        "server", f"{model} sent an answer that cannot be read: {said}", _UNREADABLE
    )
