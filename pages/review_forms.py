"""The plain form in which an item is edited, and the item that comes out of it."""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Literal, NamedTuple

from pydantic import BaseModel, TypeAdapter, ValidationError, conlist

from pages.review_items import LETTERS, Kind
from runtime.review_items import Row
from schemas.finer import AnsweredRow, GivenRow
from schemas.review import ReviewedElement
from schemas.scene_graph import SceneGraph
from schemas.validation import field_errors, format_path

Path = tuple[str | int, ...]

_QUESTIONS = TypeAdapter(conlist(AnsweredRow, min_length=1, max_length=2))


class Field(NamedTuple):
    """One input. Its name is its path in the item, as errors name it; `group` is its legend."""

    path: Path
    label: str
    value: str
    shape: Literal["line", "text", "list", "choice"] = "line"
    group: str = ""
    options: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """What the form calls it."""
        return format_path(self.path)


class FormError(Exception):
    """What is wrong, by field; "" is the item as a whole."""

    def __init__(self, errors: Mapping[str, str]) -> None:
        super().__init__("; ".join(errors.values()))
        self.errors = dict(errors)


def fields(kind: Kind, content: Any) -> list[Field]:
    """The inputs for an item."""
    return list(_FIELDS[kind.name](content))


def edited(kind: Kind, content: Any, values: Mapping[str, str]) -> Any:
    """The item with the values of the form, by field name. Raises FormError."""
    inputs = fields(kind, content)
    plain = copy.deepcopy(content)
    if kind.name == "graph":
        plain["objects"].append({})
        plain.setdefault("relations", []).append({})
    for one in inputs:
        _set(plain, one, values.get(one.name, one.value))
    if kind.name == "graph":
        return _without_blanks(plain, inputs)
    if kind.name == "questions":
        return [
            _validated(row, GivenRow, inputs, f"[{number}].") for number, row in enumerate(plain)
        ]
    return _validated(plain, _model(kind, plain), inputs)


def check(kind: Kind, content: Any) -> None:
    """Raises ValidationError for what cannot be an item of this kind, as edited by hand."""
    if kind.name == "questions":
        _QUESTIONS.validate_python(content)
    else:
        _model(kind, content).model_validate(content)


def _model(kind: Kind, content: Any) -> type[BaseModel]:
    return ReviewedElement if kind.name == "element" else kind.model_of(content)


def _validated(
    plain: Row,
    model: type[BaseModel],
    inputs: Sequence[Field],
    place: str = "",
    numbers: Mapping[str, Sequence[int]] = MappingProxyType({}),
) -> Any:
    """`place` is where the row stands in the form, `numbers` what parts of lists are there."""

    def there(found: re.Match[str]) -> str:
        return (
            f"{found[1]}[{numbers[found[1]][int(found[2])]}]" if found[1] in numbers else found[0]
        )

    try:
        return model.model_validate(plain).model_dump(mode="json", exclude_unset=True)
    except ValidationError as error:
        found = field_errors(error, plain, model)
    errors: dict[str, str] = {}
    for field, text in found.items():
        name = place + re.sub(r"^(\w+)\[(\d+)\]", there, field)
        # An item of a list is an input's line; what belongs to no input is said of the whole.
        owner = max((one.name for one in inputs if name.startswith(one.name)), key=len, default="")
        errors.setdefault(owner, text if owner or not field else f"{field}: {text}")
    if len(errors) > 1:
        errors.pop("", None)  # often said because of the fields; what is left shows later
    raise FormError(errors)


def _without_blanks(plain: Row, inputs: Sequence[Field]) -> Any:
    """A graph without the objects and relations whose text was emptied, or never filled in."""
    objects, relations = plain["objects"], plain["relations"]
    kept = [n for n, one in enumerate(objects) if one["name"].strip()]
    place = {old: new for new, old in enumerate(kept)}
    related = [
        n
        for n, one in enumerate(relations)
        if one["relation"].strip() and one["subject"] in place and one["object"] in place
    ]
    ends = ("subject", "object")
    whole = {
        **plain,
        "objects": [objects[n] for n in kept],
        "relations": [
            {**relations[n], **{end: place[relations[n][end]] for end in ends}} for n in related
        ],
    }
    numbers = {"objects": kept, "relations": related}
    return _validated(whole, SceneGraph, inputs, numbers=numbers)


def _set(plain: Any, field: Field, text: str) -> None:
    *parents, last = field.path
    for part in parents:
        plain = plain[part]
    if field.shape == "list":
        plain[last] = [line.strip() for line in text.splitlines() if line.strip()]
    elif field.shape == "choice":
        plain[last] = int(text) if text in dict(field.options) else text
    else:
        plain[last] = text
    if not text and isinstance(last, str) and last.startswith("choice"):
        plain.pop(last, None)  # an option that is not given


def _element(content: Any) -> Iterator[Field]:
    for number, text in enumerate(content["negatives"]):
        yield Field(("negatives", number), f"Negative {number + 1}", text)


def _questions(content: Any) -> Iterator[Field]:
    for number, row in enumerate(content):
        group = row["qtype"]
        yield Field((number, "question"), "Question", row["question"], "text", group)
        for place, letter in enumerate(LETTERS, 1):
            name = f"choice{place}"
            yield Field((number, name), f"Option {letter}", row.get(name) or "", "line", group)
        options = tuple((str(place), letter) for place, letter in enumerate(LETTERS))
        right = str(row["gt_index"])
        yield Field((number, "gt_index"), "Right answer", right, "choice", group, options)


def _pair(content: Any) -> Iterator[Field]:
    for name, label in (("prompt", "Prompt"), ("chosen", "Chosen"), ("rejected", "Rejected")):
        for number, message in enumerate(content[name]):
            for place, part in enumerate(message["content"]):
                if "text" in part:
                    path = (name, number, "content", place, "text")
                    yield Field(path, label, part["text"], "text")
    if "margin" in content:
        yield Field(("margin",), "Margin", str(content["margin"]))


def _graph(content: Any) -> Iterator[Field]:
    """All objects and relations; `objects` and `relations` have a blank one more each."""
    objects = [*content["objects"], {}]
    for number, one in enumerate(objects):
        group = f"Object {number + 1}" if one else "One more object"
        yield Field(("objects", number, "name"), "Name", one.get("name", ""), "line", group)
        lines = "\n".join(one.get("attributes", ()))
        label = "Attributes, one a line"
        yield Field(("objects", number, "attributes"), label, lines, "list", group)
    options = tuple((str(n), one.get("name", "the new object")) for n, one in enumerate(objects))
    for number, one in enumerate([*content.get("relations", ()), {}]):
        group = f"Relation {number + 1}" if one else "One more relation"
        for key, label in (("subject", "Subject"), ("relation", "Relation"), ("object", "Object")):
            path = ("relations", number, key)
            if key == "relation":
                yield Field(path, label, one.get(key, ""), "line", group)
            else:
                yield Field(path, label, str(one.get(key, 0)), "choice", group, options)


_FIELDS = {"graph": _graph, "element": _element, "questions": _questions, "pair": _pair}
