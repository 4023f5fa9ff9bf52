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
from schemas.scene_graph import SceneGraph

_LONGEST_LABEL = 100
_LONGEST_CAPTION = 20_000


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
    """The rows of one image as one. Its graph is used where there is one row, not several."""
    captions = [row.caption.strip() for row in rows]
    sentences = [text if text.endswith((".", "!", "?")) else f"{text}." for text in captions]
    first = rows[0]
    graph = None
    if len(rows) == 1 and first.objects:
        graph = SceneGraph(
            id=first.id, image=image, objects=first.objects, relations=first.relations
        )
    regions = None
    if boxes is not None:
        regions = tuple(
            RegionText(image=image, box=box, text=label, source=source)
            for box, label, source in boxes
        )
    caption = " ".join(sentences)[:_LONGEST_CAPTION]
    return CaptionedImage(id=first.id, image=image, caption=caption, graph=graph, boxes=regions)
