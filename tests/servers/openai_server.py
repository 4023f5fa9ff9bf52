"""A local OpenAI-compatible server with right answers and reproducible faults.

    python -m tests.servers.openai_server --port 0 --port-file port.txt --latency-ms 50 \\
        --faults '{"rate_429": 0.1, "error_500": 0.1}' --log requests.jsonl

Its answers depend on the request alone: those of the `rules` backend for the toolkit's tasks
(`--answers rules`), or the first fitting value of the requested schema (`--answers fixed`).
What it sees in an image is its caption in `--captions`, a JSON object by sha256 of the images.
A fault depends on the request, the number of the attempt at it, and the seed.
"""

from __future__ import annotations

import argparse
import asyncio
import hashlib
import json
import os
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from aiohttp import web

from tests.servers.answers import Answers
from tests.servers.batches import BatchRoutes

FAULTS = ("rate_429", "error_500", "hang", "truncation", "refusal", "broken_json")
MAX_BODY = 64 * 2**20
_LETTERS = tuple("ABCDE")
_RARE = -4.0  # natural logarithm


@dataclass
class Settings:
    """What the server does. `faults` maps a name of FAULTS to its share of the attempts."""

    answers: Literal["rules", "fixed"] = "fixed"
    captions: dict[str, str] = field(default_factory=dict)
    latency_ms: float = 0.0
    faults: dict[str, float] = field(default_factory=dict)
    seed: int = 0
    retry_after_s: float = 0.05
    log: str | None = None
    api_key: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    batch_polls: int = 1
    """How often a batch says that it is under way before it has ended."""
    batch_faults: dict[str, list[int | str]] = field(default_factory=dict)
    """What meets the next calls of a route as `GET /v1/batches/{id}`: a status, `lost`, `slow`."""


class OpenAIServer:
    """The request handlers and what they count."""

    def __init__(self, settings: Settings) -> None:
        unknown = set(settings.faults) - set(FAULTS)
        if unknown:
            raise ValueError(f"unknown faults {sorted(unknown)}; known: {FAULTS}")
        self.settings = settings
        self.bodies: list[dict[str, Any]] = []
        self.stats: Counter[str] = Counter()
        self.attempts: Counter[str] = Counter()
        self.in_flight = self.max_in_flight = 0
        self.first_s = self.last_s = 0.0
        self._answers = Answers(settings.answers, settings.captions)

    def app(self) -> web.Application:
        app = web.Application(client_max_size=MAX_BODY)
        app.router.add_post("/v1/chat/completions", self.chat)
        app.router.add_get("/stats", self.show_stats)
        BatchRoutes(self).add_to(app)
        return app

    async def show_stats(self, request: web.Request) -> web.Response:
        most = max(self.attempts.values(), default=0)
        counted: dict[str, float] = {
            "max_in_flight": self.max_in_flight,
            "max_attempts_per_body": most,
            "seconds": self.last_s - self.first_s,
        }
        return web.json_response({**self.stats, **counted, "distinct": len(self.attempts)})

    async def chat(self, request: web.Request) -> web.Response:
        raw = await request.read()
        self.in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self.in_flight)
        try:
            return await self._respond(raw, request.headers.get("Authorization"))
        finally:
            self.in_flight -= 1

    async def _respond(self, raw: bytes, authorization: str | None) -> web.Response:
        settings = self.settings
        digest = hashlib.sha256(raw).hexdigest()
        self.attempts[digest] += 1
        fault = self.fault(digest, self.attempts[digest])
        self.stats["requests"] += 1
        self.first_s, self.last_s = self.first_s or time.monotonic(), time.monotonic()
        self.stats[fault or "answered"] += 1
        self._write_log(digest, fault)
        if settings.api_key and authorization != f"Bearer {settings.api_key}":
            return _error(401, f"Incorrect API key provided: {authorization}")
        await asyncio.sleep(settings.latency_ms / 1000)
        if fault == "rate_429":
            headers = {"Retry-After": f"{settings.retry_after_s:g}"}
            return _error(429, "Rate limit reached", headers)
        if fault == "error_500":
            return _error(500, "The server had an error")
        if fault == "hang":
            await asyncio.sleep(3600)
        body = json.loads(raw)
        return web.json_response(await self.answer(body, fault, digest), headers=settings.headers)

    async def answer(
        self, body: dict[str, Any], fault: str | None = None, digest: str = ""
    ) -> dict[str, Any]:
        """A chat-completions response to `body`."""
        self.bodies.append(body)
        return response(body, await self._answers.text(body), fault, digest)

    def fault(self, digest: str, attempt: int) -> str | None:
        drawn = hashlib.sha256(f"{self.settings.seed}:{digest}:{attempt}".encode()).digest()
        point = int.from_bytes(drawn[:8], "big") / 2**64
        for name in FAULTS:
            point -= self.settings.faults.get(name, 0.0)
            if point < 0:
                return name
        return None

    def _write_log(self, digest: str, fault: str | None) -> None:
        if self.settings.log:
            line = {"body": digest, "attempt": self.attempts[digest], "fault": fault}
            with open(self.settings.log, "a", encoding="utf-8") as log:
                log.write(json.dumps(line) + "\n")


