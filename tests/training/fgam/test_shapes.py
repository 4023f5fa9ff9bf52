"""The drawn scenes: the same bytes for a seed, and boxes that are true to the pixel."""

from __future__ import annotations

import json
import random
from collections import Counter
from pathlib import Path

import pytest
from PIL import Image, ImageChops

from examples.shapes.generate import COLOURS, SHAPES, SIDE, Drawn, describe, draw, main, make_scene
from runtime.files import read_records
from schemas.region import RegionText
from schemas.scene_graph import CaptionRecord
from schemas.spatial import RELATIONS, spatial_relation


def contents(folder: Path) -> dict[str, bytes]:
    files = (path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def test_a_seed_gives_the_same_bytes(tmp_path: Path) -> None:
    for name, seed, scenes in (("a", 3, 6), ("b", 3, 6), ("other", 4, 6), ("more", 3, 8)):
        flags = ["--output", str(tmp_path / name), "--seed", str(seed), "--scenes", str(scenes)]
        assert main(flags) == 0
    first = contents(tmp_path / "a")
    assert first == contents(tmp_path / "b")
    other = contents(tmp_path / "other")
    assert all(other[name] != value for name, value in first.items())
    more = contents(tmp_path / "more")
    for name, value in first.items():
        assert more[name].startswith(value)


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("box", [(0, 0, 9, 14), (3, 5, 13, 15), (34, 44, 64, 64), (7, 7, 37, 28)])
def test_a_box_is_exact(shape: str, box: tuple[int, int, int, int]) -> None:
    image = draw([Drawn("small", "red", shape, box)])
    assert ImageChops.difference(image, draw([])).getbbox() == box


def test_every_shape_is_seen() -> None:
    """Without it the picture is another one, and its colour is in its box."""
    for number in range(300):
        shapes = make_scene(2, number)
        assert 3 <= len(shapes) <= 5
        image = draw(shapes)
        for place, item in enumerate(shapes):
            others = shapes[:place] + shapes[place + 1 :]
            assert ImageChops.difference(image, draw(others)).getbbox() is not None, number
            seen = image.crop(item.box).getcolors(SIDE * SIDE)
            assert seen is not None
            assert COLOURS[item.colour] in [colour for _, colour in seen]
            x0, y0, x1, y1 = item.box
            assert 0 <= x0 < x1 <= SIDE
            assert 0 <= y0 < y1 <= SIDE


def test_the_files_say_what_is_drawn(scenes: Path) -> None:
    captions = list(read_records(scenes / "captions.jsonl", CaptionRecord))
    regions = list(read_records(scenes / "regions.jsonl", RegionText))
    relations = [json.loads(line) for line in (scenes / "relations.jsonl").read_text().splitlines()]
    for number, caption in enumerate(captions):
        shapes = make_scene(5, number)
        mine = [row for row in regions if row.image == caption.image]
        assert [(row.text, row.box) for row in mine] == [(item.text, item.box) for item in shapes]
        with Image.open(scenes / caption.image) as image:
            assert ImageChops.difference(image.convert("RGB"), draw(shapes)).getbbox() is None
        assert all(row.text in caption.caption for row in mine)
        pairs = [row for row in relations if row["image"] == caption.image]
        assert len(pairs) == len(mine) * (len(mine) - 1)
        for pair in pairs:
            boxes = mine[pair["first"]].box, mine[pair["second"]].box
            assert pair["relation"] == spatial_relation(*boxes)


def test_all_relations_and_sizes_are_common() -> None:
    scenes = [make_scene(1, number) for number in range(300)]
    counts = Counter(spatial_relation(a.box, b.box) for s in scenes for a in s for b in s if a != b)
    assert set(counts) == set(RELATIONS)
    assert min(counts.values()) > 0.03 * counts.total()
    sizes = Counter(item.size for scene in scenes for item in scene)
    assert min(sizes.values()) > 0.3 * sizes.total()


def test_a_shape_is_not_said_to_lie_to_one_of_the_same_text() -> None:
    twins = [Drawn("small", "red", "circle", (x, 0, x + 9, 9)) for x in (0, 40)]
    other = Drawn("small", "blue", "circle", (0, 30, 9, 39))
    listed = "a small red circle and a small red circle."
    assert describe(twins, random.Random(0)) == listed
    said = describe([twins[0], other], random.Random(0))
    assert said.startswith("a small red circle and a small blue circle. The small ")


def test_a_folder_with_something_in_it_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine.txt").write_text("text")
    assert main(["--output", str(tmp_path)]) == 2
    assert "not an empty directory" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
