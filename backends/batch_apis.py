"""The batch APIs of three providers: hand a batch in, ask for it, fetch its answers.

OpenAI's through LiteLLM's batch calls. LiteLLM has none that create a batch at Anthropic or with a
Gemini API key, so those two are called here; it still translates what goes in and comes out.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, NamedTuple, Protocol

import aiohttp

from backends.batch_store import Answered
from backends.provider_errors import from_exception, from_status
from backends.quiet_litellm import import_litellm
from backends.translation import ProviderRequest
from runtime.errors import ToolkitError

Lines = Sequence[tuple[str, ProviderRequest]]

_ANTHROPIC, _GEMINI = "https://api.anthropic.com", "https://generativelanguage.googleapis.com"
_MEGABYTE = 2**20
# No limit on the whole: a hundred megabytes take their time. What bounds a call is silence.
_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=30, sock_read=300)
_EXPIRED = 504
_ANTHROPIC_STATUS = {
    "invalid_request_error": 400,
    "authentication_error": 401,
    "permission_error": 403,
    "not_found_error": 404,
    "request_too_large": 413,
    "rate_limit_error": 429,
}
_GEMINI_STATUS = {3: 400, 5: 404, 7: 403, 8: 429, 16: 401}  # codes of gRPC
_LISTED = 100


class Ended(NamedTuple):
    """A batch that will not change any more: its answers, and why some may lack."""

    answers: list[Answered]
    reason: str


class BatchApi(Protocol):
    """One provider's batches. All methods raise ToolkitError."""

    most_requests: int
    most_bytes: int
    finds: bool
    """Whether `find` can tell; else a batch whose acknowledgement was lost is handed in again."""

    async def submit(self, token: str, lines: Lines) -> str:
        """Hand in a batch that is recognised by `token`; returns the provider's id of it."""
        ...

    async def find(self, token: str) -> str | None:
        """The id of the batch of that token, if the provider has it."""
        ...

    async def fetch(self, batch_id: str) -> Ended | None:
        """What became of it; None while it is under way."""
        ...


class OpenAIBatches:
    """`/v1/files` and `/v1/batches`, of OpenAI or at `api_base`."""

    most_requests, most_bytes, finds = 50_000, 100 * _MEGABYTE, True

    def __init__(self, model: str, api_base: str | None, key: str | None) -> None:
        self._model, self._key = model, key or ""
        base = {"api_base": api_base} if api_base else {}
        # The OpenAI client insists on a key; own endpoints mostly want none.
        given = key or ("none" if api_base else None)
        # Left to itself, the OpenAI client posts again after a lost connection or a 504: the batch
        # may then be there three times, all of them paid, and only one is ever found.
        own = {"custom_llm_provider": "openai", "api_key": given, "max_retries": 0}
        self._common: dict[str, Any] = own | base

    async def submit(self, token: str, lines: Lines) -> str:
        """Upload the requests as a file and start a batch of it."""
        rows = (
            {"custom_id": key, "method": "POST", "url": "/v1/chat/completions", "body": line.body}
            for key, line in lines
        )
        text = "".join(json.dumps(row) + "\n" for row in rows).encode()
        litellm = import_litellm()
        file = await self._asked(
            litellm.acreate_file, file=(f"{token}.jsonl", text), purpose="batch"
        )
        batch = await self._asked(
            litellm.acreate_batch,
            completion_window="24h",
            endpoint="/v1/chat/completions",
            input_file_id=file.id,
            metadata={"grainwise": token},
        )
        return str(batch.id)

    async def find(self, token: str) -> str | None:
        """Among the last hundred batches of the account."""
        listed = await self._asked(import_litellm().alist_batches, limit=_LISTED)
        named = (
            batch.id for batch in listed.data if (batch.metadata or {}).get("grainwise") == token
        )
        return next(named, None)

    async def fetch(self, batch_id: str) -> Ended | None:
        """Answers from its output and its error file."""
        litellm = import_litellm()
        batch = await self._asked(litellm.aretrieve_batch, batch_id=batch_id)
        if batch.status not in ("completed", "failed", "expired", "cancelled"):
            return None
        answers: list[Answered] = []
        for file_id in filter(None, (batch.output_file_id, batch.error_file_id)):
            content = await self._asked(litellm.afile_content, file_id=file_id)
            answers += map(_openai_answer, content.text.splitlines())
        said = [error.message for error in (batch.errors.data if batch.errors else None) or ()]
        return Ended(answers, "; ".join([f"the batch is {batch.status}", *filter(None, said)]))

    async def _asked(self, call: Callable[..., Awaitable[Any]], **arguments: Any) -> Any:
        try:
            return await call(**self._common, **arguments)
        except Exception as error:
            known = from_exception(self._model, error, self._key) or _sdk_error(
                self._model, error, self._key
            )
            if known is None:
                raise
            raise known from error


