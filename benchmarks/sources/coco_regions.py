"""COCO instances: `instances_train2017.json` and the like (FGAM section 3.2.1).

The text of a region is the name of its category and no more, as the annotation says no more.
`agents.region_writer` writes better ones from the captions, on these boxes. Two dogs of an image
have one text, which the region loss does not count against each other.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from benchmarks.sources.base import BadRow, Imported, Request, Row, Source, number, text
from benchmarks.sources.boxes import Captions, add_captions_flag, by_image, caption_files, corners
from benchmarks.sources.coco import caption_record, identifier, lists
from schemas.region import RegionText

EXPECTED = (
    "a JSON object with images (id, file_name, width, height), categories (id, name) and "
    "annotations (id, image_id, category_id, bbox)"
)


def rows(request: Request) -> Iterator[Row]:
    """The captions, then the annotations of one image after the other, and what belongs to none.

    Masks are not kept in memory, everything else is.
    """
    keys = ("images", "annotations", "categories")
    images, annotations, categories = lists(request.input, keys, "COCO instances", EXPECTED)
    captions = Captions(caption_files(request.own))
    names: dict[int, Any] = {}
    for place, category in enumerate(categories):
        try:
            names.update({identifier(category): category.get("name")})
        except BadRow as problem:
            yield f"categories[{place}]", problem
    places = by_image(annotations)
    known: dict[int | None, Any] = {}
    for place, image in enumerate(images):
        try:
            if known.setdefault(identifier(image), image) is not image:
                raise BadRow(f"id: {image['id']} was already used")
        except BadRow as problem:
            yield f"images[{place}]", problem
    for image_id in [*known, *(key for key in places if key not in known)]:
        image = known.get(image_id)
        for where, caption in captions.of(image_id) if image else ():
            yield where, {"image": image, "caption": caption}
        for index in places.get(image_id, ()):
            row = {"image": image, "region": annotations[index], "names": names}
            yield f"annotations[{index}]", row
    for where, caption in captions.of(None):
        yield where, {"image": None, "caption": caption}


def convert(row: dict[str, Any], request: Request) -> Iterator[Imported]:
    """One caption or one region."""
    image, annotation = row["image"], row["caption" if "caption" in row else "region"]
    if not isinstance(annotation, dict):
        raise BadRow("expected an object")
    image_id = number(annotation, "image_id")
    if image is None:
        raise BadRow(f"image_id: {image_id} is not among the images")
    path = request.image(text(image, "file_name"))
    if "caption" in row:
        yield caption_record(annotation, path)
    else:
        yield _region(annotation, image, row["names"], path)


def _region(
    annotation: dict[str, Any], image: dict[str, Any], names: dict[Any, Any], path: str
) -> RegionText:
    if annotation.get("iscrowd"):
        raise BadRow("iscrowd: the box is around many things, expected one thing")
    category = number(annotation, "category_id")
    if not isinstance(names.get(category), str):
        raise BadRow(f"category_id: {category} is not among the categories")
    box = annotation.get("bbox")
    sides = box if isinstance(box, list) else []
    size = number(image, "width"), number(image, "height")
    return RegionText(
        image=path, box=corners(sides, *size, "bbox"), text=names[category], source="coco"
    )


SOURCE = Source(
    "COCO's instances_*.json → regions; with --captions also captions",
    EXPECTED,
    rows,
    convert,
    add_flags=add_captions_flag,
    others=caption_files,
)
