"""From a model's text to a typed value. Only code fences and trailing commas are repaired."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TypeVar

from pydantic import BaseModel, ValidationError

from backends.base import Completion, Message, ModelRequest, PlainText
from runtime.errors import ToolkitError

T = TypeVar("T", bound=BaseModel)

# No two parts of it match the same characters: an answer may end in 100,000 blanks.
_FENCE = re.compile(r"\A[^`]*+```(?:json|JSON)?[ \t]*+\n(.*?)```[^`]*+\Z", re.DOTALL)
# A string (possibly cut off) is skipped whole, so that only commas between values match.
_STRING_OR_TRAILING_COMMA = re.compile(r'("(?:[^"\\]++|\\.)*+"?)|,(?=\s*[}\]])', re.DOTALL)
_SHOWN_ERRORS = 8
_SHOWN_CHARACTERS = 80


def check_finish_reason(completion: Completion, *, may_be_cut: bool = False) -> None:
    """Raises ToolkitError (truncated, refused) for an answer that is not worth parsing."""
    if completion.finish_reason == "length" and not may_be_cut:
        raise ToolkitError(
            "truncated",
            f"the answer was cut off after {completion.usage.completion_tokens} tokens",
            "raise the backend's max_tokens or its context",
        )
    if completion.finish_reason == "refusal":
        said = _short(completion.text) or "no reason given"
        raise ToolkitError("refused", f"the model refused: {said}", "try another backend")


def parse_answer(text: str, output: type[T], validate: Callable[[T], None] | None = None) -> T:
    """Read `text` as `output`, then let `validate` judge what a schema cannot express.

    Raises ToolkitError (malformed, schema) with the validation errors in short lines, and what
    `validate` raises.
    """
    value = _plain(text, output) if issubclass(output, PlainText) else _json(text, output)
    if validate is not None:
        validate(value)
    return value


def _plain(text: str, output: type[T]) -> T:
    return output.model_validate({"text": text})


def _json(text: str, output: type[T]) -> T:
    try:
        return output.model_validate_json(text)
    except ValidationError as first:
        try:
            return output.model_validate_json(_repaired(text))
        except ValidationError as error:
            raise _as_toolkit_error(error) from first


def correction_turn(request: ModelRequest, answer: str, error: ToolkitError) -> ModelRequest:
    """The same request with the wrong answer and what was wrong with it appended."""
    wanted = "answer" if error.kind == "semantic" else "JSON object"
    complaint = (
        f"That answer cannot be used: {error.message}\n"
        f"Answer again with the corrected {wanted} only."
    )
    turns = (
        Message(role="assistant", content=answer),
        Message(role="user", content=complaint),
    )
    return request.model_copy(update={"messages": (*request.messages, *turns)})


def _repaired(text: str) -> str:
    fenced = _FENCE.match(text)
    body = fenced.group(1) if fenced else text
    return _STRING_OR_TRAILING_COMMA.sub(lambda match: match.group(1) or "", body)


def _as_toolkit_error(error: ValidationError) -> ToolkitError:
    details = error.errors(include_url=False, include_context=False)
    if details[0]["type"] == "json_invalid":
        return ToolkitError("malformed", f"the answer is not JSON: {details[0]['msg']}")
    lines = []
    for detail in details[:_SHOWN_ERRORS]:
        where = _short(".".join(str(part) for part in detail["loc"])) or "the object"
        lines.append(f"{where}: {detail['msg']} (got {_short(repr(detail['input']))})")
    if len(details) > _SHOWN_ERRORS:
        lines.append(f"and {len(details) - _SHOWN_ERRORS} more")
    return ToolkitError("schema", "the answer does not fit its schema: " + "; ".join(lines))


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"
