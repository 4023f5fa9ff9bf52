"""Samples that depend on ids alone, and small copies of images."""

from __future__ import annotations

import base64
import io
from pathlib import Path

import pytest
from PIL import Image

from pages.samples import Sample
from pages.thumbnails import LONGEST_SIDE, MAX_BYTES, thumbnail
from tests.e2e.commands import ROOT

PHOTOS = ROOT / "examples/granfact-mini/images"


def drawn(names: list[str], size: int = 10) -> list[str]:
    sample = Sample[str](size)
    for name in names:
        sample.offer(name, name)
    assert sample.seen == len(names)
    return sample.rows()


def test_the_same_ids_are_drawn_in_any_company() -> None:
    names = [f"row-{number}" for number in range(500)]
    found = drawn(names)
    assert len(found) == 10 and sorted(found, key=names.index) == found
    assert set(drawn(names[::-1])) == set(found)
    # What is drawn from all rows is drawn from any part of them that has it.
    part = [name for name in names if name in found or name.endswith("7")]
    assert set(drawn(part)) == set(found)
    assert drawn(names[:4]) == names[:4]


def test_no_row_is_likelier_than_another() -> None:
    halves = [
        sum(int(name.split("-")[1]) < 500 for name in drawn([f"{run}-{n}" for n in range(1000)]))
        for run in range(100)
    ]
    assert 420 < sum(halves) < 580


def test_ids_may_be_the_same_or_odd() -> None:
    assert len(drawn(["", "", "\x00", "\u202e", "x" * 10_000])) == 5


@pytest.mark.parametrize("photo", sorted(PHOTOS.glob("*.jpg")), ids=lambda path: path.stem)
def test_a_thumbnail_is_small(photo: Path) -> None:
    found = thumbnail(photo.name, PHOTOS)
    data = base64.b64decode(found.uri.partition(",")[2])
    assert len(data) <= MAX_BYTES
    with Image.open(io.BytesIO(data)) as small, Image.open(photo) as whole:
        assert small.size == (found.width, found.height)
        assert max(small.size) <= LONGEST_SIDE
        assert found.full == whole.size


def test_noise_and_odd_modes_are_small_too(tmp_path: Path) -> None:
    Image.effect_noise((3000, 2000), 100).convert("RGBA").save(tmp_path / "noise.png")
    Image.new("I;16", (40, 30)).save(tmp_path / "deep.png")
    for name in ("noise.png", "deep.png"):
        found = thumbnail(name, tmp_path)
        assert found.uri and len(base64.b64decode(found.uri.partition(",")[2])) <= MAX_BYTES


def test_a_turned_image_stands_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (60, 20)).save(tmp_path / "turned.jpg", exif=exif)
    found = thumbnail("turned.jpg", tmp_path)
    assert (found.width, found.height) == (20, 60)


def test_what_cannot_be_shown_has_a_note(tmp_path: Path) -> None:
    (tmp_path / "text.jpg").write_text("no image")
    cut = (PHOTOS / "cat.jpg").read_bytes()[:2000]
    (tmp_path / "cut.jpg").write_bytes(cut)
    Image.new("1", (20_000, 6_000)).save(tmp_path / "bomb.png")
    for name in ("text.jpg", "cut.jpg", "bomb.png", "none.jpg", "/dev/zero", "a\x00b", "x" * 5000,
                 "https://example.invalid/cat.jpg"):  # fmt: skip
        found = thumbnail(name, tmp_path)
        assert not found.uri and found.note.startswith("not shown: "), name
