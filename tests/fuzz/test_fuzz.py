"""The short form of `make fuzz`, and that the long form would see what it looks for."""

from __future__ import annotations

import os
import pickle
import subprocess
from pathlib import Path

import pytest

from runtime.errors import ToolkitError
from tests.fuzz.fuzzing import fuzz
from tests.fuzz.guard import Misdeed, guarded
from tests.fuzz.targets import Target, targets

CASES = 100


@pytest.mark.parametrize("name", targets())
def test_hostile_bytes_end_in_a_value_or_in_a_typed_error(name: str) -> None:
    tally = fuzz(targets()[name], CASES)
    assert tally.defects == {}
    assert tally.values + tally.errors == tally.cases >= CASES


@pytest.mark.parametrize("name", targets())
def test_the_seeds_are_valid(name: str, tmp_path: Path) -> None:
    refused = 0
    for number, seed in enumerate(targets()[name].seeds):
        (tmp_path / str(number)).mkdir()
        try:
            targets()[name].run(seed, tmp_path / str(number))
        except ToolkitError:
            refused += 1
    assert refused == (name == "image")  # a BMP is among them


def test_a_defect_is_found_and_named() -> None:
    def run(data: bytes, folder: Path) -> None:
        if b"\x00" in data:
            raise KeyError("zero")
        if len(data) > 100:
            raise ToolkitError("input", "x" * 10_000)
        if len(data) < 4:
            (folder.parent / "outside").write_bytes(data)

    tally = fuzz(Target("bad", [b'{"a": 1}'], run), 500)
    found = " ".join(tally.defects)
    assert "KeyError at tests/fuzz/test_fuzz.py" in found
    assert "a message of more than" in found and "outside" in found


@pytest.mark.parametrize(
    "misdeed",
    [
        lambda folder: (folder.parent / "outside").touch(),
        lambda folder: os.mkdir(folder / "../outside"),
        lambda folder: os.rename(folder / "inside", folder.parent / "outside"),
        lambda folder: subprocess.run(["true"]),
        lambda folder: pickle.loads(pickle.dumps(os.getcwd)),
    ],
)
def test_the_guard_sees_it(tmp_path: Path, misdeed: object) -> None:
    folder = tmp_path / "case"
    folder.mkdir()
    (folder / "inside").touch()
    with pytest.raises(Misdeed), guarded(folder):
        misdeed(folder)  # type: ignore[operator]


def test_the_guard_allows_what_stays_inside(tmp_path: Path) -> None:
    with guarded(tmp_path):
        (tmp_path / "a").write_text("a")
        (tmp_path / "a").rename(tmp_path / "b")
        assert Path(__file__).read_text()
