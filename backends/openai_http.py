"""Chat completions over one aiohttp session, for endpoints that need no translation.

LiteLLM spends several milliseconds of CPU a call, which a local vLLM, SGLang or llama.cpp server
does not need: it already speaks this format.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import aiohttp
from yarl import URL

from backends.provider_errors import from_status
from runtime.errors import ToolkitError


class OpenAIEndpoint:
    """An OpenAI-compatible server at `api_base` (the URL that ends in `/v1`).

    Raises ToolkitError (config) for a key beside a password in the URL: only one can be sent.
    """

    def __init__(self, api_base: str, api_key: str | None) -> None:
        self._url = URL(api_base.rstrip("/") + "/chat/completions")
        self._shown = self._url.with_user(None)
        if api_key and self._url.user:
            message = f"{self._shown}: `api_base` has a user and password, and there is a key too"
            raise ToolkitError("config", message, "leave out one of `api_key_env` and the password")
        self._key = api_key or ""
        self._session: aiohttp.ClientSession | None = None

    async def chat(
        self, model: str, arguments: dict[str, Any]
    ) -> tuple[dict[str, Any], Mapping[str, str]]:
        """POST one request; returns the response's JSON object and its headers.

        Raises ToolkitError.
        """
        body = json.dumps({"model": model, **arguments}, ensure_ascii=False).encode()
        try:
            async with self._open_session().post(self._url, data=body) as response:
                content = await response.read()
        except aiohttp.ClientError as error:
            raise ToolkitError(
                "connection", f"{self._shown}: {error}", "check that the endpoint is up"
            ) from error
        text = content.decode(errors="replace")
        if response.status != 200:
            raise from_status(model, response.status, text, response.headers, self._key)
        try:
            answer = json.loads(text)
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise ToolkitError("server", f"{self._shown} answered with something else than JSON")
        return answer, response.headers

    async def close(self) -> None:
        """Close the connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _open_session(self) -> aiohttp.ClientSession:
        if self._session is None:
            headers = {"Content-Type": "application/json"}
            if self._key:
                headers["Authorization"] = f"Bearer {self._key}"
            self._session = aiohttp.ClientSession(
                cookie_jar=aiohttp.DummyCookieJar(),  # no API sets one; else all are tried
                connector=aiohttp.TCPConnector(limit=0),  # the limiter decides how many
                timeout=aiohttp.ClientTimeout(total=None),  # and the client how long
                headers=headers,
            )
        return self._session
