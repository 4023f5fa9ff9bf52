"""Rows become examples and batches; what cannot be used is dropped and counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from runtime.errors import ToolkitError
from schemas.spatial import RELATIONS
from training.checks import Problem
from training.fgam.data import (
    Collator,
    RegionDataset,
    clip,
    load_data,
    load_regions,
    relate,
    text_id,
)
from training.script import load_processor


def write(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def caption(image: str, text: str = "a dog and a cat", name: str = "") -> dict[str, Any]:
    return {"id": name or image, "image": image, "caption": text}


def region(image: str, box: list[float], text: str = "dog") -> dict[str, Any]:
    return {"image": image, "box": box, "text": text, "source": "test"}


def test_both_files_meet_at_the_image(tmp_path: Path) -> None:
    """Each path is relative to its own file; the same image is one example."""
    (tmp_path / "a/images").mkdir(parents=True)
    (tmp_path / "b").mkdir()
    Image.new("RGB", (40, 20)).save(tmp_path / "a/images/1.png")
    captions = write(
        tmp_path / "a/captions.jsonl",
        [caption("images/1.png"), caption("images/1.png", "two", "second")],
    )
    boxes = [[0, 0, 10, 10], [5, 5, 50, 30]]
    regions = write(tmp_path / "b/regions.jsonl",
                    [region("../a/images/1.png", box) for box in boxes])  # fmt: skip
    data = load_data(captions, regions)
    (example,) = data.examples
    assert example.captions == ["a dog and a cat", "two"]
    assert example.size == (40, 20)
    assert [box for box, _ in example.regions] == [(0, 0, 10, 10), (5, 5, 40, 20)]
    assert data.clipped == 1
    assert not data.captions.dropped
    assert not data.regions.dropped


def test_what_cannot_be_used_is_dropped_with_its_reason(tmp_path: Path) -> None:
    for name in ("good", "bare", "silent"):
        Image.new("RGB", (40, 20)).save(tmp_path / f"{name}.png")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG and then nothing")
    captions = write(
        tmp_path / "captions.jsonl",
        [caption(f"{name}.png") for name in ("good", "bare", "gone", "broken")],
    )
    box = [0, 0, 5, 5]
    regions = write(tmp_path / "regions.jsonl", [
        region("good.png", box), region("silent.png", box), region("broken.png", box),
        region("good.png", [40, 0, 45, 5]), region("https://x.org/1.png", box),
    ])  # fmt: skip
    data = load_data(captions, regions)
    assert [Path(example.image).name for example in data.examples] == ["good.png"]
    assert [(item.row, item.reason) for item in data.captions.dropped] == [
        (2, "no region"), (3, "image missing"), (4, "image not readable"),
    ]  # fmt: skip
    assert sorted((item.row, item.reason) for item in data.regions.dropped) == [
        (2, "no caption"), (3, "image not readable"), (4, "box outside"), (5, "remote image"),
    ]  # fmt: skip
    assert len(data.regions.rows) == 1


def test_a_bad_row_is_named(tmp_path: Path) -> None:
    Image.new("RGB", (9, 9)).save(tmp_path / "1.png")
    captions = write(tmp_path / "captions.jsonl", [caption("1.png")])
    regions = write(tmp_path / "regions.jsonl",
                    [region("1.png", [0, 0, 1, 1]), region("1.png", [3, 0, 2, 1])])  # fmt: skip
    with pytest.raises(ToolkitError, match=r"regions.jsonl:2: .*x0 < x1") as caught:
        load_data(captions, regions)
    assert caught.value.exit_code == 2


def test_a_box_is_cut_at_the_edge_of_its_image() -> None:
    assert clip((1, 2, 3, 4), (10, 10)) == (1, 2, 3, 4)
    assert clip((1, 2, 30, 40), (10, 8)) == (1, 2, 10, 8)
    for box in ((10.0, 0.0, 12.0, 5.0), (0.0, 8.0, 5.0, 9.0), (1.0, 1.0, 1.000001, 5.0)):
        with pytest.raises(Problem, match="outside the image, 10 x 8"):
            clip(box, (10, 8))


def test_boxes_are_in_pixels_of_the_image_as_it_is_stored(tmp_path: Path) -> None:
    """A camera held upright stores a wide image and says in EXIF how to turn it."""
    image = Image.new("RGB", (40, 20))
    image.paste((255, 0, 0), (30, 0, 40, 20))
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "1.png", exif=exif)
    regions = write(tmp_path / "regions.jsonl", [region("1.png", [30, 0, 40, 20], "red")])
    examples, loaded = load_regions(regions)
    assert not loaded.dropped
    assert examples[0].size == (40, 20)
    drawn = RegionDataset(examples, 1, 0)[0]
    assert drawn["image"].size == drawn["size"]
    ((box, _),) = drawn["regions"]
    assert drawn["image"].crop(box).getcolors() == [(200, (255, 0, 0))]


def test_regions_are_drawn_by_seed_and_epoch(scenes: Path) -> None:
    examples = load_data(scenes / "captions.jsonl", scenes / "regions.jsonl").examples

    def drawn(seed: int, epoch: int) -> list[Any]:
        dataset = RegionDataset(examples, 2, seed)
        dataset.epoch = epoch
        return [dataset[i]["regions"] for i in range(len(dataset))]

    assert drawn(1, 0) == drawn(1, 0)
    assert drawn(1, 0) != drawn(1, 1)
    assert drawn(1, 0) != drawn(2, 0)
    for chosen, example in zip(drawn(1, 0), examples, strict=True):
        assert len(chosen) == 2
        places = [example.regions.index(item) for item in chosen]
        assert places == sorted(places)


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_a_batch_has_every_region_at_its_place(
    kind: str, scenes: Path, request: pytest.FixtureRequest
) -> None:
    folder = request.getfixturevalue(f"{kind}_folder")
    from transformers import AutoConfig

    collator = Collator(load_processor(str(folder), True), AutoConfig.from_pretrained(folder))
    examples = load_data(scenes / "captions.jsonl", scenes / "regions.jsonl").examples[:4]
    dataset = RegionDataset(examples, 8, 0)
    batch = collator([dataset[i] for i in range(4)])
    boxes = batch["boxes"][batch["present"]] * 64
    expected = [box for example in examples for box, _ in example.regions]
    torch.testing.assert_close(boxes, torch.tensor(expected, dtype=torch.float32))
    texts = [text for example in examples for _, text in example.regions]
    assert batch["text_ids"].tolist() == [text_id(text) for text in texts]
    side = {"clip": 64, "siglip": 32}[kind]
    assert batch["pixel_values"].shape == (4, 3, side, side)
    words = collator.processor.tokenizer.batch_decode(batch["texts"]["input_ids"],
                                                      skip_special_tokens=True)  # fmt: skip
    assert [text.strip() for text in words] == texts
    if kind == "siglip":
        assert batch["texts"]["input_ids"].shape[1] == 48


def test_an_image_is_stretched_and_never_cropped(clip_folder: Path, tmp_path: Path) -> None:
    """A wide image whose left third is white: so is the left third of what the encoder sees."""
    from transformers import AutoConfig

    picture = Image.new("RGB", (300, 100))
    picture.paste((255, 255, 255), (0, 0, 100, 100))
    picture.save(tmp_path / "1.png")
    captions = write(tmp_path / "captions.jsonl", [caption("1.png")])
    regions = write(tmp_path / "regions.jsonl", [region("1.png", [0, 0, 100, 100])])
    examples = load_data(captions, regions).examples
    processor = load_processor(str(clip_folder), True)
    processor.image_processor.do_center_crop = True
    processor.image_processor.size = {"shortest_edge": 64}
    collator = Collator(processor, AutoConfig.from_pretrained(clip_folder))
    batch = collator([RegionDataset(examples, 8, 0)[0]])
    torch.testing.assert_close(batch["boxes"], torch.tensor([[[0.0, 0.0, 1 / 3, 1.0]]]))
    light = batch["pixel_values"][0, 0, 32] > 0
    assert light[:20].all()
    assert not light[23:].any()


def test_pairs_are_of_one_image() -> None:
    first = [((0.0, 0.0, 1.0, 1.0), "a"), ((2.0, 0.0, 3.0, 1.0), "b")]
    third = [((0.0, 0.0, 9.0, 9.0), "c"), ((1.0, 1.0, 2.0, 2.0), "d")]
    pairs, relations = relate([first, [first[0]], third])
    assert pairs == [(0, 1), (1, 0), (3, 4), (4, 3)]
    names = [RELATIONS[number] for number in relations]
    assert names == ["left of", "right of", "contains", "overlaps"]


def test_the_same_text_has_the_same_number_everywhere() -> None:
    assert text_id("Red  circle ") == text_id("red circle") == 723016842292031892
    assert text_id("red circle") != text_id("red square")
    assert 0 <= text_id("x") < 2**63
