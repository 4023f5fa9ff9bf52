"""COCO captions: `captions_train2017.json` and the like.

Each of an image's five captions is a record of its own, `IMAGE-CAPTION`: five people described
the image independently, and joined they would contradict or repeat each other.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.sources.base import BadRow, Request, Row, Source, number, of_input, text
from benchmarks.sources.readers import loads, readable
from runtime.errors import ToolkitError
from schemas.scene_graph import CaptionRecord

EXPECTED = "a JSON object with images (id, file_name) and annotations (id, image_id, caption)"


def lists(path: Path, keys: tuple[str, ...], kind: str, expected: str) -> list[list[Any]]:
    """What stands under the `keys` of one of COCO's files, without the masks.

    Raises ToolkitError("input") for a file that is not JSON, or has no list under one of them.
    """
    with readable(path):
        try:
            data = loads(path.read_text(encoding="utf-8-sig"), without="segmentation")
        except (json.JSONDecodeError, RecursionError) as error:
            raise ToolkitError("input", f"{path}: not valid JSON: {error}", expected) from None
    found = [data.get(key) for key in keys] if isinstance(data, dict) else []
    given = [items for items in found if isinstance(items, list)]
    if len(given) < len(keys):
        raise ToolkitError("input", f"{path}: not {kind}", f"expected {expected}")
    return given


def rows(path: Path) -> Iterator[Row]:
    """Each annotation, with the file name of its image under `file_name`; images without id."""
    images, annotations = lists(path, ("images", "annotations"), "COCO captions", EXPECTED)
    names: dict[int, object] = {}
    for place, image in enumerate(images):
        try:
            names.update({identifier(image): image.get("file_name")})
        except BadRow as problem:
            yield f"images[{place}]", problem
    for place, annotation in enumerate(annotations):
        if isinstance(annotation, dict):
            image_id = annotation.get("image_id")
            annotation["file_name"] = names.get(image_id) if isinstance(image_id, int) else None
        yield f"annotations[{place}]", annotation


def identifier(item: Any) -> int:
    """The id of an image or a category. Raises BadRow when it is missing or something else."""
    return number(item if isinstance(item, dict) else {}, "id")


def convert(row: dict[str, Any], request: Request) -> Iterator[CaptionRecord]:
    """One caption."""
    image_id = number(row, "image_id")
    if row["file_name"] is None:
        raise BadRow(f"image_id: {image_id} is not among the images")
    yield caption_record(row, request.image(text(row, "file_name")))


def caption_record(row: dict[str, Any], image: str) -> CaptionRecord:
    """A caption of an image. Raises BadRow."""
    identifier = f"{number(row, 'image_id')}-{number(row, 'id')}"
    return CaptionRecord(id=identifier, image=image, caption=text(row, "caption"))


SOURCE = Source("COCO's captions_*.json → one record a caption", EXPECTED, of_input(rows), convert)
