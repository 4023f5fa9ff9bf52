"""Which files are shown to a model, and why the others are not."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import struct
import tracemalloc
import zlib
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


def chunk(kind: bytes, data: bytes) -> bytes:
    check = struct.pack(">I", zlib.crc32(kind + data))
    return struct.pack(">I", len(data)) + kind + data + check


def bomb(side: int = 20_000) -> bytes:
    """A PNG of black pixels, whole: a small file that becomes `side` x `side` bytes."""
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    packer = zlib.compressobj(1)
    rows = b"".join(packer.compress(bytes(side + 1)) for _ in range(side)) + packer.flush()
    parts = (chunk(b"IHDR", header), chunk(b"IDAT", rows), chunk(b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(parts)


@pytest.mark.parametrize("content", [b"", b"no image", None])
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


def test_a_bomb_is_refused_by_its_header(tmp_path: Path) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(bomb())
    assert path.stat().st_size < 2_000_000
    tracemalloc.start()
    with pytest.raises(ToolkitError, match=r"bomb\.png: too large.*400000000") as raised:
        data_uri(str(path))
    assert raised.value.kind == "image" and raised.value.hint
    assert tracemalloc.get_traced_memory()[1] < 10_000_000
    tracemalloc.stop()


def test_an_empty_file_is_called_empty(tmp_path: Path) -> None:
    (tmp_path / "none.jpg").touch()
    with pytest.raises(ToolkitError, match=r"none\.jpg: the file is empty"):
        data_uri(str(tmp_path / "none.jpg"))


def sent(path: Path) -> Image.Image:
    head, data = data_uri(str(path)).split(",")
    image = Image.open(io.BytesIO(base64.b64decode(data)))
    assert head == f"data:{Image.MIME[image.format or '']};base64"
    return image


def half_red(mode: str = "RGB") -> Image.Image:
    """Red above, blue below; 40 wide, 20 high."""
    image = Image.new("RGB", (40, 20), "blue")
    image.paste("red", (0, 0, 40, 10))
    return image.convert(mode)


def is_red(image: Image.Image, place: tuple[int, int]) -> bool:
    red, _, blue = image.convert("RGB").getpixel(place)  # type: ignore[misc]
    return red > 200 and blue < 60


def test_cmyk_is_sent_as_rgb(tmp_path: Path) -> None:
    half_red("CMYK").save(tmp_path / "print.jpg", quality=95)
    image = sent(tmp_path / "print.jpg")
    assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (40, 20))
    assert is_red(image, (20, 4)) and not is_red(image, (20, 16))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_turned_image_is_sent_upright(tmp_path: Path, kind: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees clockwise: what is above comes to the right
    half_red().save(tmp_path / "turned", kind, exif=exif)
    image = sent(tmp_path / "turned")
    assert image.size == (20, 40) and image.getexif().get(0x0112) is None
    assert is_red(image, (16, 20)) and not is_red(image, (3, 20))


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_of_an_animation_the_first_frame_is_sent(tmp_path: Path, kind: str) -> None:
    frames = [Image.new("RGB", (20, 20), color) for color in ("red", "blue", "green")]
    path = tmp_path / "moves.gif"
    frames[0].save(path, kind, save_all=True, append_images=frames[1:], duration=50)
    with Image.open(path) as whole:
        assert whole.is_animated  # type: ignore[attr-defined]
    image = sent(path)
    assert image.format == "PNG" and not image.is_animated  # type: ignore[attr-defined]
    assert is_red(image, (10, 10))


def test_a_phone_s_jpeg_with_two_pictures_is_sent_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "phone.jpg"
    half_red().save(path, "MPO", save_all=True, append_images=[half_red()])
    head, data = data_uri(str(path)).split(",")
    assert head == "data:image/jpeg;base64" and base64.b64decode(data) == path.read_bytes()


def test_damaged_metadata_of_a_whole_image_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "image.jpg"
    half_red().save(path, exif=b"Exif\x00\x00II*\x00\xff\xff\xff\xff\x01")
    assert base64.b64decode(data_uri(str(path)).split(",")[1]) == path.read_bytes()


def test_a_path_may_lead_out_of_its_folder_and_is_only_read(tmp_path: Path) -> None:
    (tmp_path / "rows").mkdir()
    half_red().save(tmp_path / "outside.png")
    found = open_image("../outside.png", tmp_path / "rows")
    assert sent(Path(found.path)).size == (40, 20)
    (tmp_path / "secret").write_text("password")
    secret = open_image("../secret", tmp_path / "rows")
    with pytest.raises(ToolkitError, match="not a readable image"):
        data_uri(secret.path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["outside.png", "rows", "secret"]


def test_only_plain_files_are_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # opening one waits for ever
    for name in ("pipe", ".", "/dev/zero"):
        with pytest.raises(ToolkitError, match="not a file") as raised:
            open_image(name, tmp_path)
        assert raised.value.kind == "image"


@pytest.mark.parametrize(
    "name", ["a\0b.png", "\udcff.png", "a" * 5000, "", "data:image/png;base64,AA"]
)
def test_names_that_cannot_be_files(tmp_path: Path, name: str) -> None:
    with pytest.raises(ToolkitError) as raised:
        open_image(name, tmp_path)
    assert raised.value.kind == "image"


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "huge.png").open("wb") as file:
        file.truncate(10**12)  # a hole: it takes no disk
    with pytest.raises(ToolkitError, match="1,000,000,000,000 bytes") as raised:
        open_image("huge.png", tmp_path)
    assert raised.value.hint
