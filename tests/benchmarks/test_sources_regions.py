"""Importers of regions: COCO's instances and Visual Genome's region descriptions."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.sources.base import BadRow
from benchmarks.sources.boxes import corners
from runtime.files import read_records
from schemas.region import RegionText
from tests.benchmarks.importing import captions, rejected, run, write_json, write_lines

CATEGORIES = [
    {"supercategory": "person", "id": 1, "name": "person"},
    {"supercategory": "animal", "id": 18, "name": "dog"},
]
COCO_IMAGES = [
    {"license": 3, "file_name": "000000000009.jpg", "height": 480, "width": 640, "id": 9},
    {"license": 3, "file_name": "000000000025.jpg", "height": 100, "width": 200, "id": 25},
]


def instance(number: int, image: Any, box: Any, category: Any = 18, **more: Any) -> dict[str, Any]:
    polygon = {"segmentation": [[1.0, 2.0, 3.5, 4.0, 5.0, 6.0]], "area": 10.5, "iscrowd": 0}
    ids = {"image_id": image, "bbox": box, "category_id": category, "id": number}
    return {**polygon, **ids, **more}


def coco(*annotations: Any) -> dict[str, Any]:
    return {
        "info": {"year": 2017},
        "licenses": [],
        "images": COCO_IMAGES,
        "annotations": list(annotations),
        "categories": CATEGORIES,
    }


def regions(folder: Path) -> list[RegionText]:
    return list(read_records(folder / "regions.jsonl", RegionText))


def test_coco_boxes_become_corners_in_the_image(tmp_path: Path) -> None:
    data = coco(
        instance(1, 25, [10, 20.5, 30.25, 40]),
        instance(2, 9, [473.07, 395.93, 38.65, 28.67]),
        instance(3, 25, [150.4, 90, 80, 30], category=1),
        instance(4, 25, [-5, -0.01, 25, 20]),
    )
    source, out = write_json(tmp_path / "instances_val2017.json", data), tmp_path / "out"
    assert run("coco-regions", source, "--output", out) == 0
    lines = (out / "regions.jsonl").read_text().splitlines()
    assert json.loads(lines[0]) == {
        "image": "../000000000009.jpg",
        "box": [473.07, 395.93, 511.72, 424.6],
        "text": "dog",
        "source": "coco",
    }
    assert [(one.image, one.box, one.text) for one in regions(out)[1:]] == [
        ("../000000000025.jpg", (10, 20.5, 40.25, 60.5), "dog"),
        ("../000000000025.jpg", (150.4, 90, 200, 100), "person"),
        ("../000000000025.jpg", (0, 0, 20, 19.99), "dog"),
    ]
    assert sorted(path.name for path in out.iterdir()) == [
        "manifest.json",
        "regions.jsonl",
        "rejected.jsonl",
    ]
    assert rejected(out) == []


def test_coco_rows_that_cannot_be_used_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = coco(
        instance(1, 25, [10, 10, 30, 40]),
        instance(2, 25, [0, 0, 200, 100], iscrowd=1, segmentation={"counts": [1], "size": [2, 3]}),
        instance(3, 25, [10, 10, 0, 40]),
        instance(4, 25, [500, 10, 30, 40]),
        instance(5, 25, [10, 10, 30]),
        instance(6, 25, [10, 10, "30", 40]),
        instance(7, 25, None),
        instance(8, 25, [10, 10, 30, 40], category=99),
        instance(9, 26, [10, 10, 30, 40]),
        instance(10, "25", [10, 10, 30, 40]),
        "no annotation",
        instance(11, 25, [10, 10, 0.5, 40]),
    )
    data["images"] = [*COCO_IMAGES, {"file_name": "x.jpg"}]
    source, out = write_json(tmp_path / "instances.json", data), tmp_path / "out"
    assert run("coco-regions", source, "--output", out) == 0
    assert "regions.jsonl: 1; rows rejected: 12;" in capsys.readouterr().out
    reasons = {row["row"]: row["reason"] for row in rejected(out)}
    four = "bbox: expected four numbers: x, y, width, height, got "
    small = "bbox: expected a box of 1 x 1 pixels or more in the image, got "
    assert reasons == {
        "images[2]": "id: is missing",
        "annotations[1]": "iscrowd: the box is around many things, expected one thing",
        "annotations[2]": f"{small}0 x 40",
        "annotations[3]": f"{small}0 x 40",
        "annotations[4]": f"{four}[10, 10, 30]",
        "annotations[5]": f"{four}[10, 10, '30', 40]",
        "annotations[6]": f"{four}[]",
        "annotations[7]": "category_id: 99 is not among the categories",
        "annotations[8]": "image_id: 26 is not among the images",
        "annotations[9]": "image_id: expected a number, got '25'",
        "annotations[10]": "expected an object",
        "annotations[11]": f"{small}0.5 x 40",
    }


def test_ids_that_are_no_numbers_or_used_twice_are_named(tmp_path: Path) -> None:
    data = coco(instance(1, 25, [10, 10, 30, 40]), instance(2, 25, [10, 10, 30, 40], category=[1]))
    data["images"] = [*COCO_IMAGES, {**COCO_IMAGES[0], "file_name": "other.jpg"}, {"id": [25]}]
    data["categories"] = [*CATEGORIES, {"id": [1], "name": "cat"}, "no category"]
    source, out = write_json(tmp_path / "instances.json", data), tmp_path / "out"
    assert run("coco-regions", source, "--output", out) == 0
    assert [one.text for one in regions(out)] == ["dog"]
    assert {row["row"]: row["reason"] for row in rejected(out)} == {
        "categories[2]": "id: expected a number, got '[1]'",
        "categories[3]": "id: is missing",
        "images[2]": "id: 9 was already used",
        "images[3]": "id: expected a number, got '[25]'",
        "annotations[1]": "category_id: expected a number, got '[1]'",
    }


def test_coco_captions_stand_before_the_regions_of_their_image(tmp_path: Path) -> None:
    said = [
        {"image_id": 25, "id": 7, "caption": "Two dogs. "},
        {"image_id": 9, "id": 8, "caption": "A dog on grass."},
        {"image_id": 25, "id": 9, "caption": "Dogs play."},
        {"image_id": 77, "id": 10, "caption": "Of an image that is not in this file."},
        {"image_id": 25, "id": 11},
        {"id": 12, "caption": "Of no image."},
    ]
    both = write_json(tmp_path / "captions_val2017.json", {"images": [], "annotations": said[:5]})
    more = write_json(tmp_path / "more.json", {"images": [], "annotations": said[5:]})
    data = coco(instance(1, 25, [10, 10, 30, 40]), instance(2, 9, [10, 10, 30, 40]))
    source, out = write_json(tmp_path / "instances_val2017.json", data), tmp_path / "out"
    flags = ["--captions", both, "--captions", more]
    assert run("coco-regions", source, "--output", out, *flags) == 0
    assert [(one.id, one.image, one.caption) for one in captions(out)] == [
        ("9-8", "../000000000009.jpg", "A dog on grass."),
        ("25-7", "../000000000025.jpg", "Two dogs."),
        ("25-9", "../000000000025.jpg", "Dogs play."),
    ]
    assert {one.image for one in captions(out)} == {one.image for one in regions(out)}
    assert rejected(out) == [
        {"reason": "caption: is missing", "row": "captions_val2017.json annotations[4]"},
        {"reason": "image_id: is missing", "row": "more.json annotations[0]"},
    ]
    # An import without captions replaces both files.
    assert run("coco-regions", source, "--output", out, "--overwrite") == 0
    assert not (out / "captions.jsonl").exists()


def vg_region(number: int, phrase: str, *box: Any) -> dict[str, Any]:
    sides = dict(zip(("x", "y", "width", "height"), box, strict=True))
    return {"region_id": number, "image_id": 1, "phrase": phrase, **sides}


VG_SIZES = [
    {"image_id": 1, "width": 800, "height": 600, "coco_id": None, "url": "https://x.org/1.jpg"},
    {"image_id": 2, "width": 100, "height": 50, "coco_id": 9},
]


def test_visual_genome_regions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    first = [
        vg_region(1382, "the clock is green in colour ", 421, 57, 82, 139),
        vg_region(1383, "Shade is along the street.", 700, -3, 192, 58),
        vg_region(1384, "", 1, 1, 10, 10),
        vg_region(1385, "a car", 10, 10, 0, 20),
        vg_region(1386, "a car", 900, 10, 20, 20),
        vg_region(1387, "The clock is green in colour", 421, 57, 82, 139),
        vg_region(1388, " ... ", 1, 1, 10, 10),
        vg_region(1389, "a car", None, 1, 10, 10),
    ]
    second = [vg_region(5, "a dog", 0, 0, 100, 50)]
    data = [{"id": 1, "regions": first}, {"id": 2, "regions": second}, {"id": 3, "regions": []}, 5]
    source = write_json(tmp_path / "region_descriptions.json", data)
    sizes = write_json(tmp_path / "image_data.json", [*VG_SIZES, {"width": 3}])
    said = [{"image_id": 9, "id": 8, "caption": "A dog."}, {"image_id": 9, "id": 9, "caption": ""}]
    coco = write_json(tmp_path / "captions.json", {"annotations": said})
    out, flags = tmp_path / "out", ["--image-data", sizes, "--captions", coco]
    assert run("visual-genome-regions", source, "--output", out, *flags) == 0
    said = capsys.readouterr().out
    assert (
        "regions.jsonl: 3; captions.jsonl: 1; rows rejected: 4; parts of rows left out: 6" in said
    )
    assert [(one.image, one.box, one.text, one.source) for one in regions(out)] == [
        ("../1.jpg", (421, 57, 503, 196), "the clock is green in colour", "visual-genome"),
        ("../1.jpg", (700, 0, 800, 55), "shade is along the street", "visual-genome"),
        ("../2.jpg", (0, 0, 100, 50), "a dog", "visual-genome"),
    ]
    [caption] = captions(out)
    assert (caption.id, caption.image, caption.caption) == ("9-8", "../2.jpg", "A dog.")
    whole = [row for row in rejected(out) if "parts" not in row]
    assert [(row["row"], row["reason"]) for row in whole] == [
        ("image_data.json item 3", "image_id: is missing"),
        ("captions.json annotations[1]", "caption: expected a text, got ''"),
        ("item 3", "id: 3 is not in image_data.json"),
        ("item 4", whole[3]["reason"]),
    ]
    [kept] = [row for row in rejected(out) if "parts" in row]
    assert (kept["id"], kept["row"]) == ("1", "item 1")
    assert [part.split(": ")[0] for part in kept["parts"]] == [
        f"region {number}" for number in (1384, 1385, 1386, 1387, 1388, 1389)
    ]
    assert kept["parts"][3] == "region 1387: repeats another region"
    assert kept["parts"][2].endswith("or more in the image, got 0 x 20")


def test_visual_genome_ids_that_are_no_numbers_are_named(tmp_path: Path) -> None:
    one = [vg_region(1, "a dog", 0, 0, 100, 50)]
    data = [{"id": [1], "regions": one}, {"regions": one}, {"id": 2, "regions": one}]
    source = write_json(tmp_path / "region_descriptions.json", data)
    sizes = write_json(tmp_path / "image_data.json", [*VG_SIZES, {"image_id": [3]}])
    out = tmp_path / "out"
    assert run("visual-genome-regions", source, "--output", out, "--image-data", sizes) == 0
    assert [one.image for one in regions(out)] == ["../2.jpg"]
    assert {row["row"]: row["reason"] for row in rejected(out)} == {
        "image_data.json item 3": "image_id: expected a number, got '[3]'",
        "item 1": "id: expected a number, got '[1]'",
        "item 2": "image_id: is missing",
    }


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("[]", "not COCO instances"),
        ('{"images": [], "annotations": []}', "not COCO instances"),
        ("{", "not valid JSON"),
        ('{"images": [], "annotations": [], "categories": []}', "no row can be used"),
    ],
)
def test_another_file_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str, said: str
) -> None:
    source = tmp_path / "instances.json"
    source.write_text(content)
    assert run("coco-regions", source, "--output", tmp_path / "out") == 2
    assert said in capsys.readouterr().err
    assert not list((tmp_path / "out").glob("*"))


def test_another_captions_file_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_json(tmp_path / "instances.json", coco(instance(1, 25, [0, 0, 9, 9])))
    lines = write_lines(tmp_path / "captions.jsonl", [{"caption": "x"}])
    out = tmp_path / "out"
    assert run("coco-regions", source, "--output", out, "--captions", lines) == 2
    assert "captions.jsonl: not COCO captions" in capsys.readouterr().err
    # A file named on a flag is an input too.
    assert run("coco-regions", source, "--output", tmp_path, "--captions", lines) == 2
    assert "captions.jsonl: is the input, and would be overwritten" in capsys.readouterr().err
    assert lines.exists() and not list(out.glob("*"))


@pytest.mark.parametrize(
    ("sides", "box"),
    [
        ((0, 0, 10, 10), (0, 0, 10, 10)),
        ((-5, -5, 100, 100), (0, 0, 20, 10)),
        ((19, 9, 1, 1), (19, 9, 20, 10)),
        ((1.234567, 2, 3, 4), (1.23, 2, 4.23, 6)),
    ],
)
def test_corners(sides: tuple[float, ...], box: tuple[float, ...]) -> None:
    assert corners(sides, 20, 10, "bbox") == box


@pytest.mark.parametrize(
    "sides",
    [(19.5, 0, 5, 5), (0, 0, -3, 5), (0, 0, float("inf"), 5), (0, 0, float("nan"), 5),
     (0, 0, True, 5), (25, 0, 5, 5)],
)  # fmt: skip
def test_no_box(sides: tuple[float, ...]) -> None:
    with pytest.raises(BadRow, match="bbox: expected"):
        corners(sides, 20, 10, "bbox")
