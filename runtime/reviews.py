"""`reviews.jsonl`: decisions of reviewers, beside the files they are about.

An item counts as accepted when at least one reviewer accepted it and none rejected it; where it
was edited, the latest edit holds. A decision counts only for the item it was made on: once the
file says something else, the item is without a decision.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, RootModel, ValidationError

from runtime.errors import ToolkitError
from runtime.readers import json_record, read_rows
from runtime.review_items import Item, Row, groups, items, remaining
from schemas.review import Review
from schemas.scene_graph import NegatedGraph
from schemas.validation import describe_errors

Record = TypeVar("Record", bound=BaseModel)

REVIEWS = "reviews.jsonl"
_HINT = "correct the file and run again; nothing was written"


class RawRow(RootModel[Row]):
    """A row of any file."""


class Decisions:
    """What reviewers have said of the items of a folder, and not taken back."""

    def __init__(self) -> None:
        self.sha256 = ""
        """Of the bytes that the decisions were read from."""
        self._said: defaultdict[tuple[str, str], list[Review]] = defaultdict(list)

    def add(self, review: Review) -> None:
        """Take one line into account: an undo removes its reviewer's latest decision on the item.

        What was said of the item when it was another one stays as it is.
        """
        said = self._said[review.file, review.id]
        if not review.undo:
            said.append(review)
            return
        who = (review.reviewer, review.item_sha256)
        mine = [one for one in said if (one.reviewer, one.item_sha256) == who]
        if mine:
            said.remove(mine[-1])

    @property
    def files(self) -> set[str]:
        """Names of the files that there are decisions on."""
        return {file for (file, _), said in self._said.items() if said}

    def of(self, file: str, item: str, sha256: str) -> dict[str, Review]:
        """Each reviewer's latest decision on the item of this id and digest, the latest last."""
        found: dict[str, Review] = {}
        for review in self._said.get((file, item), ()):
            if review.item_sha256 == sha256:
                found.pop(review.reviewer, None)
                found[review.reviewer] = review
        return found

    def accepted(self, file: str, item: Item) -> Any:
        """The content of the item as it was accepted; None for an item that was not."""
        said = self.of(file, item.id, item.sha256).values()
        if not said or any(review.decision == "reject" for review in said):
            return None
        edits = [review.edited for review in said if review.edited is not None]
        return edits[-1] if edits else item.content


def read_decisions(folder: Path) -> Decisions:
    """The decisions in a folder.

    A last line without its end is what a killed review left, and no decision. Raises
    ToolkitError("input") with the line for any other bad one, and where there is no file.
    """
    path, decisions = folder / REVIEWS, Decisions()
    try:
        data = path.read_bytes()
    except OSError as error:
        message = f"{path}: {error.strerror or error}"
        hint = f"review it first: grainwise review {folder}"
        raise ToolkitError("input", message, hint) from error
    for review in parse_reviews(data, str(path)):
        decisions.add(review)
    decisions.sha256 = hashlib.sha256(data).hexdigest()
    return decisions


def parse_reviews(data: bytes, name: str, before: int = 0) -> Iterator[Review]:
    """The whole lines of `data`, which follow `before` others. Raises ToolkitError("input")."""
    *lines, _ = data.split(b"\n")
    for number, line in enumerate(lines, before + 1):
        if line.strip():
            yield json_record(line, f"{name}:{number}", Review)


def accepted_rows(
    path: Path, name: str, model: type[Record], decisions: Decisions
) -> Iterator[tuple[int, Record]]:
    """The rows of a file as `read_rows` yields them, without what was not accepted.

    Raises ToolkitError("input") that names file, line, field and expectation.
    """
    rows = ((number, raw.root) for number, raw in read_rows(path, name, RawRow))
    for group in groups(path.name, rows):
        plain = [row for _, row in group]
        with _described(f"{name}:{group[0][0]}", plain[0], NegatedGraph):
            found = [decisions.accepted(path.name, one) for one in items(path.name, plain)]
            left = remaining(path.name, plain, found)
        for (number, _), row in zip(group, left, strict=False):
            with _described(f"{name}:{number}", row, model):
                record = model.model_validate(row)
            yield number, record


@contextmanager
def _described(place: str, row: Row, model: type[BaseModel]) -> Iterator[None]:
    try:
        yield
    except ValidationError as error:
        message = f"{place}: {describe_errors(error, row, model)}"
        raise ToolkitError("input", message, _HINT) from None
