"""Images as data URIs: what is sent is a readable, upright image, whatever its file is called."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import os
import stat
import warnings
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from PIL import Image, ImageOps

from backends.base import ImageInput
from backends.downloads import MAX_BYTES, fetched
from runtime.errors import ToolkitError

MAX_PIXELS = 100_000_000
_MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "MPO": "image/jpeg",  # a phone's JPEG with more pictures behind the one that all programs show
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
}
_ORIENTATION, _UPRIGHT = 0x0112, (None, 1)
_CMYK = ("CMYK", "YCCK")


def open_image(image: str, folder: Path, downloads: Path | None = None) -> ImageInput:
    """The image file named by a record, with the digest of its bytes.

    `image` is relative to `folder`, may lead out of it, and is only read. A URL is fetched into
    `downloads`, once, where this is given. Raises ToolkitError (image) for what is not there, is
    not a plain file or has more than 100 MB, and for a URL that may not or cannot be fetched.
    """
    remote = "://" in image
    path = fetched(image, downloads, data_uri_of) if remote else folder / image
    hint = "image paths are relative to the file they stand in; correct it or remove the row"
    try:
        state = os.stat(path)
        if not stat.S_ISREG(state.st_mode):
            raise ToolkitError("image", f"{path}: not a file", hint)
        if state.st_size > MAX_BYTES:
            message = f"{path}: {state.st_size:,} bytes, more than {MAX_BYTES:,}"
            raise ToolkitError("image", message, "make it smaller")
        return ImageInput(digest=_digest(path, state.st_mtime_ns, state.st_size), path=str(path))
    except (OSError, ValueError) as error:  # a path with a zero byte is a ValueError
        reason = getattr(error, "strerror", None) or str(error)
        raise ToolkitError("image", f"{path}: {reason}", hint) from error


@lru_cache(maxsize=4096)
def _digest(path: Path, modified: int, size: int) -> str:
    """Hex sha256 of a file that is asked about many times in a run."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def readable_image(path: str | Path) -> Iterator[Image.Image]:
    """An image file, opened; its pixels are decoded when they are used.

    Raises ToolkitError (image) for a file that is missing, damaged, or of more than 100 million
    pixels, also where that shows only with its pixels.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            opened = Image.open(path)
        with opened:
            if opened.width * opened.height > MAX_PIXELS:
                raise ValueError(f"{opened.width} x {opened.height} pixels are too many")
            yield opened
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        hint = "replace the file or remove the row"
        raise ToolkitError("image", f"{path}: not a readable image: {error}", hint) from error


def data_uri(path: str) -> str:
    """`data:` URI of an image file, base64, with the media type of its content.

    The file's own bytes, but for what providers see differently: an image that is stored turned
    (EXIF) is turned upright, CMYK becomes RGB, of an animation the first frame is sent. Raises
    ToolkitError (image) for a file that is missing, damaged, of another format than JPEG, PNG,
    WebP or GIF, or of more than 100 million pixels.
    """
    try:
        return data_uri_of(Path(path).read_bytes())
    except OSError as error:
        reason = error.strerror or str(error)
        raise ToolkitError("image", f"{path}: {reason}", "correct it or remove the row") from error
    except ToolkitError as error:
        raise ToolkitError("image", f"{path}: {error.message}", error.hint) from error


def data_uri_of(data: bytes) -> str:
    """`data_uri` of the bytes of an image file. Raises ToolkitError (image)."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of sizes and of odd metadata; both are looked at here
            media_type, data = _checked(data)
    except ToolkitError:
        raise
    except Image.DecompressionBombError as error:
        raise ToolkitError("image", f"too large: {error}", "make it smaller") from error
    except Exception as error:  # of any type: Pillow's decoders trip over what a file says
        hint = "replace the file or remove the row"
        reason = "the file is empty" if not data else f"not a readable image: {error}"
        raise ToolkitError("image", reason, hint) from error
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"


def _checked(data: bytes) -> tuple[str, bytes]:
    """Media type and bytes to send. The size is known from the header, before any pixel is."""
    with Image.open(io.BytesIO(data)) as image:
        media_type = _MEDIA_TYPES.get(image.format or "")
        if media_type is None:
            message = f"format {image.format} is not sent to models"
            raise ToolkitError("image", message, "convert it to PNG")
        if image.width * image.height > MAX_PIXELS:
            message = f"{image.width} x {image.height} pixels, more than {MAX_PIXELS:,}"
            raise ToolkitError("image", message, "make it smaller")
        animated = image.format != "MPO" and getattr(image, "is_animated", False)
        if animated or _is_turned(image) or image.mode in _CMYK:
            return _normalised(image, media_type)
        image.draft("L", (64, 64))  # a JPEG is then decoded at an eighth of its size
        image.load()
    return media_type, data


def _is_turned(image: Image.Image) -> bool:
    try:
        return image.getexif().get(_ORIENTATION) not in _UPRIGHT
    except Exception:  # damaged metadata of an image that is whole
        return False


def _normalised(image: Image.Image, media_type: str) -> tuple[str, bytes]:
    image.load()
    upright = ImageOps.exif_transpose(image)
    if upright.mode in _CMYK:
        upright = upright.convert("RGB")
    file = io.BytesIO()
    if media_type == "image/jpeg":
        upright.save(file, "JPEG", quality=95)
        return media_type, file.getvalue()
    upright.save(file, "PNG")
    return "image/png", file.getvalue()
