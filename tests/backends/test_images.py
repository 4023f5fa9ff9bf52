"""Which files are shown to a model, and why the others are not."""

from __future__ import annotations

import base64
import hashlib
import struct
import threading
import zlib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image

from backends.images import data_uri, open_image
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


def test_an_image_is_known_by_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for name in ("images/a.png", "b.png"):
        Image.new("RGB", (4, 4)).save(tmp_path / name, "PNG")
    one, other = open_image("images/a.png", tmp_path), open_image("b.png", tmp_path)
    assert one.digest == other.digest
    assert one.digest == hashlib.sha256((tmp_path / "b.png").read_bytes()).hexdigest()
    assert Path(one.path) == tmp_path / "images/a.png"
    Image.new("RGB", (5, 4)).save(tmp_path / "b.png", "PNG")
    assert open_image("b.png", tmp_path).digest != one.digest


def test_a_missing_image_is_named(tmp_path: Path) -> None:
    with pytest.raises(ToolkitError, match=r"gone\.png: No such file") as raised:
        open_image("gone.png", tmp_path)
    assert raised.value.kind == "image" and "relative" in raised.value.hint


@pytest.fixture
def web() -> Iterator[tuple[str, list[str]]]:
    """A server that has `/image` only; yields its address and what it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            self.send_response(200 if self.path == "/image" else 404)
            self.end_headers()
            self.wfile.write(b"bytes of an image")

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def test_the_web_is_not_asked_unless_allowed(tmp_path: Path, web: tuple[str, list[str]]) -> None:
    address, asked = web
    with pytest.raises(ToolkitError, match="not fetched") as raised:
        open_image(f"{address}/image", tmp_path)
    assert "--allow-remote-images" in raised.value.hint and asked == []


def test_an_allowed_image_is_fetched_once(tmp_path: Path, web: tuple[str, list[str]]) -> None:
    address, asked = web
    downloads = tmp_path / "downloads"
    found = [open_image(f"{address}/image", tmp_path, downloads) for _ in range(2)]
    assert found[0] == found[1] and asked == ["/image"]
    assert found[0].digest == hashlib.sha256(b"bytes of an image").hexdigest()
    with pytest.raises(ToolkitError, match="404") as raised:
        open_image(f"{address}/other", tmp_path, downloads)
    assert raised.value.kind == "image"
    with pytest.raises(ToolkitError, match="not fetched"):
        open_image("file:///etc/passwd", tmp_path, downloads)