def response(body: dict[str, Any], text: str, fault: str | None, digest: str) -> dict[str, Any]:
    """A chat-completions response with `text`, or with what `fault` makes of it."""
    message: dict[str, Any] = {"role": "assistant", "content": text}
    reason = "stop"
    if fault == "truncation":
        message["content"], reason = text[: len(text) // 2], "length"
    elif fault == "refusal":
        message |= {"content": None, "refusal": "I cannot help with that."}
    elif fault == "broken_json":
        message["content"] = text[:-1] + "]"
    if body.get("tools") and fault is None:
        function = {"name": body["tools"][0]["function"]["name"], "arguments": text}
        call = {"id": digest[:8], "type": "function", "function": function}
        message |= {"content": None, "tool_calls": [call]}
    choice = {"index": 0, "message": message, "finish_reason": reason}
    if body.get("logprobs"):
        choice["logprobs"] = {"content": _logprobs(text, body.get("top_logprobs") or 0)}
    prompt_tokens = len(json.dumps(body["messages"])) // 4
    completion_tokens = 1 + len(text) // 4
    return {
        "id": f"chatcmpl-{digest[:12]}",
        "object": "chat.completion",
        "created": 0,
        "model": body["model"],
        "choices": [choice],
        "usage": {
            "prompt_tokens": prompt_tokens,
            "completion_tokens": completion_tokens,
            "total_tokens": prompt_tokens + completion_tokens,
        },
    }


def _logprobs(text: str, top: int) -> list[dict[str, Any]]:
    """The answer's characters as tokens, each followed by made-up alternatives.

    Those of a letter are the other letters, at 2 % each.
    """
    tokens = []
    for character in text[:8]:
        likely = [{"token": character, "logprob": -0.1, "bytes": None}]
        others = [letter for letter in "ABCDE" if letter != character] if text in _LETTERS else []
        likely += [{"token": other, "logprob": _RARE, "bytes": None} for other in others]
        likely += [{"token": f"<{i}>", "logprob": -2.0 - i, "bytes": None} for i in range(1, top)]
        tokens.append({**likely[0], "top_logprobs": likely[:top]})
    return tokens


def _error(status: int, text: str, headers: dict[str, str] | None = None) -> web.Response:
    error = {"error": {"message": text, "type": "error", "code": status}}
    return web.json_response(error, status=status, headers=headers)


def _json_file(path: str) -> Any:
    with open(path, encoding="utf-8") as file:
        return json.load(file)


async def _start(server: OpenAIServer, port: int) -> tuple[web.AppRunner, int]:
    # With handler_cancellation a client that gives up on a hanging request ends it here too.
    runner = web.AppRunner(
        server.app(), handler_cancellation=True, access_log=None, shutdown_timeout=0.1
    )
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    return runner, runner.addresses[0][1]


@contextmanager
def running(settings: Settings | None = None) -> Iterator[tuple[OpenAIServer, str]]:
    """Serve from a thread of this process; yields the server and its `api_base`."""
    server = OpenAIServer(settings or Settings())
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    runner, port = asyncio.run_coroutine_threadsafe(_start(server, 0), loop).result(10)
    try:
        yield server, f"http://127.0.0.1:{port}/v1"
    finally:
        asyncio.run_coroutine_threadsafe(runner.cleanup(), loop).result(10)
        loop.call_soon_threadsafe(loop.stop)
        thread.join(10)
        loop.close()


async def _serve(settings: Settings, port: int, port_file: str | None) -> None:
    runner, port = await _start(OpenAIServer(settings), port)
    if port_file:
        with open(f"{port_file}.part", "w", encoding="utf-8") as file:
            file.write(str(port))
        os.replace(f"{port_file}.part", port_file)  # whoever waits never reads half a number
    print(f"http://127.0.0.1:{port}/v1", flush=True)
    try:
        await asyncio.Event().wait()
    finally:
        await runner.cleanup()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--port-file")
    parser.add_argument("--latency-ms", type=float, default=0.0)
    parser.add_argument("--faults", type=json.loads, default={})
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--retry-after-s", type=float, default=0.05)
    parser.add_argument("--answers", choices=("rules", "fixed"), default="rules")
    parser.add_argument("--captions", type=_json_file, default={})
    parser.add_argument("--log")
    parser.add_argument("--api-key")
    parser.add_argument("--batch-polls", type=int, default=1)
    parser.add_argument("--headers", type=json.loads, default={})
    options = vars(parser.parse_args())
    port, port_file = options.pop("port"), options.pop("port_file")
    asyncio.run(_serve(Settings(**options), port, port_file))


if __name__ == "__main__":
    main()
