"""Boxes of annotators as this toolkit keeps them, and the captions of the images they are in."""

from __future__ import annotations

import math
from argparse import ArgumentParser, Namespace
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.sources import coco
from benchmarks.sources.base import BadRow, Row
from schemas.region import Box

SMALLEST = 1.0
"""Width and height in pixels below which nothing can be seen in a box."""
_DIGITS = 2


def corners(sides: Sequence[Any], width: int, height: int, field: str) -> Box:
    """`x, y, width, height` in pixels as `[x0, y0, x1, y1]`, cut at the edges of its image.

    Raises BadRow for what are not four finite numbers, and when less than one pixel is left.
    """
    if len(sides) != 4 or not all(_is_number(side) for side in sides):
        expected = "expected four numbers: x, y, width, height"
        raise BadRow(f"{field}: {expected}, got {str(list(sides))[:60]}")
    x, y, wide, high = sides
    x0, x1 = (round(min(max(edge, 0), width), _DIGITS) for edge in (x, x + wide))
    y0, y1 = (round(min(max(edge, 0), height), _DIGITS) for edge in (y, y + high))
    if x1 - x0 < SMALLEST or y1 - y0 < SMALLEST:
        seen = f"{max(x1 - x0, 0):g} x {max(y1 - y0, 0):g}"
        raise BadRow(f"{field}: expected a box of 1 x 1 pixels or more in the image, got {seen}")
    return float(x0), float(y0), float(x1), float(y1)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def add_captions_flag(parser: ArgumentParser) -> None:
    """Declare `--captions`."""
    parser.add_argument("--captions", metavar="FILE", type=Path, action="append", default=[],
                        help="COCO's captions_*.json, whose captions of these images go to "
                        "captions.jsonl; may be given several times")  # fmt: skip


def caption_files(own: Namespace) -> list[Path]:
    """What `--captions` was given."""
    return list(own.captions)


def by_image(annotations: Sequence[Any]) -> dict[int | None, list[int]]:
    """Indices of the annotations of each of COCO's images; under None, of what belongs to none."""
    found: defaultdict[int | None, list[int]] = defaultdict(list)
    for index, annotation in enumerate(annotations):
        image_id = annotation.get("image_id") if isinstance(annotation, dict) else None
        found[image_id if isinstance(image_id, int) else None].append(index)
    return found


class Captions:
    """COCO's captions of images, by COCO's id. Raises ToolkitError("input") for other files."""

    def __init__(self, files: Sequence[Path]) -> None:
        self._files = []
        for path in files:
            [annotations] = coco.lists(path, ("annotations",), "COCO captions", coco.EXPECTED)
            self._files.append((path.name, annotations, by_image(annotations)))

    def of(self, image_id: int | None) -> Iterator[Row]:
        """Each with its place; of None what belongs to no image."""
        for name, captions, indices in self._files:
            for index in indices.get(image_id, ()):
                yield f"{name} annotations[{index}]", captions[index]
