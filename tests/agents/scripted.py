"""Agents on a scripted backend: answers come from plain Python functions."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from agents.base import AgentContext
from backends.base import ModelRequest
from backends.cache import ResponseCache
from backends.client import ModelClient
from backends.fake import FakeBackend
from backends.registry import Backends
from backends.usage import UsageMeter
from schemas.config import Config, FakeConfig
from schemas.record import ResponseRecord

Script = dict[str, Callable[[Any], Any]]


class ScriptedBackends(Backends):
    """Every agent on one fake backend that answers by task; `backend` holds what it saw."""

    def __init__(self, script: Script, folder: Path) -> None:
        super().__init__(Config(), ResponseCache(folder / "cache"), UsageMeter())

        def answer(request: ModelRequest, output: type[BaseModel]) -> str:
            return json.dumps(script[request.task](request.inputs))

        self.backend = FakeBackend(answer)
        profile = FakeConfig(driver="fake")
        self._one = ModelClient(self.backend, profile, self.cache, self.usage)

    def client(self, agent: str) -> ModelClient:
        return self._one

    def asked(self, task: str) -> list[Any]:
        """Inputs of all calls of one task."""
        return [request.inputs for request in self.backend.requests if request.task == task]


def scripted(script: Script, folder: Path) -> tuple[AgentContext, ScriptedBackends]:
    backends = ScriptedBackends(script, folder)
    return AgentContext(backends), backends


def decisions(table: dict[tuple[str, str], str], other: str = "cannot_refer_to") -> Any:
    """A category judge that knows the pairs of `table`."""
    return lambda asked: {"decision": table.get((asked.prediction, asked.target), other)}


def no_facts(asked: Any) -> dict[str, Any]:
    """An attribute judge that can verify nothing."""
    return {
        "verdicts": [
            {"candidate": number, "correct": [], "wrong": [], "recalled": []}
            for number in range(len(asked.candidates))
        ]
    }


def parsing(table: dict[str, list[Any]]) -> Any:
    """A response parser: text → entities, each a category or (category, quantity, attributes)."""

    def parse(asked: Any) -> dict[str, Any]:
        names = ("category", "quantity", "attributes")
        rows = [(item,) if isinstance(item, str) else item for item in table[asked.response]]
        return {"entities": [dict(zip(names, row, strict=False)) for row in rows]}

    return parse


def record(response: str, entities: list[dict[str, Any]] | None, **changes: Any) -> ResponseRecord:
    fields = {
        "id": "img#0",
        "image_id": "img",
        "index": 0,
        "image": "img.jpg",
        "prompt": "Describe the image.",
        "response": response,
        "entities": entities,
    }
    return ResponseRecord.model_validate(fields | changes)
