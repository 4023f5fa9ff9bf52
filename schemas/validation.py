"""Pydantic's validation errors as one line a user can act on: field, expectation, what was got."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

_SHOWN = 3
_DESCRIBED = 100  # a hostile row has 100,000 problems, and each takes time to put into words
_LONGEST_NAME, _LONGEST_TEXT = 100, 400
_SCALARS = (str, int, float, bool, type(None))

# Pydantic speaks of Python types; users write JSON and YAML.
_REWORDING = (
    (r"^Value error, ", ""),
    (r" after validation", ""),
    (r", unable to parse (string as an? \w+|raw data as a unicode string)", ""),
    (r"^Input should be a valid (tuple|list|array).*", "expected a list"),
    (r"^Input should be (a valid dictionary|an object).*", "expected an object"),
    (r"^Input should be a valid ", "expected a valid "),
    (r"^Input should be (greater|less) ", r"expected a value \1 "),
    (r"^Input should be ", "expected "),
    (r"^String should have ", "expected a text of "),
    (r"^\w+ should have ", "expected "),
)


def nearest(word: str, candidates: Iterable[str]) -> str:
    """`, did you mean ...?` for the closest candidate, or an empty string."""
    if len(word) > _LONGEST_NAME:
        return ""
    matches = difflib.get_close_matches(word, list(candidates), n=1)
    return f", did you mean `{matches[0]}`?" if matches else ""


def describe_errors(error: ValidationError, data: Any, model: type[BaseModel]) -> str:
    """The first three problems, each as `field: expectation`, joined by `; `.

    `data` is what was validated, as plain JSON values: it tells a field of the input from the
    names that pydantic gives to the alternatives of a union.
    """
    found = field_errors(error, data, model)
    lines = [f"{field}: {text}" if field else text for field, text in found.items()]
    hidden = max(0, len(lines) - _SHOWN) + max(0, error.error_count() - _DESCRIBED)
    more = [f"and {hidden} more"] if hidden else []
    text = "; ".join(lines[:_SHOWN] + more)
    return text.encode("utf-8", "replace").decode()  # half a surrogate pair cannot be printed


def field_errors(error: ValidationError, data: Any, model: type[BaseModel]) -> dict[str, str]:
    """What is wrong by field, such as `entities[0].path`; "" stands for the whole."""
    schema = model.model_json_schema()
    found: dict[str, list[str]] = {}
    for details in error.errors(include_url=False)[:_DESCRIBED]:
        field, text = _describe(details, data, schema)
        found.setdefault(field, []).append(text)
    return {field: _merge(texts) for field, texts in found.items()}


def _describe(details: ErrorDetails, data: Any, schema: dict[str, Any]) -> tuple[str, str]:
    path = _input_path(details["loc"], data, missing=details["type"] == "missing")
    field = format_path(path)
    context = details.get("ctx", {})
    match details["type"]:
        case "missing":
            return field, "required but missing"
        case "extra_forbidden":
            keys = _keys_at(schema, details["loc"][:-1], schema.get("$defs", {}))
            return field, "unknown key" + nearest(str(details["loc"][-1]), keys)
        case "union_tag_not_found":
            return format_path([*path, context["discriminator"].strip("'")]), "required but missing"
        case "union_tag_invalid":
            tags = re.findall(r"'([^']+)'", context["expected_tags"])
            text = f"expected {' or '.join(tags)}, got {_shorten(context['tag'])}"
            return format_path([*path, context["discriminator"].strip("'")]), text + nearest(
                context["tag"], tags
            )
    return field, _reword(details["msg"]) + _got(details)


def _merge(texts: Sequence[str]) -> str:
    """Alternatives of one union: `expected A or B, got C`."""
    first, *others = texts
    if not others:
        return first
    heads = [text.rpartition(", got ")[0] or text for text in texts]
    tail = first.rpartition(", got ")[2]
    joined = " or ".join([heads[0], *(head.removeprefix("expected ") for head in heads[1:])])
    return f"{joined}, got {tail}" if ", got " in first else joined


def _reword(message: str) -> str:
    for pattern, replacement in _REWORDING:
        message = re.sub(pattern, replacement, message)
    return message if len(message) <= _LONGEST_TEXT else message[: _LONGEST_TEXT - 1] + "…"


def _got(details: ErrorDetails) -> str:
    value = details["input"]
    if details["type"] == "value_error" or "not " in details["msg"]:
        return ""
    if isinstance(value, _SCALARS):
        return f", got {_shorten(value)}"
    if isinstance(value, Mapping):
        return ", got an object"
    if isinstance(value, list | tuple | set | frozenset):
        return ", got a list"
    return f", got a value of type {type(value).__name__}"  # YAML and Parquet have dates and bytes


def _shorten(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 40 else text[:39] + "…"


def _input_path(loc: Sequence[int | str], data: Any, *, missing: bool) -> list[int | str]:
    """`loc` without the names of union alternatives, which are not part of the input."""
    path: list[int | str] = []
    for position, part in enumerate(loc):
        is_last_of_missing = missing and position == len(loc) - 1
        # A tuple of fixed length that is too short misses a place that the data does not have.
        in_list = isinstance(part, int) and isinstance(data, list | tuple) and part < len(data)
        in_object = isinstance(data, dict) and part in data
        if in_list or in_object:
            data = data[part]
        elif not is_last_of_missing:
            continue
        path.append(part)
    return path


def format_path(path: Iterable[int | str]) -> str:
    """`entities[0].path` for `("entities", 0, "path")`."""
    text = "".join(
        f"[{part}]" if isinstance(part, int) else f".{part[:_LONGEST_NAME]}" for part in path
    )
    return text.removeprefix(".")


def _keys_at(node: Any, loc: Sequence[int | str], defs: Mapping[str, Any]) -> set[str]:
    """Property names that a JSON schema allows at a pydantic error location."""
    if not isinstance(node, dict):
        return set()
    if "$ref" in node:
        return _keys_at(defs[node["$ref"].rpartition("/")[2]], loc, defs)
    mapping = node.get("discriminator", {}).get("mapping", {})
    if loc and loc[0] in mapping:
        return _keys_at({"$ref": mapping[loc[0]]}, loc[1:], defs)
    alternatives = node.get("anyOf") or node.get("oneOf")
    if alternatives:
        return set().union(*(_keys_at(option, loc, defs) for option in alternatives))
    if not loc:
        return set(node.get("properties", ()))
    if isinstance(loc[0], int):
        return _keys_at(node.get("items"), loc[1:], defs)
    child = node.get("properties", {}).get(loc[0], node.get("additionalProperties"))
    return _keys_at(child, loc[1:], defs)
