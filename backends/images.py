"""Images as data URIs: what is sent is a readable image, whatever its file is called."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import io
import os
import urllib.request
import warnings
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from PIL import Image

from backends.base import ImageInput
from runtime.errors import ToolkitError

MAX_PIXELS = 100_000_000
MAX_BYTES = 100_000_000
_FETCH_S = 60
_MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
}


def open_image(image: str, folder: Path, downloads: Path | None = None) -> ImageInput:
    """The image file named by a record, with the digest of its bytes.

    `image` is relative to `folder`. A URL is fetched into `downloads`, once, where this is given.
    Raises ToolkitError (image) for a file that is not there, and for a URL that may not or cannot
    be fetched.
    """
    path = _fetched(image, downloads) if "://" in image else folder / image
    try:
        state = os.stat(path)
        return ImageInput(digest=_digest(path, state.st_mtime_ns, state.st_size), path=str(path))
    except OSError as error:
        reason = error.strerror or str(error)
        hint = "image paths are relative to the file they stand in; correct it or remove the row"
        raise ToolkitError("image", f"{path}: {reason}", hint) from error


@lru_cache(maxsize=4096)
def _digest(path: Path, modified: int, size: int) -> str:
    """Hex sha256 of a file that is asked about many times in a run."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _fetched(url: str, downloads: Path | None) -> Path:
    if downloads is None or not url.startswith(("http://", "https://")):
        hint = "allow it with --allow-remote-images, or download the images first"
        raise ToolkitError("image", f"{url}: remote images are not fetched", hint)
    path = downloads / hashlib.sha256(url.encode()).hexdigest()
    if path.exists():
        return path
    try:
        with urllib.request.urlopen(url, timeout=_FETCH_S) as response:
            data = response.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        raise ToolkitError("image", f"{url}: {error}", "check the URL or remove the row") from error
    if len(data) > MAX_BYTES:
        raise ToolkitError("image", f"{url}: larger than {MAX_BYTES:,} bytes", "make it smaller")
    downloads.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(f"{path.name}.{os.getpid()}.partial")
    partial.write_bytes(data)
    partial.replace(path)
    return path


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

    Raises ToolkitError (image) for a file that is missing, damaged, of another format than
    JPEG, PNG, WebP or GIF, or of more than 100 million pixels.
    """
    try:
        data = Path(path).read_bytes()
        media_type = _verified_media_type(data)
    except ToolkitError as error:
        raise ToolkitError("image", f"{path}: {error.message}", error.hint) from error
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        hint = "replace the file or remove the row"
        raise ToolkitError("image", f"{path}: not a readable image: {error}", hint) from error
    return f"data:{media_type};base64,{base64.b64encode(data).decode('ascii')}"


def _verified_media_type(data: bytes) -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with Image.open(io.BytesIO(data)) as image:
            media_type = _MEDIA_TYPES.get(image.format or "")
            if media_type is None:
                raise ToolkitError(
                    "image", f"format {image.format} is not sent to models", "convert it to PNG"
                )
            if image.width * image.height > MAX_PIXELS:
                raise ToolkitError(
                    "image", f"{image.width} x {image.height} pixels", "make it smaller"
                )
            image.draft("L", (64, 64))  # a JPEG is then decoded at an eighth of its size
            image.load()
    return media_type
