"""Which files are shown to a model, and why the others are not."""

from __future__ import annotations

import base64
import struct
import zlib
from pathlib import Path

import pytest
from PIL import Image

from backends.images import data_uri
from runtime.errors import ToolkitError


@pytest.mark.parametrize(
    ("kind", "media_type"), [("JPEG", "jpeg"), ("PNG", "png"), ("WEBP", "webp"), ("GIF", "gif")]
)
def test_media_type_is_that_of_the_content(tmp_path: Path, kind: str, media_type: str) -> None:
    path = tmp_path / "image.bin"
    Image.new("RGB", (20, 10), "red").save(path, kind)
    head, data = data_uri(str(path)).split(",")
    assert head == f"data:image/{media_type};base64"
    assert base64.b64decode(data) == path.read_bytes()


def bomb() -> bytes:
    """Header of a PNG of 20,000 x 20,000 pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", 20_000, 20_000, 8, 2, 0, 0, 0)
    check = struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + check


@pytest.mark.parametrize("content", [b"", b"no image", bomb(), None])
def test_unreadable_files_are_named(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "image.png"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ToolkitError, match=r"image\.png") as raised:
        data_uri(str(path))
    assert raised.value.kind == "image" and raised.value.hint


@pytest.mark.parametrize("kind", ["JPEG", "PNG"])
def test_truncated_file_is_not_sent(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "image"
    Image.effect_noise((200, 200), 80).save(path, kind)
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(ToolkitError) as raised:
        data_uri(str(path))
    assert raised.value.kind == "image"


def test_other_formats_are_refused_with_a_cure(tmp_path: Path) -> None:
    path = tmp_path / "image.png"
    Image.new("RGB", (4, 4)).save(path, "BMP")
    with pytest.raises(ToolkitError, match="convert it to PNG"):
        data_uri(str(path))
