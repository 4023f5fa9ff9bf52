"""Any JSONL, Parquet or CSV file with a column of captions and one of images."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Iterator
from typing import Any

from benchmarks.sources.base import BadRow, Request, Source, of_input, text
from benchmarks.sources.readers import table
from schemas.scene_graph import CaptionRecord


def convert(row: dict[str, Any], request: Request) -> Iterator[CaptionRecord]:
    """One caption, from the columns that the flags name."""
    own = request.own
    identifier = row.get(own.id_column)
    if not isinstance(identifier, str | int) or not str(identifier).strip():
        raise BadRow(f"{own.id_column}: expected a text or a number")
    image, caption = text(row, own.image_column), text(row, own.caption_column)
    yield CaptionRecord(id=str(identifier), image=request.image(image), caption=caption)


def _add_flags(parser: ArgumentParser) -> None:
    for name in ("id", "image", "caption"):
        parser.add_argument(
            f"--{name}-column", metavar="NAME", default=name, help=f"(default: {name})"
        )


SOURCE = Source(
    "JSONL, Parquet or CSV with columns of your choice → captions",
    "rows with an id, an image and a caption; name the columns with --id-column and so on",
    of_input(table),
    convert,
    add_flags=_add_flags,
)
