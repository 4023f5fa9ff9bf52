"""Importers on small files of each real shape, with rows that cannot be used."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.sources.attributes import attribute_phrase
from benchmarks.sources.comprecap import read_relation
from benchmarks.sources.phrases import noun_phrase, relation_phrase
from tests.benchmarks.importing import (
    VG_GRAPH,
    captions,
    graphs,
    rejected,
    run,
    write_json,
    write_lines,
)


def docci(number: int, split: str = "test") -> dict[str, Any]:
    name = f"{split}_{number:05}"
    return {
        "example_id": name,
        "split": split,
        "image_file": f"{name}.jpg",
        "description": f"A long description, number {number}.",
    }


def test_docci(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [docci(1), docci(2, "train"), {"example_id": "x", "split": "test"}, "{broken", docci(1)]
    source, out = write_lines(tmp_path / "docci_descriptions.jsonlines", rows), tmp_path / "out"
    assert run("docci", source, "--output", out) == 0
    assert (
        "captions.jsonl: 2; rows rejected: 3; parts of rows left out: 0" in capsys.readouterr().out
    )
    first, second = captions(out)
    assert (first.id, first.image) == ("test_00001", "../images/test_00001.jpg")
    assert first.caption == "A long description, number 1."
    assert second.id == "train_00002"
    assert rejected(out) == [
        {"reason": "image_file: is missing", "row": "line 3"},
        {"reason": rejected(out)[1]["reason"], "row": "line 4"},
        {"reason": "id: 'test_00001' was already used in line 1", "id": "test_00001",
         "row": "line 5"},
    ]  # fmt: skip
    assert "not valid JSON" in rejected(out)[1]["reason"]


def test_docci_split_and_limit(tmp_path: Path) -> None:
    source = write_lines(
        tmp_path / "docci.jsonlines", [docci(n, s) for n in range(3) for s in ("train", "test")]
    )
    out = tmp_path / "out"
    assert run("docci", source, "--output", out, "--split", "test", "--limit", 2) == 0
    assert [record.id for record in captions(out)] == ["test_00000", "test_00001"]
    manifest = json.loads((out / "manifest.json").read_text())
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    assert manifest["inputs"] == {"docci.jsonlines": digest}
    assert manifest["settings"] == {"format": "docci", "limit": 2, "split": "test"}
    assert manifest["versions"]["pydantic"] and str(tmp_path) not in str(manifest)


def test_images_are_looked_for_in_the_folder_and_one_below(tmp_path: Path) -> None:
    rows = [docci(1), docci(2), docci(3)]
    source, out = write_lines(tmp_path / "docci.jsonlines", rows), tmp_path / "out"
    photos = tmp_path / "photos"
    (photos / "second").mkdir(parents=True)
    (photos / "test_00001.jpg").touch()
    (photos / "second" / "test_00003.jpg").touch()
    assert run("docci", source, "--output", out, "--images", photos) == 0
    assert [record.image for record in captions(out)] == [
        "../photos/test_00001.jpg", "../photos/second/test_00003.jpg",
    ]  # fmt: skip
    assert rejected(out)[0]["reason"] == f"image: test_00002.jpg is not in {photos}"


@pytest.mark.parametrize("suffix", [".parquet", ".jsonl"])
def test_pixmo_keeps_urls(tmp_path: Path, suffix: str) -> None:
    rows = [
        {"image_url": "https://x.org/1.jpg", "caption": "A cat.", "transcripts": ["um a cat"]},
        {"image_url": "https://x.org/2.jpg", "caption": "", "transcripts": []},
        {"image_url": "https://x.org/1.jpg", "caption": "Again.", "transcripts": []},
    ]
    source = tmp_path / f"train{suffix}"
    if suffix == ".parquet":
        import pyarrow as pa
        from pyarrow.parquet import write_table

        write_table(pa.Table.from_pylist(rows), source)
    else:
        write_lines(source, rows)
    assert run("pixmo", source, "--output", tmp_path / "out") == 0
    (record,) = captions(tmp_path / "out")
    assert record.image == "https://x.org/1.jpg"
    assert record.id == "pixmo-fb12147d2bce2b9d"
    reasons = [row["reason"] for row in rejected(tmp_path / "out")]
    assert reasons[0] == "caption: expected a text, got ''"
    assert "already used" in reasons[1]


def test_coco_has_one_record_a_caption(tmp_path: Path) -> None:
    data = {
        "info": {"year": 2017},
        "images": [{"id": 9, "file_name": "000000000009.jpg"}],
        "annotations": [
            {"image_id": 9, "id": 661, "caption": "A bed with a cat. "},
            {"image_id": 9, "id": 662, "caption": "A cat on a bed."},
            {"image_id": 8, "id": 663, "caption": "A dog."},
            "no annotation",
        ],
    }
    source, out = write_json(tmp_path / "captions_val2017.json", data), tmp_path / "out"
    assert run("coco", source, "--output", out) == 0
    assert [(record.id, record.image, record.caption) for record in captions(out)] == [
        ("9-661", "../000000000009.jpg", "A bed with a cat."),
        ("9-662", "../000000000009.jpg", "A cat on a bed."),
    ]
    assert [row["row"] for row in rejected(out)] == ["annotations[2]", "annotations[3]"]
    assert rejected(out)[0]["reason"] == "image_id: 8 is not among the images"


def test_visual_genome_regions(tmp_path: Path) -> None:
    phrases = ["the clock is green ", "A man walking", "the clock is green", "  "]
    regions = [{"region_id": n, "image_id": 1, "phrase": p} for n, p in enumerate(phrases)]
    data = [{"id": 1, "regions": regions}, {"id": 2, "regions": []}, {"id": 3, "regions": 5}]
    source = write_json(tmp_path / "region_descriptions.json", data)
    assert run("visual-genome", source, "--output", tmp_path / "out") == 0
    (record,) = captions(tmp_path / "out")
    assert (record.id, record.image) == ("1", "../1.jpg")
    assert record.caption == "The clock is green. A man walking."
    assert [row["reason"] for row in rejected(tmp_path / "out")] == [
        "regions: none has a phrase", "regions: expected a list of objects",
    ]  # fmt: skip


def test_visual_genome_scene_graphs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = {"image_id": 8, "objects": [], "relationships": []}
    source, out = write_json(tmp_path / "scene_graphs.json", [VG_GRAPH, bad, 5]), tmp_path / "out"
    assert run("visual-genome", source, "--output", out) == 0
    assert (
        "scene_graphs.jsonl: 1; rows rejected: 2; parts of rows left out: 5"
        in capsys.readouterr().out
    )
    (graph,) = graphs(out)
    assert (graph.id, graph.image, graph.caption) == ("7", "../7.jpg", None)
    assert [(item.name, item.attributes) for item in graph.objects] == [
        ("man", ("a tall height", "wearing a hat")),
        ("door", ("a red color", "made of wood")),
        ("hat", ()),
    ]
    assert [(r.subject, r.relation, r.object) for r in graph.relations] == [
        (0, "is wearing", 2), (2, "is on", 0),
    ]  # fmt: skip
    parts, empty, number = rejected(out)
    assert (parts["row"], parts["id"]) == ("item 1", "7")
    assert parts["parts"] == [
        "object 12: attribute 'beautiful'",
        "object 13: no name in \"['1']\"",
        "relation 3: predicate 'blue'",
        "relation 4: not between two objects of the image",
        "relation 5: not between two objects of the image",
    ]
    assert empty["reason"] == "objects: none has a name"
    assert number["reason"].startswith("expected an object with")


def test_visual_genome_attributes(tmp_path: Path) -> None:
    row = {"image_id": 7, "attributes": VG_GRAPH["objects"]}
    source = write_json(tmp_path / "attributes.json", [row])
    assert run("visual-genome", source, "--output", tmp_path / "out") == 0
    assert graphs(tmp_path / "out")[0].objects[1].attributes == ("a red color", "made of wood")


COMPRECAP = {
    "image": "000000000802.jpg",
    "info": [
        {
            "category": "refrigerator",
            "short_description": "a white refrigerator",
            "extend_description": "The refrigerator is white and has two doors.",
            "relation": ["The refrigerator is standing next to the oven."],
            "mask_out": "eJzt",
        },
        {
            "category": "oven",
            "short_description": "The oven is black.",
            "relation": "the oven is under the wooden cabinet",
            "mask_out": "eJzt",
        },
        {"category": "cabinet", "extend_description": "", "relation": ["it is old"]},
    ],
}


def test_comprecap(tmp_path: Path) -> None:
    bad = {"image": "000000000803.jpg", "info": [{"relation": []}]}
    source, out = write_json(tmp_path / "anno.json", [COMPRECAP, bad]), tmp_path / "out"
    assert run("comprecap", source, "--output", out) == 0
    (graph,) = graphs(out)
    assert (graph.id, graph.image) == ("000000000802", "../images/000000000802.jpg")
    assert [item.name for item in graph.objects] == ["refrigerator", "oven", "cabinet"]
    assert "a white color" in graph.objects[0].attributes
    assert graph.objects[1].attributes == ("a black color",)
    assert graph.objects[2].attributes == ()
    assert [(r.subject, r.relation, r.object) for r in graph.relations] == [
        (0, "is standing next to", 1), (1, "is under", 2),
    ]  # fmt: skip
    assert graph.caption == (
        "The refrigerator is white and has two doors. The oven is black. The refrigerator is "
        "standing next to the oven. The oven is under the wooden cabinet. It is old."
    )
    parts, missing = rejected(out)
    assert parts["parts"] == ["'it is old' does not read SUBJECT RELATION OBJECT"]
    assert missing["reason"] == "category: is missing"


@pytest.mark.parametrize(
    ("sentence", "expected"),
    [
        ("The cat is lying on the sofa.", (0, "is lying on", 1)),
        ("Cats are lying on the soft sofa", (0, "is lying on", 1)),
        ("A cat looks at the dog", None),
        ("The cat is leaning against the arm of the sofa", (0, "is leaning against the arm of", 1)),
        ("The cat is in front of another cat", (0, "is in front of", 2)),
        ("The cat is looking out of the door frame", (0, "is looking out of", 5)),
        ("The cat is looking out of the frame", (0, "is looking out of", 4)),
        ("The sofa is behind the cat", None),
        ("The cat is sleeping", None),
    ],
)
def test_relation_sentences(sentence: str, expected: tuple[int, str, int] | None) -> None:
    relation = read_relation(sentence, ["cat", "sofa", "cat", "door", "frame", "door frame"], 0)
    found = relation and (relation.subject, relation.relation, relation.object)
    assert found == expected


@pytest.mark.parametrize(
    ("annotated", "phrase"),
    [
        ("ON", "is on"), ("has", "has"), ("WEARING a", "is wearing"), ("wears", "is wearing"),
        ("of", "is part of"), ("sitting on the", "is sitting on"), ("are near", "is near"),
        ("in front of", "is in front of"), ("next", "is next to"), ("with", "has"),
        ("covered in", "is covered in"), ("carries", "is carrying"),
        ("on left", "is to the left of"), ("sitting", None), ("blue", None), ("and", None),
        ("not on", None), ("", None), ("#1", None), ("side of", None), ("parked", None),
    ],
)  # fmt: skip
def test_relation_phrases(annotated: str, phrase: str | None) -> None:
    assert relation_phrase(annotated) == phrase


def test_names_and_attributes_follow_the_phrase_contract() -> None:
    assert [noun_phrase(name) for name in ("The Man ", "trees.", "7", "")] == [
        "man", "trees", None, None,
    ]  # fmt: skip
    assert attribute_phrase("dark green") == "a dark green color"
    assert attribute_phrase("made of wood") == "made of wood"
    assert attribute_phrase("has stripes") == "stripes"
    assert attribute_phrase("lovely") is None


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_plain_columns(tmp_path: Path, suffix: str) -> None:
    rows = [
        {"name": "a", "file": "pics/a.jpg", "said": 'A "cat",\nwhite.'},
        {"name": "b", "file": "pics/b.jpg", "said": ""},
    ]
    source = tmp_path / f"mine{suffix}"
    if suffix == ".csv":
        import csv

        with source.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
    elif suffix == ".parquet":
        import pyarrow as pa
        from pyarrow.parquet import write_table

        write_table(pa.Table.from_pylist(rows), source)
    else:
        write_lines(source, rows)
    flags = ("--id-column", "name", "--image-column", "file", "--caption-column", "said")
    assert run("plain", source, "--output", tmp_path / "out", *flags) == 0
    (record,) = captions(tmp_path / "out")
    assert record.model_dump() == {
        "id": "a", "image": "../pics/a.jpg", "caption": 'A "cat",\nwhite.',
    }  # fmt: skip
    state = "is missing" if suffix == ".csv" else "expected a text, got ''"
    assert rejected(tmp_path / "out")[0]["reason"] == f"said: {state}"
