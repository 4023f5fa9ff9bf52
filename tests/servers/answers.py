"""What the test server answers: the rules backend's judgement, or any value of the schema."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import zlib
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel

from backends.base import ModelRequest, PlainText
from schemas.config import RulesConfig
from schemas.edit import EditInput, RevisedResponse
from schemas.entity import ParsedResponse, ParseInput
from schemas.finer import ChoiceQuestion
from schemas.judgement import (
    AttributeAnswer,
    AttributeQuestion,
    CategoryAnswer,
    CategoryQuestion,
)
from schemas.region_writing import RegionTextAnswer, RegionWriterInput
from tests.servers.rectification import criticise, describe, revise

TASKS: dict[str, tuple[type[BaseModel], type[BaseModel]]] = {
    "response_parser": (ParseInput, ParsedResponse),
    "category_judge": (CategoryQuestion, CategoryAnswer),
    "attribute_judge": (AttributeQuestion, AttributeAnswer),
    "rsr": (EditInput, RevisedResponse),
    "discriminator": (ChoiceQuestion, PlainText),
    "region_writer": (RegionWriterInput, RegionTextAnswer),
}
_TASK = re.compile(r"\A# Task: (\w+)")
_LETTERS = re.compile(r"^\(([A-E])\) ", re.MULTILINE)
_INPUT = re.compile(r"<input>(.*?)</input>", re.DOTALL)


class Answers:
    """Texts by request; a question asked twice is worked out once.

    `captions` by sha256 of an image are what the discriminator, the critic and the model that it
    criticises see in it.
    """

    def __init__(
        self, source: Literal["rules", "fixed"], captions: Mapping[str, str] | None = None
    ) -> None:
        self._source = source
        self._captions = captions or {}
        self._backend: Any = None
        self._known: dict[tuple[str, str], str] = {}

    async def text(self, body: dict[str, Any]) -> str:
        """The answer to a chat-completions request body."""
        if self._source == "fixed":
            return json.dumps(fixed_answer(body.get("response_format") or {}))
        if body["messages"][0]["role"] == "user":
            question = _text(body["messages"][0])
            lettered = _LETTERS.search(question) or not self._captions
            return choose(question) if lettered else describe(self._caption(body), question)
        task, inputs = task_and_inputs(body["messages"])
        if task == "rectifier":
            return revise(inputs)
        if task == "critic":
            return criticise(self._caption(body), json.loads(inputs)["response"])
        if task == "discriminator":
            inputs = self._seen(inputs, body["messages"])
        if (task, inputs) not in self._known:
            self._known[task, inputs] = await self._ask_rules(task, inputs)
        return self._known[task, inputs]

    def _seen(self, inputs: str, messages: list[dict[str, Any]]) -> str:
        """The question with the caption of the image that is shown with it."""
        question = ChoiceQuestion.model_validate_json(inputs)
        for digest in image_digests(messages):
            question = question.model_copy(update={"caption": self._captions[digest]})
        return question.model_dump_json()

    def _caption(self, body: dict[str, Any]) -> str:
        """What is seen in the one image that is shown."""
        (digest,) = image_digests(body["messages"])
        return self._captions[digest]

    async def _ask_rules(self, task: str, inputs: str) -> str:
        from backends.rules.driver import RulesBackend

        if self._backend is None:
            self._backend = RulesBackend(RulesConfig(driver="rules"))
        read, output = TASKS[task]
        request = ModelRequest(
            task=task, prompt_version="1", inputs=read.model_validate_json(inputs), messages=()
        )
        return str((await self._backend.complete(request, output)).text)


def image_digests(messages: list[dict[str, Any]]) -> list[str]:
    """Hex sha256 of every image of the messages."""
    parts = [part for m in messages if isinstance(m["content"], list) for part in m["content"]]
    uris = [part["image_url"]["url"] for part in parts if part["type"] == "image_url"]
    return [hashlib.sha256(base64.b64decode(uri.split(",")[1])).hexdigest() for uri in uris]


def choose(question: str) -> str:
    """An answer to a multiple-choice question, always the same for the same words."""
    options = _LETTERS.findall(question) or ["Yes", "No"]
    return f"({options[zlib.crc32(question.encode()) % len(options)]})"


def task_and_inputs(messages: list[dict[str, Any]]) -> tuple[str, str]:
    """Name of the task and JSON of its inputs, from the messages of one of our prompts."""
    task = _TASK.match(_text(messages[0]))
    users = " ".join(_text(message) for message in messages if message["role"] == "user")
    inputs = _INPUT.findall(users)
    if task is None or not inputs:
        raise ValueError("not a prompt of this toolkit")
    return task.group(1), inputs[-1].strip()


def fixed_answer(response_format: dict[str, Any]) -> Any:
    """The first value that fits the requested schema; a category judgement without one."""
    schema = (response_format.get("json_schema") or {}).get("schema")
    if schema is None:
        return {"decision": "is_a"}
    return _instance(schema, schema.get("$defs", {}))


def _instance(schema: dict[str, Any], defs: dict[str, Any]) -> Any:
    if "$ref" in schema:
        return _instance(defs[schema["$ref"].rsplit("/", 1)[1]], defs)
    if "anyOf" in schema:
        return _instance(schema["anyOf"][0], defs)
    if "const" in schema or "enum" in schema:
        return schema.get("const", schema.get("enum", [None])[0])
    match schema.get("type"):
        case "object":
            return {k: _instance(v, defs) for k, v in schema.get("properties", {}).items()}
        case "array":
            return [_instance(schema["items"], defs) for _ in range(schema.get("minItems", 0))]
        case "string":
            return "word"
        case "boolean":
            return False
        case "integer" | "number":
            return schema.get("minimum", 0)
    return None


def _text(message: dict[str, Any]) -> str:
    content = message["content"]
    if isinstance(content, str):
        return content
    return "\n".join(part["text"] for part in content if part["type"] == "text")
