"""Importers on files that are not what they should be: nothing is lost, and bad rows are named."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.sources.readers import json_list
from runtime.errors import ToolkitError
from tests.benchmarks.importing import (
    VG_GRAPH,
    captions,
    graphs,
    rejected,
    run,
    write_json,
    write_lines,
)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("docci", "hello\n", "no row can be used; line 1: not valid JSON"),
        ("docci", "", "no row can be used"),
        ("coco", "[]", "not COCO captions"),
        ("coco", "{", "not valid JSON"),
        ("visual-genome", "{}", "not a JSON list"),
        ("visual-genome", '[{"image_id": 1, "objects": [', "not valid JSON after 0 items"),
        ("comprecap", '[{"file": "x"}]', "no row can be used; item 1: image: is missing"),
        ("plain", '{"text": "x"}\n', "no row can be used; line 1: id"),
        ("pixmo", "\x00", "no row can be used"),
    ],
)
def test_another_format_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, content: str, said: str
) -> None:
    source = tmp_path / "source.json"
    source.write_text(content)
    assert run(name, source, "--output", tmp_path / "out") == 2
    message = capsys.readouterr().err
    assert said in message
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


def test_missing_files_are_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("plain", tmp_path / "no.jsonl", "--output", tmp_path) == 2
    assert "no.jsonl: No such file" in capsys.readouterr().err
    source = write_lines(tmp_path / "a.jsonl", [{"id": 1, "image": "a.jpg", "caption": "A."}])
    assert run("plain", source, "--output", tmp_path, "--images", tmp_path / "no") == 2
    assert "no: not a folder" in capsys.readouterr().err


def test_json_list_streams_items_larger_than_a_chunk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    items = [{"id": n, "text": "ä" * (n * 7), "list": [1, [2, "],["]]} for n in range(60)]
    source = write_json(tmp_path / "list.json", items)
    for chunk in (1, 5, 64):
        monkeypatch.setattr("benchmarks.sources.readers._CHUNK", chunk)
        assert [value for _, value in json_list(source)] == items
    source.write_text(json.dumps(items)[:-40])
    read = json_list(source)
    with pytest.raises(ToolkitError, match="not valid JSON after 59 items"):
        list(read)


GOOD = {"id": "a", "image": "a.jpg", "caption": "A cat."}


def test_csv_row_with_more_cells_than_columns_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "mine.csv"
    source.write_text("id,image,caption\na,a.jpg,A cat.\nb,b.jpg,A dog, a cat.\n")
    assert run("plain", source, "--output", tmp_path / "out") == 2
    assert "mine.csv:3: 4 cells, but the header has 3" in capsys.readouterr().err
    assert not list((tmp_path / "out").glob("*"))


def test_an_import_is_replaced_only_on_request(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, out = write_lines(tmp_path / "a.jsonl", [GOOD]), tmp_path / "out"
    assert run("plain", source, "--output", out) == 0
    before = (out / "captions.jsonl").read_bytes()
    write_lines(source, [GOOD | {"id": "b"}])
    capsys.readouterr()
    assert run("plain", source, "--output", out) == 2
    assert (
        "already holds an import\n  → choose another --output, or replace it with --overwrite"
        in (capsys.readouterr().err)
    )
    assert (out / "captions.jsonl").read_bytes() == before
    assert run("plain", source, "--output", out, "--overwrite") == 0
    assert [record.id for record in captions(out)] == ["b"]
    (out / ".captions.jsonl.1.partial").touch()
    graph = write_json(tmp_path / "scene_graphs.json", [VG_GRAPH])
    assert run("visual-genome", graph, "--output", out, "--overwrite") == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "manifest.json", "rejected.jsonl", "scene_graphs.jsonl",
    ]  # fmt: skip


@pytest.mark.parametrize("name", [".run.json", "notes.txt", ".notes.txt.1.partial"])
def test_files_of_others_are_never_replaced(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    source, out = write_lines(tmp_path / "a.jsonl", [GOOD]), tmp_path / "out"
    out.mkdir()
    for file in (name, "rejected.jsonl"):
        (out / file).write_text("kept")
    assert run("plain", source, "--output", out, "--overwrite") == 2
    assert f"has files that no import left there, such as {name}" in capsys.readouterr().err
    assert (out / "rejected.jsonl").read_text() == (out / name).read_text() == "kept"


@pytest.mark.parametrize("name", ["captions.jsonl", "scene_graphs.jsonl", "rejected.jsonl"])
def test_the_input_is_never_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    source = write_lines(tmp_path / name, [GOOD])
    before = source.read_bytes()
    assert run("plain", source, "--output", tmp_path, "--overwrite") == 2
    assert f"{name}: is the input, and would be overwritten" in capsys.readouterr().err
    assert source.read_bytes() == before
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_an_impossible_output_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_lines(tmp_path / "a.jsonl", [GOOD])
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    for output, said in {
        source: "a.jsonl: not a directory",
        source / "x": "cannot write",
        tmp_path / "loop": "loop: not a directory",
        tmp_path / ("x" * 300): "File name too long",
    }.items():
        assert run("plain", source, "--output", output) == 2
        assert said in capsys.readouterr().err
    assert source.read_text() == json.dumps(GOOD) + "\n"


LONG = "1" * 5000


def test_coco_ids_of_other_types_are_rejected(tmp_path: Path) -> None:
    rows = [{"image_id": 9, "id": n, "caption": "A cat."} for n in ([1], {"a": 1}, "LONG", 4)]
    rows += [{"image_id": n, "id": 1, "caption": "A cat."} for n in ([1], {"a": 1}, "LONG", True)]
    images = [{"id": n, "file_name": "9.jpg"} for n in ([1], 9, "LONG")]
    source = write_json(tmp_path / "coco.json", {"images": [*images, 5], "annotations": rows})
    source.write_text(source.read_text().replace('"LONG"', LONG))
    assert run("coco", source, "--output", tmp_path / "out") == 0
    assert [record.id for record in captions(tmp_path / "out")] == ["9-4"]
    reasons = {row["row"]: row["reason"] for row in rejected(tmp_path / "out")}
    assert list(reasons) == [
        "images[0]", "images[2]", "images[3]",
        *(f"annotations[{n}]" for n in (0, 1, 2, 4, 5, 6, 7)),
    ]  # fmt: skip
    assert reasons["images[0]"] == "id: expected a number, got '[1]'"
    assert reasons["images[3]"] == "id: is missing"
    assert reasons["annotations[2]"] == "id: expected a number, got 'inf'"
    assert reasons["annotations[5]"] == "image_id: expected a number, got \"{'a': 1}\""


def test_visual_genome_ids_of_other_types_are_rejected(tmp_path: Path) -> None:
    def image(number: Any, **own: Any) -> dict[str, Any]:
        return {"image_id": number, "objects": [{"object_id": 1, "names": ["cat"]} | own]}

    odd = image(4) | {"relationships": [{"predicate": "on", "subject_id": [1], "object_id": {}}]}
    rows = [image(1), image(2, object_id=[1]), image("LONG"), image(3, x="LONG"), odd]
    source = write_json(tmp_path / "scene_graphs.json", rows)
    source.write_text(source.read_text().replace('"LONG"', LONG))
    assert run("visual-genome", source, "--output", tmp_path / "out") == 0
    assert [graph.id for graph in graphs(tmp_path / "out")] == ["1", "3", "4"]
    assert [(row["row"], row["reason"]) for row in rejected(tmp_path / "out")[:2]] == [
        ("item 2", "object_id: expected a number, got '[1]'"),
        ("item 3", "image_id: expected a number, got 'inf'"),
    ]
    assert rejected(tmp_path / "out")[2]["parts"] == [
        "relation None: not between two objects of the image"
    ]


@pytest.mark.parametrize("field", ["id", "image", "caption"])
@pytest.mark.parametrize("images", [True, False])
def test_half_a_surrogate_pair_rejects_its_row(tmp_path: Path, field: str, images: bool) -> None:
    rows = [GOOD | {field: "x\ud800"}, GOOD | {"id": int("1" * 4000)}, GOOD]
    source, out = write_lines(tmp_path / "a.jsonl", rows), tmp_path / "out"
    source.write_text(source.read_text() + f'{{"id": {LONG}, "image": "a", "caption": "b"}}\n')
    (tmp_path / "a.jpg").touch()
    flags = ("--images", tmp_path) if images else ()
    assert run("plain", source, "--output", out, *flags) == 0
    assert [record.id for record in captions(out)] == ["a"]
    assert [row["row"] for row in rejected(out)] == ["line 1", "line 2", "line 4"]


def test_half_a_surrogate_pair_in_a_url_or_a_part(tmp_path: Path) -> None:
    rows = [{"image_url": f"https://x.org/{n}.jpg", "caption": "A."} for n in ("\ud800", "1")]
    source = write_lines(tmp_path / "a.jsonl", rows)
    assert run("pixmo", source, "--output", tmp_path / "out") == 0
    assert "half a surrogate pair" in rejected(tmp_path / "out")[0]["reason"]
    nameless = {"object_id": "\ud800", "names": []}
    row = {"image_id": 1, "objects": [{"object_id": 1, "names": ["cat"]}, nameless]}
    source = write_json(tmp_path / "scene_graphs.json", [row])
    assert run("visual-genome", source, "--output", tmp_path / "graphs") == 0
    assert rejected(tmp_path / "graphs")[0]["parts"] == ["object \ud800: no name in '[]'"]


def test_damaged_parquet_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "train.parquet"
    source.write_bytes(b"PAR1 not one PAR1")
    assert run("pixmo", source, "--output", tmp_path / "out") == 2
    assert "not a Parquet file, or damaged" in capsys.readouterr().err
