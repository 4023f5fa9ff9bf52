"""The CSV files of a folder of questions, with the bytes of their images."""

from __future__ import annotations

import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Self

from benchmarks.finer_prompt import LETTERS
from benchmarks.finer_score import read_pairs
from runtime.errors import ToolkitError
from runtime.reviews import read_decisions
from runtime.sources import Source
from schemas.finer import QuestionRow
from scoring.pairing import split_stem

SETTINGS = ("multi_obj", "multi_attr", "multi_rel", "wh", "levels")
"""Names of the CSV files, in the order of the paper; `levels` is the seven-level study."""

_PUBLISHED = (
    "agent", "versions", "seed", "settings", "inputs", "models", "prompts", "counts",
    "tested_against", "negatives_from",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Question:
    """A row of a setting; `pair` counts the pairs (single questions in `levels`) from 0."""

    pair: int
    row: QuestionRow
    image: bytes

    @property
    def file(self) -> str:
        """Name of the image file, without its folder."""
        return Path(self.row.image).name

    @property
    def answer(self) -> str:
        """Letter of the right option."""
        return LETTERS[self.row.gt_index]


@dataclass(frozen=True)
class Questions:
    """What is exported, and what a README says of it.

    `provenance` is from the `manifest.json` beside the CSV files, `counts` fills while they are
    read: questions by setting and number of elements (levels by `level_N`).
    """

    folder: Path
    images: Path
    license: str
    source: str
    provenance: dict[str, Any]
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    reviewed: Mapping[str, Source] = field(default_factory=dict)
    """With `only_reviewed`: the settings that are exported."""

    @property
    def settings(self) -> list[str]:
        """Settings that have a file."""
        return list(self.reviewed) or [
            name for name in SETTINGS if (self.folder / f"{name}.csv").exists()
        ]

    def only_reviewed(self) -> Self:
        """Only what reviewers accepted, of the settings that they looked at.

        Raises ToolkitError("input") where they looked at none.
        """
        files = read_decisions(self.folder).files
        looked_at = [name for name in self.settings if f"{name}.csv" in files]
        if not looked_at:
            hint = f"review them first: grainwise review {self.folder}"
            raise ToolkitError("input", f"{self.folder}: nobody has reviewed its questions", hint)
        paths = {name: Source.of(self.folder / f"{name}.csv") for name in looked_at}
        return replace(self, reviewed={name: one.only_reviewed() for name, one in paths.items()})

    def read(self, setting: str) -> Iterator[Question]:
        """The questions of a setting, in order.

        Raises ToolkitError("input") for a bad row or a row without its partner and
        ToolkitError("image") for an image that is missing or not readable; both are named.
        """
        path = self.folder / f"{setting}.csv"
        source = self.reviewed.get(setting, Source.of(path))
        counts = self.counts[setting] = Counter()
        for pair, rows in enumerate(read_pairs(source, QuestionRow)):
            for row in rows:
                counts[_part(setting, row.qtype)] += 1
                yield Question(pair, row, _image(path, self.images, row.image))


def open_questions(folder: Path, images: Path, license_name: str, source: str) -> Questions:
    """`images` is what image paths are relative to.

    Raises ToolkitError("input") where a folder has no questions.
    """
    provenance = _provenance(folder / "manifest.json")
    questions = Questions(folder, images, license_name, source, provenance)
    if not questions.settings:
        expected = ", ".join(f"{name}.csv" for name in SETTINGS)
        hint = f"expected one or more of {expected}; `python -m benchmarks.finer build` makes them"
        raise ToolkitError("input", f"{folder}: no questions", hint)
    return questions


def _part(setting: str, qtype: str) -> str:
    stem, elements = split_stem(qtype)
    return qtype if setting == "levels" else stem if elements is None else str(elements)


@lru_cache(maxsize=8)
def _image(csv_file: Path, folder: Path, image: str) -> bytes:
    """The bytes of an image as they are; consecutive rows share one."""
    from PIL import Image

    hint = "image paths are relative to the CSV file, or to --images; correct or remove the rows"
    if "://" in image:
        message = f"{csv_file}: image {image} is a URL, and exports hold the images themselves"
        raise ToolkitError("image", message, "download it and name the file instead")
    try:
        data = (folder / image).read_bytes()
    except OSError as error:
        message = f"{csv_file}: image {image}: {error.strerror or error}"
        raise ToolkitError("image", message, hint) from None
    try:
        Image.open(io.BytesIO(data)).close()
    except (OSError, Image.DecompressionBombError) as error:
        message = f"{csv_file}: image {image}: not a readable image: {error}"
        raise ToolkitError("image", message, hint) from None
    return data


def _provenance(manifest: Path) -> dict[str, Any]:
    """What of a manifest may be published: no command lines, no paths."""
    if not manifest.is_file():
        return {}
    try:
        found = json.loads(manifest.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        hint = "remove it to export without provenance"
        raise ToolkitError("input", f"{manifest}: not valid JSON: {error}", hint) from None
    if not isinstance(found, dict):
        return {}
    return {key: found[key] for key in _PUBLISHED if found.get(key)}
