"""How a model is made to answer a schema: enforced by the provider, or asked for in words."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Literal

from pydantic import BaseModel

from backends.base import PlainText

Mode = Literal["json_schema", "json", "prompt"]

# Providers refuse these in strict mode, or build huge grammars of them. pydantic checks them.
_UNSUPPORTED = {"title", "default", "minLength", "maxLength", "maxItems", "format", "pattern"}
_NAMED_SCHEMAS = ("properties", "$defs")


def structured_arguments(
    messages: list[dict[str, Any]], output: type[BaseModel], mode: Mode
) -> dict[str, Any]:
    """`messages` and `response_format` of a chat completion that answers `output`."""
    if issubclass(output, PlainText):
        return {"messages": messages}
    if mode == "json_schema":
        schema = {"name": output.__name__, "schema": strict_schema(output), "strict": True}
        response_format = {"type": "json_schema", "json_schema": schema}
        return {"messages": messages, "response_format": response_format}
    # instructor writes the schema into the messages. Its client would call, parse and retry on
    # its own as well; here one call is one call, so only its preparation of a request is used.
    from instructor import Mode as InstructorMode
    from instructor.processing.response import handle_response_model

    how = InstructorMode.JSON if mode == "json" else InstructorMode.MD_JSON
    _, arguments = handle_response_model(output, mode=how, messages=messages)
    return dict(arguments)


@lru_cache(maxsize=256)
def strict_schema(output: type[BaseModel]) -> dict[str, Any]:
    """JSON schema of `output` as strict modes want it: every property required, no others."""
    schema: dict[str, Any] = _strict(output.model_json_schema())
    return schema


def _strict(node: Any) -> Any:
    if isinstance(node, list):
        return [_strict(item) for item in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return {"$ref": node["$ref"]}
    strict = {
        key: _strict(value)
        for key, value in node.items()
        if key not in _UNSUPPORTED and key not in _NAMED_SCHEMAS
    }
    for group in _NAMED_SCHEMAS:
        if group in node:
            strict[group] = {name: _strict(schema) for name, schema in node[group].items()}
    if "properties" in node:
        strict |= {"required": list(node["properties"]), "additionalProperties": False}
    return strict
