"""Says in one line each what pydantic found wrong with a row, a config or a model's answer."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence

from pydantic import BaseModel, ValidationError

_EXPECTED = {
    "missing": "is missing",
    "int_type": "expected a whole number",
    "int_parsing": "expected a whole number",
    "string_type": "expected text",
    "tuple_type": "expected a list",
    "list_type": "expected a list",
    "float_type": "expected a number",
    "bool_type": "expected true or false",
    "model_type": "expected an object",
    "model_attributes_type": "expected an object",
    "dict_type": "expected an object",
    "json_invalid": "is not valid JSON",
}


def explain(error: ValidationError, model: type[BaseModel], most: int = 3) -> list[str]:
    """Up to `most` lines of the form `field[2].name: what was expected, what was found`."""
    lines = [_line(item, model) for item in error.errors(include_url=False)]
    unique = list(dict.fromkeys(lines))
    rest = len(unique) - most
    return unique[:most] + ([f"and {rest} more"] if rest > 0 else [])


def nearest(name: str, known: Iterable[str]) -> str:
    """`; did you mean "x"?` with the nearest of the known names, or nothing."""
    match = difflib.get_close_matches(name, list(known), n=1, cutoff=0.6)
    return f'; did you mean "{match[0]}"?' if match else ""


def field_path(location: Sequence[int | str]) -> str:
    """`("judgements", 0, "level")` → `judgements[0].level`."""
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def _line(item: object, model: type[BaseModel]) -> str:
    assert isinstance(item, dict)
    location, kind, message = item["loc"], item["type"], item["msg"]
    field = field_path(location)
    if kind == "extra_forbidden":
        known = model.model_fields if len(location) == 1 else ()
        return f"{field}: is not a known key{nearest(str(location[-1]), known)}"
    if kind == "value_error":
        message = message.removeprefix("Value error, ")
        return f"{field}: {message}" if field else message
    if kind in ("missing", "json_invalid"):
        return f"{field}: {_EXPECTED[kind]}" if field else _EXPECTED[kind]
    expected = _EXPECTED.get(kind, message[:1].lower() + message[1:])
    found = repr(item.get("input"))
    found = found if len(found) <= 60 else found[:57] + "..."
    return f"{field}: {expected}, got {found}" if field else f"{expected}, got {found}"
