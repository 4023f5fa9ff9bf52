"""What the region writer reads: captions of images, and boxes that are there already."""

from __future__ import annotations

import os
import sys
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from runtime.errors import ToolkitError
from runtime.files import read_numbered, validate_all
from schemas.region import Box, RegionText
from schemas.region_writing import CaptionedImage, CaptionRow

_LONGEST_LABEL = 100


class Boxes:
    """Boxes with their labels by image: a `regions.jsonl` whose texts are labels.

    All are held in memory. Raises ToolkitError("input") for a file that is not of this form.
    """

    def __init__(self, path: Path) -> None:
        self.sha256 = validate_all(path, RegionText).sha256
        self._rows: defaultdict[str, list[tuple[Box, str, str]]] = defaultdict(list)
        for number, row in read_numbered(path, RegionText):
            if len(row.text) > _LONGEST_LABEL:
                expected = f"expected a label of at most {_LONGEST_LABEL} characters"
                hint = "give the name of the thing in the box; its text is written here"
                raise ToolkitError("input", f"{path}:{number}: text: {expected}", hint)
            label, source = sys.intern(row.text), sys.intern(row.source)
            self._rows[_key(row.image, path.parent)].append((row.box, label, source))

    def of(self, image: str, folder: Path) -> list[tuple[Box, str, str]]:
        """Box, label and source of each box of an image that a file in `folder` names."""
        return self._rows.get(_key(image, folder), [])


def _key(image: str, folder: Path) -> str:
    """One name for an image, from whichever file it is named in."""
    return image if "://" in image else os.path.abspath(folder / image)


def captioned(
    rows: Sequence[CaptionRow], image: str, boxes: Sequence[tuple[Box, str, str]] | None
) -> CaptionedImage:
    """The rows of one image as one unit of work, named by the first."""
    regions = None
    if boxes is not None:
        regions = tuple(
            RegionText(image=image, box=box, text=label, source=source)
            for box, label, source in boxes
        )
    return CaptionedImage(id=rows[0].id, image=image, captions=tuple(rows), boxes=regions)
