"""Batch endpoints of three providers in front of the test server's answers.

OpenAI's `/v1/files` and `/v1/batches`, Anthropic's message batches, Gemini's batchGenerateContent
and generateContent.
A batch has ended after a number of polls. The server's faults hit single lines: `error_500` fails
one, `hang` lets one expire, the others are as in a live answer. `Settings.batch_faults` hit calls.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

from aiohttp import web

if TYPE_CHECKING:
    from tests.servers.openai_server import OpenAIServer

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
EXPIRED, FAILED = "hang", "error_500"
LOST = "lost"
"""The call does what it should, and the connection is gone before it says so."""
SLOW, SLOW_S = "slow", 0.5


class BatchRoutes:
    """The endpoints and what was handed in: `batches` by id."""

    def __init__(self, server: OpenAIServer) -> None:
        self._server = server
        self._files: dict[str, bytes] = {}
        self._batches: dict[str, dict[str, Any]] = {}

    def add_to(self, app: web.Application) -> None:
        """Register the routes."""
        routes: list[tuple[str, str, Handler]] = [
            ("POST", "/v1/files", self.upload),
            ("GET", "/v1/files/{id}/content", self.content),
            ("POST", "/v1/batches", self.create),
            ("GET", "/v1/batches", self.listed),
            ("GET", "/v1/batches/{id}", self.retrieve),
            ("POST", "/v1/messages/batches", self.anthropic_create),
            ("GET", "/v1/messages/batches/{id}", self.anthropic_retrieve),
            ("GET", "/v1/messages/batches/{id}/results", self.anthropic_results),
            ("POST", "/v1beta/models/{call}", self.gemini_call),
            ("GET", "/v1beta/batches", self.gemini_listed),
            ("GET", "/v1beta/batches/{id}", self.gemini_retrieve),
        ]
        for method, path, handler in routes:
            app.router.add_route(method, path, self._counted(f"{method} {path}", handler))

    def _counted(self, route: str, handler: Handler) -> Handler:
        """`handler` with the faults that `route` is due, the first call first."""

        async def handle(request: web.Request) -> web.StreamResponse:
            self._server.stats[route] += 1
            due = self._server.settings.batch_faults.get(route)
            fault = due.pop(0) if due else None
            if isinstance(fault, int):
                error = {"error": {"type": "api_error", "message": f"fault {fault}"}}
                return web.json_response(error, status=fault, headers={"Retry-After": "0"})
            if fault == SLOW:
                await asyncio.sleep(SLOW_S)
            answer = await handler(request)
            if fault == LOST and request.transport:
                request.transport.close()
            return answer

        return handle

    async def upload(self, request: web.Request) -> web.Response:
        form = await request.post()
        sent = form["file"]
        assert isinstance(sent, web.FileField) and form["purpose"] == "batch"
        return web.json_response(self._stored(sent.file.read()))

    async def content(self, request: web.Request) -> web.Response:
        return web.Response(body=self._files[request.match_info["id"]])

    async def create(self, request: web.Request) -> web.Response:
        asked = await request.json()
        lines = self._files[asked["input_file_id"]].splitlines()
        rows = [json.loads(line) for line in lines]
        assert all(row["url"] == "/v1/chat/completions" for row in rows)
        batch = self._new([(row["custom_id"], row["body"]) for row in rows], asked)
        return web.json_response(self._openai(batch))

    async def listed(self, request: web.Request) -> web.Response:
        data = [self._openai(batch) for batch in self._batches.values()]
        return web.json_response({"object": "list", "data": data, "has_more": False})

    async def retrieve(self, request: web.Request) -> web.Response:
        batch = self._polled(request)
        if batch["polls"] < 0 and "output_file_id" not in batch:
            good, bad = [], []
            for key, body, fault in batch["lines"]:
                if fault in (EXPIRED, FAILED):
                    error = {"code": "batch_expired", "message": "not in time"}
                    status = {"status_code": 500, "body": {"error": {"message": "server error"}}}
                    failed = {"response": status} if fault == FAILED else {"error": error}
                    bad.append({"custom_id": key, "response": None, "error": None} | failed)
                    continue
                answer = await self._server.answer(body, fault, key)
                done = {"status_code": 200, "request_id": "r", "body": answer}
                good.append({"custom_id": key, "response": done, "error": None})
            for name, rows in (("output_file_id", good), ("error_file_id", bad)):
                text = "".join(json.dumps(row) + "\n" for row in rows).encode()
                batch[name] = self._stored(text)["id"] if rows else None
        return web.json_response(self._openai(batch))

    async def anthropic_create(self, request: web.Request) -> web.Response:
        asked = await request.json()
        assert request.headers["anthropic-version"]
        rows = [(row["custom_id"], row["params"]) for row in asked["requests"]]
        assert all(re.fullmatch(r"[a-zA-Z0-9_-]{1,64}", key) for key, _ in rows)
        return web.json_response({"id": self._new(rows, {})["id"]})

    async def anthropic_retrieve(self, request: web.Request) -> web.Response:
        status = "ended" if self._polled(request)["polls"] < 0 else "in_progress"
        return web.json_response({"processing_status": status})

    async def anthropic_results(self, request: web.Request) -> web.Response:
        text = ""
        for key, body, fault in self._batches[request.match_info["id"]]["lines"]:
            result: dict[str, Any] = {"type": "succeeded"}
            if fault == EXPIRED:
                result = {"type": "expired"}
            elif fault == FAILED:
                error = {"type": "api_error", "message": "server error"}
                result = {"type": "errored", "error": {"type": "error", "error": error}}
            else:
                system = " ".join(part["text"] for part in body["system"])
                said = [
                    {"role": m["role"], "content": " ".join(p["text"] for p in m["content"])}
                    for m in body["messages"]
                ]
                result["message"] = _as_anthropic(
                    await self._answer(system, said, body["output_format"]["schema"], body, fault)
                )
            text += json.dumps({"custom_id": key, "result": result}) + "\n"
        return web.Response(text=text)

    async def gemini_call(self, request: web.Request) -> web.Response:
        model, _, method = request.match_info["call"].partition(":")
        assert request.headers["x-goog-api-key"]
        asked = await request.json()
        if method == "generateContent":  # one live answer
            await asyncio.sleep(self._server.settings.latency_ms / 1000)
            return web.json_response(await self._gemini_answer(asked | {"model": model}, None))
        assert method == "batchGenerateContent"
        asked = asked["batch"]
        rows = asked["input_config"]["requests"]["requests"]
        lines = [(row["metadata"]["key"], row["request"] | {"model": model}) for row in rows]
        batch = self._new(lines, {"name": asked["display_name"]})
        return web.json_response(self._gemini(batch))

    async def gemini_listed(self, request: web.Request) -> web.Response:
        operations = [self._gemini(batch) for batch in self._batches.values()]
        return web.json_response({"operations": operations})

    async def gemini_retrieve(self, request: web.Request) -> web.Response:
        batch = self._polled(request)
        operation = self._gemini(batch)
        if batch["polls"] < 0:
            answers = []
            for key, body, fault in batch["lines"]:
                line: dict[str, Any] = {"metadata": {"key": key}}
                if fault in (EXPIRED, FAILED):
                    line["error"] = {"code": 13, "message": "server error"}
                else:
                    line["response"] = await self._gemini_answer(body, fault)
                answers.append(line)
            operation |= {"done": True, "response": {"inlinedResponses": {}}}
            operation["response"]["inlinedResponses"]["inlinedResponses"] = answers
        return web.json_response(operation)

    async def _gemini_answer(self, body: Any, fault: str | None) -> dict[str, Any]:
        if fault == "refusal":  # a prompt that was blocked: no candidate, no usage
            return {"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}}
        system = " ".join(part["text"] for part in body["system_instruction"]["parts"])
        said = [
            {
                "role": "assistant" if content["role"] == "model" else "user",
                "content": " ".join(part["text"] for part in content["parts"]),
            }
            for content in body["contents"]
        ]
        schema = body["generationConfig"]["response_json_schema"]
        return _as_gemini(await self._answer(system, said, schema, body, fault))

    async def _answer(
        self, system: str, said: list[dict[str, str]], schema: Any, body: Any, fault: str | None
    ) -> dict[str, Any]:
        """The answer to another provider's request, as a chat completion."""
        asked = {
            "model": body["model"],
            "messages": [{"role": "system", "content": system}, *said],
            "response_format": {"type": "json_schema", "json_schema": {"schema": schema}},
        }
        return await self._server.answer(asked, fault)

    def _new(self, rows: list[tuple[str, Any]], asked: dict[str, Any]) -> dict[str, Any]:
        batch_id = f"batch_{len(self._batches)}"
        lines = []
        for key, body in rows:
            digest = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()
            self._server.attempts[digest] += 1
            fault = self._server.fault(digest, self._server.attempts[digest])
            self._server.stats[f"batched_{fault or 'answered'}"] += 1
            lines.append((key, body, fault))
        self._server.stats["batches"] += 1
        self._server.stats["batched"] += len(lines)
        polls = self._server.settings.batch_polls
        self._batches[batch_id] = {"id": batch_id, "lines": lines, "polls": polls, "asked": asked}
        return self._batches[batch_id]

    def _polled(self, request: web.Request) -> dict[str, Any]:
        batch = self._batches[request.match_info["id"]]
        batch["polls"] -= 1
        return batch

    def _stored(self, data: bytes) -> dict[str, Any]:
        file_id = f"file-{len(self._files)}"
        self._files[file_id] = data
        return {
            "id": file_id,
            "object": "file",
            "bytes": len(data),
            "created_at": 0,
            "filename": "batch.jsonl",
            "purpose": "batch",
            "status": "processed",
        }

    def _openai(self, batch: dict[str, Any]) -> dict[str, Any]:
        asked = batch["asked"]
        return {
            "id": batch["id"],
            "object": "batch",
            "endpoint": asked["endpoint"],
            "input_file_id": asked["input_file_id"],
            "completion_window": asked["completion_window"],
            "metadata": asked.get("metadata"),
            "created_at": 0,
            "status": "completed" if batch["polls"] < 0 else "in_progress",
            "output_file_id": batch.get("output_file_id"),
            "error_file_id": batch.get("error_file_id"),
        }

    def _gemini(self, batch: dict[str, Any]) -> dict[str, Any]:
        state = "BATCH_STATE_SUCCEEDED" if batch["polls"] < 0 else "BATCH_STATE_RUNNING"
        metadata = {"state": state, "displayName": batch["asked"]["name"]}
        return {"name": f"batches/{batch['id']}", "metadata": metadata}


def _as_anthropic(answer: dict[str, Any]) -> dict[str, Any]:
    choice, usage = answer["choices"][0], answer["usage"]
    return {
        "id": answer["id"],
        "type": "message",
        "role": "assistant",
        "model": answer["model"],
        "content": [{"type": "text", "text": choice["message"]["content"] or ""}],
        "stop_reason": "max_tokens" if choice["finish_reason"] == "length" else "end_turn",
        "usage": {
            "input_tokens": usage["prompt_tokens"],
            "output_tokens": usage["completion_tokens"],
        },
    }


def _as_gemini(answer: dict[str, Any]) -> dict[str, Any]:
    choice, usage = answer["choices"][0], answer["usage"]
    parts = [{"text": choice["message"]["content"] or ""}]
    reason = "MAX_TOKENS" if choice["finish_reason"] == "length" else "STOP"
    return {
        "candidates": [{"content": {"role": "model", "parts": parts}, "finishReason": reason}],
        "usageMetadata": {
            "promptTokenCount": usage["prompt_tokens"],
            "candidatesTokenCount": usage["completion_tokens"],
            "totalTokenCount": usage["total_tokens"],
        },
        "modelVersion": answer["model"],
    }
