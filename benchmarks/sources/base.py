"""What an importer is: rows of a file, and how one of them becomes records."""

from __future__ import annotations

import os
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from agents.command import relocate
from schemas.region import RegionText
from schemas.scene_graph import CaptionRecord, SceneGraph


class BadRow(Exception):
    """A row that cannot be used; the text is the reason."""


@dataclass(frozen=True)
class Rejected:
    """A row that was left out and why, or the `parts` that were left out of one that was kept.

    `row` is its place in the file.
    """

    reason: str
    id: str | None = None
    parts: tuple[str, ...] = ()
    row: str = ""


Imported = CaptionRecord | SceneGraph | RegionText | Rejected
Row = tuple[str, Any]
"""The place of a row in its file, and its value."""


@dataclass(frozen=True)
class Request:
    """One import: where images are, where the result goes, and the flags of the format."""

    input: Path
    output: Path
    images: Path | None
    default_images: Path
    own: Namespace

    def image(self, name: str) -> str:
        """An image's path as seen from the output. URLs stay as they are.

        In `--images` the file is looked for, also one folder further down; without this flag it
        is taken to be where the data set keeps it. Raises BadRow when it is not found.
        """
        if "://" in name:
            return name
        if self.images is None:
            return relocate(name, self.default_images, self.output)
        for folder in self._folders:
            if os.path.isfile(folder / name):  # False also for what no file can be called
                return relocate(name, folder, self.output)
        raise BadRow(f"image: {name} is not in {self.images}")

    @cached_property
    def _folders(self) -> list[Path]:
        """Visual Genome and COCO come in two folders of images."""
        assert self.images is not None
        return [self.images, *sorted(path for path in self.images.iterdir() if path.is_dir())]


@dataclass(frozen=True)
class Source:
    """A format. `rows` yields the place and the value of each row, `convert` what it gives.

    `rows` raises ToolkitError("input") for a file that is not of the format, `convert` BadRow or
    pydantic's ValidationError. `images` is the usual folder of images, seen from the input file.
    `others` are files that the format's own flags name.
    """

    title: str
    expected: str
    rows: Callable[[Request], Iterator[Row]]
    convert: Callable[[dict[str, Any], Request], Iterable[Imported]]
    images: str = "."
    add_flags: Callable[[ArgumentParser], None] = lambda _: None
    others: Callable[[Namespace], Sequence[Path]] = lambda _: ()


def of_input(read: Callable[[Path], Iterator[Row]]) -> Callable[[Request], Iterator[Row]]:
    """The rows of a format that is one file."""
    return lambda request: read(request.input)


def left_out(identifier: str, parts: list[str]) -> list[Rejected]:
    """The note on a row that was kept without some of its parts; none where it is whole."""
    return [Rejected("kept without these parts", identifier, tuple(parts))] if parts else []


def text(row: dict[str, Any], key: str) -> str:
    """A text of a row. Raises BadRow when it is missing, empty or something else."""
    value = row.get(key)
    if not isinstance(value, str) or not value.strip():
        state = "is missing" if value is None else f"expected a text, got {str(value)[:40]!r}"
        raise BadRow(f"{key}: {state}")
    return value.strip()


def number(row: dict[str, Any], key: str) -> int:
    """A whole number of a row. Raises BadRow when it is missing or something else."""
    value = row.get(key)
    if not isinstance(value, int) or isinstance(value, bool):
        state = "is missing" if value is None else f"expected a number, got {str(value)[:40]!r}"
        raise BadRow(f"{key}: {state}")
    return value


def objects(row: dict[str, Any], key: str) -> list[dict[str, Any]]:
    """The objects in a list of a row. Raises BadRow when it is missing or something else."""
    value = row.get(key)
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        state = "is missing" if value is None else "expected a list of objects"
        raise BadRow(f"{key}: {state}")
    return value
