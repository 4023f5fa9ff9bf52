"""Small copies of images, to stand inside a page."""

from __future__ import annotations

import base64
import io
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from runtime.errors import ToolkitError

if TYPE_CHECKING:
    from PIL.Image import Image

LONGEST_SIDE = 360
MAX_BYTES = 30_000
"""Of a JPEG; in a page it takes a third more."""


class Thumbnail(NamedTuple):
    """A `data:` URI of a small JPEG with its size in pixels, and the image's own size.

    `uri` is empty where there is no picture, and `note` says why.
    """

    uri: str = ""
    width: int = 0
    height: int = 0
    full: tuple[int, int] = (0, 0)
    note: str = ""


def thumbnail(image: str, folder: Path) -> Thumbnail:
    """A small copy of the image file that a row in `folder` names. Nothing is fetched.

    An image that cannot be read has a note in its place.
    """
    from PIL import ImageOps

    from backends.images import open_image, readable_image

    if "://" in image:
        return Thumbnail(note="not shown: the image is a URL, and a report fetches nothing")
    try:
        with readable_image(open_image(image, folder).path) as opened:
            full = opened.size
            opened.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
            small = ImageOps.exif_transpose(opened).convert("RGB")
            small.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    except ToolkitError as error:
        return Thumbnail(note=f"not shown: {error.message}")
    except Exception as error:  # of any type: Pillow's decoders trip over what a file says
        return Thumbnail(note=f"not shown: not a readable image: {error}")
    data = base64.b64encode(_jpeg(small)).decode("ascii")
    return Thumbnail(f"data:image/jpeg;base64,{data}", small.width, small.height, full)


def _jpeg(image: Image) -> bytes:
    """The best quality that stays within MAX_BYTES; the lowest, if none does."""
    data = b""
    for quality in (82, 65, 45, 25):
        file = io.BytesIO()
        image.save(file, "JPEG", quality=quality, optimize=True)
        data = file.getvalue()
        if len(data) <= MAX_BYTES:
            break
    return data
