"""PixMo-Cap: Parquet files of `image_url`, `caption`, `transcripts`; images stay URLs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

from benchmarks.sources.base import Request, Source, of_input, text
from benchmarks.sources.readers import table
from schemas.scene_graph import CaptionRecord


def convert(row: dict[str, Any], request: Request) -> Iterator[CaptionRecord]:
    """One caption; its id is made of the URL, so that it is the same in every shard and run."""
    url = text(row, "image_url")
    digest = hashlib.sha256(url.encode()).hexdigest()[:16]
    caption = text(row, "caption")
    yield CaptionRecord(id=f"pixmo-{digest}", image=request.image(url), caption=caption)


SOURCE = Source(
    "PixMo-Cap's Parquet or JSONL → captions; images stay URLs",
    "rows with image_url and caption",
    of_input(table),
    convert,
)
