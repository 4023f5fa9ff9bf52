"""Visual Genome: `region_descriptions.json` becomes regions (FGAM section 3.2.1).

Sizes of the images, at which boxes are cut, stand in `image_data.json` of the same download. That
file also names the images that are COCO's: these can have COCO's captions, and the others have
none, for phrases about regions in a row are no caption of the image.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.sources.base import (
    BadRow,
    Imported,
    Rejected,
    Request,
    Row,
    Source,
    left_out,
    number,
    objects,
    text,
)
from benchmarks.sources.boxes import Captions, add_captions_flag, caption_files, corners
from benchmarks.sources.coco import caption_record
from benchmarks.sources.phrases import clean
from benchmarks.sources.readers import json_list
from schemas.region import RegionText


def rows(request: Request) -> Iterator[Row]:
    """Each image with its size under `size` and its captions under `captions`."""
    sizes: dict[int, Any] = {}
    for place, item in json_list(request.own.image_data):
        try:
            sizes[_image_id(item if isinstance(item, dict) else {})] = item
        except BadRow as problem:
            yield f"{request.own.image_data.name} {place}", problem
    captions = Captions(caption_files(request.own))
    for place, row in json_list(request.input):
        if isinstance(row, dict):
            size = _of(row, sizes)
            coco_id = size.get("coco_id") if size else None
            said = list(captions.of(coco_id)) if isinstance(coco_id, int) else []
            row = {**row, "size": size, "captions": said}
        yield place, row


def convert(row: dict[str, Any], request: Request) -> Iterator[Imported]:
    """The captions and the regions of an image; the parts are regions that cannot be used."""
    identifier = _image_id(row)
    regions = objects(row, "regions")
    if row["size"] is None:
        raise BadRow(f"id: {identifier} is not in {request.own.image_data.name}")
    width, height = number(row["size"], "width"), number(row["size"], "height")
    image = request.image(f"{identifier}.jpg")
    parts: list[str] = []
    found: dict[tuple[Any, str], RegionText] = {}
    for region in regions:
        name = f"region {region.get('region_id')}"
        try:
            sides = [region.get(key) for key in ("x", "y", "width", "height")]
            box = corners(sides, width, height, "x, y, width, height")
            said = clean(text(region, "phrase"))
            one = RegionText(image=image, box=box, text=said, source="visual-genome")
        except (BadRow, ValueError) as problem:
            parts.append(f"{name}: {problem if isinstance(problem, BadRow) else 'phrase: no text'}")
            continue
        if (box, said) in found:
            parts.append(f"{name}: repeats another region")
        found.setdefault((box, said), one)
    for place, caption in row["captions"]:
        yield _caption(place, caption, image)
    yield from found.values()
    yield from left_out(str(identifier), parts)


def _of(row: dict[str, Any], sizes: dict[int, Any]) -> Any:
    """The size of an image; None also for a row without an id, which `convert` refuses."""
    try:
        return sizes.get(_image_id(row))
    except BadRow:
        return None


def _image_id(row: dict[str, Any]) -> int:
    return number(row, "id" if "id" in row else "image_id")


def _caption(place: str, caption: dict[str, Any], image: str) -> Imported:
    """A caption of COCO; a bad one is left out by itself."""
    try:
        return caption_record(caption, image)
    except (BadRow, ValueError) as problem:
        return Rejected(str(problem), row=place)


def _add_flags(parser: ArgumentParser) -> None:
    parser.add_argument("--image-data", metavar="FILE", type=Path, required=True,
                        help="Visual Genome's image_data.json: sizes of the images")  # fmt: skip
    add_captions_flag(parser)


def _others(own: Namespace) -> list[Path]:
    return [own.image_data, *caption_files(own)]


SOURCE = Source(
    "Visual Genome's region_descriptions.json → regions; with --captions also COCO's captions",
    "a JSON list of images with id and regions (region_id, x, y, width, height, phrase)",
    rows,
    convert,
    add_flags=_add_flags,
    others=_others,
)
