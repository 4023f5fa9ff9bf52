"""DOCCI: `docci_descriptions.jsonlines`, one long description an image."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from benchmarks.sources.base import Request, Source, of_input, text
from benchmarks.sources.readers import json_lines
from schemas.scene_graph import CaptionRecord

SPLITS = ("train", "test", "qual_dev", "qual_test")


def convert(row: dict[str, Any], request: Request) -> Iterator[CaptionRecord]:
    """One caption, or none where the row is of another split."""
    wanted = request.own.split
    if wanted in (None, text(row, "split")):
        image = request.image(text(row, "image_file"))
        caption = text(row, "description")
        yield CaptionRecord(id=text(row, "example_id"), image=image, caption=caption)


def _add_flags(parser: ArgumentParser) -> None:
    parser.add_argument("--split", choices=SPLITS, help="only this split (default: all)")


SOURCE = Source(
    "DOCCI's docci_descriptions.jsonlines → captions",
    "JSON lines with example_id, split, image_file and description",
    of_input(json_lines),
    convert,
    "images",
    _add_flags,
)
