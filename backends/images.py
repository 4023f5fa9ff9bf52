"""Images as data URIs: what is sent is a readable image, whatever its file is called."""

from __future__ import annotations

import base64
import io
import warnings
from pathlib import Path

from PIL import Image

from runtime.errors import ToolkitError

MAX_PIXELS = 100_000_000
_MEDIA_TYPES = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "GIF": "image/gif",
}


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
