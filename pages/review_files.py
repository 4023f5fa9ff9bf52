"""The files of a run that a person can review, read item by item: memory holds only where each is.

Every row is read once when a file is opened, so that what is wrong with it is said before anybody
has judged anything.
"""

from __future__ import annotations

import io
import os
import random
from array import array
from collections.abc import Iterator
from dataclasses import dataclass, field
from math import inf
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from pages.review_items import KINDS, Kind
from runtime.csv_rows import csv_rows
from runtime.errors import ToolkitError
from runtime.readers import json_record, read_rows
from runtime.review_items import Item, Row, groups, items
from runtime.reviews import RawRow
from schemas.finer import Verdict
from schemas.validation import describe_errors

_SHA = 32  # bytes of a digest


class Found(NamedTuple):
    """An item with the row it stands in."""

    item: Item
    row: Row


@dataclass
class ReviewFile:
    """One file of a run. Items are counted from 0 in the order of the file, or of the sample."""

    path: Path
    kind: Kind
    starts: array[int] = field(default_factory=lambda: array("Q"))
    ends: array[int] = field(default_factory=lambda: array("Q"))
    parts: array[int] = field(default_factory=lambda: array("L"))
    """Which item of its rows each is."""
    places: dict[str, int] = field(default_factory=dict)
    """The number of each item by its id."""
    digests: bytearray = field(default_factory=bytearray)
    scores: array[float] = field(default_factory=lambda: array("d"))
    """Of verdicts: the entropy from which on the element is kept, infinite if it never is."""
    state: tuple[int, int] = (0, 0)

    @property
    def name(self) -> str:
        """The file's name, by which decisions call it."""
        return self.path.name

    def __len__(self) -> int:
        return len(self.starts)

    def sha256(self, number: int) -> str:
        """Hex digest of an item."""
        return self.digests[number * _SHA : (number + 1) * _SHA].hex()

    def read(self, number: int) -> Found:
        """An item, from the disk. Raises ToolkitError("input") when the file has changed."""
        if _state(self.path) != self.state:
            hint = "stop the page and start it again; no decision is lost"
            raise ToolkitError("input", f"{self.path}: has changed since it was opened", hint)
        with self.path.open("rb") as file:
            header = file.readline() if self.path.suffix == ".csv" else b""
            file.seek(self.starts[number])
            data = file.read(self.ends[number] - self.starts[number])
        rows = self._rows(header, data)
        return Found(items(self.name, rows)[self.parts[number]], rows[0])

    def _rows(self, header: bytes, data: bytes) -> list[Row]:
        if self.path.suffix == ".csv":
            found = csv_rows(io.BytesIO(header + data), str(self.path), RawRow)
            return [row.root for _, row in found]
        text = data.removeprefix(b"\xef\xbb\xbf").strip()
        return [json_record(text, str(self.path), RawRow).root]

    def add(self, start: int, end: int, found: list[Item]) -> None:
        """Note the items of some rows; rows that are alike are one item.

        Raises ToolkitError("input") for rows that differ and share an id.
        """
        for part, item in enumerate(found):
            if item.id in self.places:
                if self.sha256(self.places[item.id]) == item.sha256:
                    continue
                message = f"{self.path}: id: {item.id!r} is that of two rows that differ"
                raise ToolkitError("input", message, "give every row its own id")
            self.places[item.id] = len(self)
            self.starts.append(start)
            self.ends.append(end)
            self.parts.append(part)
            self.digests += bytes.fromhex(item.sha256)
            if self.kind.model is Verdict:
                self.scores.append(_score(Verdict.model_validate(item.content)))

    def sampled(self, count: int, seed: int) -> ReviewFile:
        """This file with `count` of its items, drawn by the seed, in order; all if it has fewer."""
        if count >= len(self):
            return self
        drawn = sorted(random.Random(f"{seed}:{self.name}").sample(range(len(self)), count))
        ids = list(self.places)
        small = ReviewFile(self.path, self.kind, state=self.state)
        for number in drawn:
            small.places[ids[number]] = len(small)
            small.digests += self.digests[number * _SHA : (number + 1) * _SHA]
            for name in ("starts", "ends", "parts"):
                getattr(small, name).append(getattr(self, name)[number])
            if self.scores:
                small.scores.append(self.scores[number])
        return small


def open_run(folder: Path, sample: int | None, seed: int) -> dict[str, ReviewFile]:
    """The files of a run that can be reviewed, by name, each with its items or a sample of them.

    Raises ToolkitError("input") for a folder without any, or a bad row, with file, line and field.
    """
    paths = [folder / name for name in KINDS if (folder / name).is_file()]
    files = [one for path in paths if len(one := open_file(path))]
    if not files:
        hint = f"give the folder of a run that made one of {', '.join(KINDS)}"
        raise ToolkitError("input", f"{folder}: holds nothing to review", hint)
    return {one.name: one.sampled(sample, seed) if sample else one for one in files}


def open_file(path: Path) -> ReviewFile:
    """Read every row of a file and note where its items are. Raises ToolkitError("input")."""
    file = ReviewFile(path, KINDS[path.name], state=_state(path))
    offsets = _offsets(path)
    before: tuple[int, list[Item]] | None = None
    rows = ((number, raw.root) for number, raw in read_rows(path, str(path), RawRow))
    for group in groups(path.name, rows):
        start = offsets[group[0][0] - 1]
        if before:
            file.add(before[0], start, before[1])
        before = start, _checked(file, group)
    if before:
        file.add(before[0], offsets[-1], before[1])
    return file


def _checked(file: ReviewFile, group: list[tuple[int, Row]]) -> list[Item]:
    for number, row in group:
        model = file.kind.model_of(row)
        try:
            model.model_validate(row)
        except ValidationError as error:
            message = f"{file.path}:{number}: {describe_errors(error, row, model)}"
            raise ToolkitError("input", message, "correct the file, or make it again") from None
    return items(file.name, [row for _, row in group])


def _offsets(path: Path) -> array[int]:
    """Where each line starts, and where the last one ends."""

    def found() -> Iterator[int]:
        position = 0
        yield position
        with path.open("rb") as file:
            for line in file:
                position += len(line)
                yield position

    return array("Q", found())


def _state(path: Path) -> tuple[int, int]:
    try:
        found = os.stat(path)
    except OSError:
        return (0, 0)
    return found.st_mtime_ns, found.st_size


def _score(verdict: Verdict) -> float:
    """As the discriminator keeps an element: the positive is on top, and the entropy low enough."""
    true = verdict.probabilities[verdict.positive]
    others = (p for i, p in enumerate(verdict.probabilities) if i != verdict.positive)
    return verdict.entropy if true > max(others, default=0.0) else inf