class _Http:
    """JSON over HTTPS with a provider's own headers."""

    def __init__(self, model: str, base: str, headers: Mapping[str, str], key: str) -> None:
        self._model, self._base = model, base.rstrip("/")
        self._headers, self._key = dict(headers), key

    async def ask(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> str:
        url, sent = self._base + path, {**self._headers, **(headers or {})}
        try:
            async with (
                aiohttp.ClientSession(headers=sent, timeout=_TIMEOUT) as session,
                session.request(method, url, json=body) as response,
            ):
                text = await response.text()
        except (aiohttp.ClientError, TimeoutError) as error:
            said = str(error) or type(error).__name__
            raise ToolkitError(
                "connection", f"{url}: {said}", "check the network, then run it again"
            ) from error
        if response.status != 200:
            raise from_status(self._model, response.status, text, response.headers, self._key)
        return text

    async def json(
        self, method: str, path: str, body: Any = None, headers: Mapping[str, str] | None = None
    ) -> dict[str, Any]:
        text = await self.ask(method, path, body, headers)
        with contextlib.suppress(ValueError):
            if isinstance(found := json.loads(text), dict):
                return found
        # A gateway's page, mostly.
        message = f"{self._base}{path} answered with something else than a JSON object"
        raise ToolkitError("server", message, "check `api_base`, or run the same command again")


class AnthropicBatches:
    """Message batches."""

    most_requests, most_bytes, finds = 10_000, 100 * _MEGABYTE, False

    def __init__(self, model: str, api_base: str | None, key: str | None) -> None:
        headers = {"x-api-key": key or "", "anthropic-version": "2023-06-01"}
        self._http = _Http(model, api_base or _ANTHROPIC, headers, key or "")

    async def submit(self, token: str, lines: Lines) -> str:
        """All requests in one call."""
        requests = [{"custom_id": key, "params": line.body} for key, line in lines]
        betas = {name: value for _, line in lines for name, value in line.headers.items()}
        path = "/v1/messages/batches"
        return str((await self._http.json("POST", path, {"requests": requests}, betas))["id"])

    async def find(self, token: str) -> str | None:
        """Anthropic's batches carry no name: one that a kill cut off is not found again."""
        return None

    async def fetch(self, batch_id: str) -> Ended | None:
        """The results file of a batch that has ended."""
        path = f"/v1/messages/batches/{batch_id}"
        if (await self._http.json("GET", path))["processing_status"] != "ended":
            return None
        text = await self._http.ask("GET", f"{path}/results")
        return Ended([_anthropic_answer(line) for line in text.splitlines() if line], "")


class GeminiBatches:
    """Batches with their requests in the call, of a Gemini API key."""

    most_requests, most_bytes, finds = 10_000, 15 * _MEGABYTE, True

    def __init__(self, model: str, api_base: str | None, key: str | None) -> None:
        self._name = model.split("/", 1)[1]
        headers = {"x-goog-api-key": key or ""}
        self._http = _Http(model, api_base or _GEMINI, headers, key or "")

    async def submit(self, token: str, lines: Lines) -> str:
        """All requests in one call."""
        requests = [{"request": line.body, "metadata": {"key": key}} for key, line in lines]
        batch = {"display_name": token, "input_config": {"requests": {"requests": requests}}}
        path = f"/v1beta/models/{self._name}:batchGenerateContent"
        return str((await self._http.json("POST", path, {"batch": batch}))["name"])

    async def find(self, token: str) -> str | None:
        """Among the last hundred batches of the key."""
        listed = await self._http.json("GET", f"/v1beta/batches?pageSize={_LISTED}")
        for operation in listed.get("operations") or ():
            if operation.get("metadata", {}).get("displayName") == token:
                return str(operation["name"])
        return None

    async def fetch(self, batch_id: str) -> Ended | None:
        """The answers lie in the operation that the batch is."""
        operation = await self._http.json("GET", f"/v1beta/{batch_id}")
        if not operation.get("done"):
            return None
        inlined = (operation.get("response") or {}).get("inlinedResponses") or {}
        answers = [_gemini_answer(line) for line in inlined.get("inlinedResponses") or ()]
        state = operation.get("metadata", {}).get("state", "")
        said = (operation.get("error") or {}).get("message", "")
        return Ended(answers, f"{state} {said}".strip())


def _openai_answer(line: str) -> Answered:
    row = json.loads(line)
    response, error = row.get("response"), row.get("error")
    if response is None:
        return Answered(row["custom_id"], _EXPIRED, error)
    return Answered(row["custom_id"], int(response["status_code"]), response["body"])


def _anthropic_answer(line: str) -> Answered:
    row = json.loads(line)
    result = row["result"]
    if result["type"] == "succeeded":
        return Answered(row["custom_id"], 200, result["message"])
    error = (result.get("error") or {}).get("error") or {"type": result["type"]}
    known = _ANTHROPIC_STATUS.get(error["type"], _EXPIRED)
    return Answered(row["custom_id"], known, error)


def _gemini_answer(line: dict[str, Any]) -> Answered:
    key = line["metadata"]["key"]
    if "response" in line:
        # A prompt that was blocked has cost nothing and says so by leaving out its usage, without
        # which LiteLLM does not get as far as the reason.
        return Answered(key, 200, {"usageMetadata": {}} | line["response"])
    error = line.get("error") or {}
    return Answered(key, _GEMINI_STATUS.get(error.get("code", 0), _EXPIRED), error)


def _sdk_error(model: str, error: Exception, key: str) -> ToolkitError | None:
    """LiteLLM's batch calls let errors of the OpenAI client through as they are."""
    status = getattr(error, "status_code", None)
    if isinstance(status, int):
        return from_status(model, status, str(error), {}, key)
    if type(error).__name__ in ("APIConnectionError", "APITimeoutError"):
        return ToolkitError(
            "connection", f"{model}: {error}", "check the network, then run it again"
        )
    return None
