"""Images of the web: when they are fetched, what is kept, and what a bad server can do."""

from __future__ import annotations

import hashlib
import io
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from PIL import Image

from backends import downloads as module
from backends.images import open_image
from runtime.errors import ToolkitError


def picture() -> bytes:
    file = io.BytesIO()
    Image.new("RGB", (9, 9), "red").save(file, "PNG")
    return file.getvalue()


ANSWERS = {
    "/image": (200, {}, picture()),
    "/page": (200, {"Content-Type": "image/png"}, b"<html>"),
    "/moved": (302, {"Location": "/image"}, b""),
    "/to-file": (302, {"Location": "file:///etc/passwd"}, b""),
    "/to-ftp": (302, {"Location": "ftp://127.0.0.1/image"}, b""),
    "/loop": (302, {"Location": "/loop"}, b""),
    "/cut": (200, {"Content-Length": "100000"}, picture()),
    "/large": (200, {}, picture() + bytes(1000)),
    "/empty": (200, {}, b""),
}


@pytest.fixture
def web() -> Iterator[tuple[str, list[str]]]:
    """A server of ANSWERS; yields its address and what it was asked for."""
    asked: list[str] = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            if self.path == "/garbage":
                self.wfile.write(b"not HTTP at all\n\n")
                return
            status, headers, body = ANSWERS.get(self.path, (404, {}, b""))
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()
    server.server_close()


def error_of(url: str, tmp_path: Path) -> ToolkitError:
    with pytest.raises(ToolkitError) as raised:
        open_image(url, tmp_path, tmp_path / "downloads")
    assert raised.value.kind == "image" and raised.value.hint
    assert url in raised.value.message
    assert not list(tmp_path.rglob("*"))  # nothing is kept of it
    return raised.value


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
    assert found[0].digest == hashlib.sha256(picture()).hexdigest()
    open_image(f"{address}/moved", tmp_path, downloads)
    assert len(list(downloads.iterdir())) == 2


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/other", "404"),
        ("/page", "not a readable image"),
        ("/empty", "empty"),
        ("/to-file", "file:///etc/passwd"),
        ("/to-ftp", "redirected to ftp"),
        ("/loop", "infinite loop"),
        ("/cut", "of 100000 bytes"),
        ("/garbage", ""),
        ("/with space", ""),
    ],
)
def test_what_is_no_image_is_said_and_not_kept(
    tmp_path: Path, web: tuple[str, list[str]], path: str, reason: str
) -> None:
    assert reason in error_of(web[0] + path, tmp_path).message


@pytest.mark.parametrize(
    "url", ["file:///etc/passwd", "ftp://h/a.png", "http://", "http://[", "https://\udcff/a"]
)
def test_other_addresses_are_refused(tmp_path: Path, url: str) -> None:
    assert error_of(url, tmp_path).kind == "image"


def test_size_and_time_have_an_end(
    tmp_path: Path, web: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_BYTES", 500)
    assert "larger than 500" in error_of(f"{web[0]}/large", tmp_path).message
    monkeypatch.setattr(module, "_FETCH_S", -1)
    assert "not complete" in error_of(f"{web[0]}/image", tmp_path).message


def test_records_of_one_image_may_fetch_it_at_once(
    tmp_path: Path, web: tuple[str, list[str]]
) -> None:
    barrier = threading.Barrier(8)

    def fetch(_: int) -> str:
        barrier.wait()
        return open_image(f"{web[0]}/image", tmp_path, tmp_path / "downloads").digest

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(fetch, range(8)))) == 1
    assert len(list((tmp_path / "downloads").iterdir())) == 1
