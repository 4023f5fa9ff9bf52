"""`python -m benchmarks.finer build` on files: rows, bytes, refusals."""

from __future__ import annotations

import csv
import hashlib
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from benchmarks import finer_build
from benchmarks.finer import COMMANDS, main
from benchmarks.finer_build import FILES, claim_output
from benchmarks.questions_wh import wh
from runtime.files import read_records
from schemas.finer import QuestionRow
from scoring.pairing import pair_rows
from tests.benchmarks.test_questions import DOOR, GRAPH, LOOKS, PUPPY

ROOT = Path(__file__).parents[2]
SETTINGS = ("multi_obj", "multi_attr", "multi_rel", "wh", "levels")
NAMES = ("lamp", "sofa", "clock", "basket", "pillow", "mirror")


def graph(number: int) -> dict[str, Any]:
    """The puppy in front of the doors, with one thing more or none."""
    thing = {
        "name": NAMES[number % len(NAMES)],
        "negatives": [
            f"{NAMES[number % len(NAMES)]} {word}" for word in ("box", "lid", "bag", "cap")
        ],
    }
    objects = [PUPPY, DOOR, *([thing] if number % 2 else [])]
    return {**GRAPH, "id": f"g{number}", "image": f"images/{number}.jpg", "objects": objects}


@pytest.fixture
def negatives(tmp_path: Path) -> Path:
    path = tmp_path / "in" / "negatives.jsonl"
    path.parent.mkdir()
    path.write_text("".join(json.dumps(graph(number)) + "\n" for number in range(12)))
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def build(source: Path, output: Path, *flags: object) -> int:
    return main(["build", str(source), "--output", str(output), *map(str, flags)])


def test_files_hold_valid_pairs(negatives: Path, tmp_path: Path) -> None:
    assert build(negatives, tmp_path / "out") == 0
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert manifest["seed"] == 17
    assert manifest["settings"] == {"max_attributes": 5, "limit": None}
    digest = hashlib.sha256(negatives.read_bytes()).hexdigest()
    assert manifest["inputs"] == {"negatives.jsonl": digest}
    assert manifest["counts"].pop("graphs") == 12
    for setting in SETTINGS:
        path = tmp_path / "out" / f"{setting}.csv"
        with path.open(newline="") as file:
            assert next(csv.reader(file)) == [
                "image", "qtype", "question",
                "choice1", "choice2", "choice3", "choice4", "choice5", "gt_index",
            ]  # fmt: skip
        rows = list(read_records(path, QuestionRow))
        units = list(pair_rows(enumerate(rows)))
        assert {len(unit) for unit in units} == ({1} if setting == "levels" else {2})
        stems = Counter(row.qtype.replace("_pos", "").replace("_neg", "") for row in rows)
        assert manifest["counts"][setting] == stems
    assert manifest["counts"]["multi_obj"] == {
        "multi_obj_1": 24, "multi_obj_2": 24, "multi_obj_3": 12,
    }  # fmt: skip
    assert manifest["counts"]["wh"] == {"wh_1": 24}


def test_images_are_seen_from_the_output(negatives: Path, tmp_path: Path) -> None:
    remote = graph(12) | {"image": "https://example.org/a.jpg"}
    with negatives.open("a") as file:
        file.write(json.dumps(remote) + "\n")
    out = tmp_path / "far" / "out"
    assert build(negatives, out) == 0
    images = {row.image for row in read_records(out / "wh.csv", QuestionRow)}
    assert "https://example.org/a.jpg" in images
    local = sorted(image for image in images if "://" not in image)
    assert len(local) == 12
    found = {os.path.normpath(out / image) for image in local}
    assert found == {str(negatives.parent / f"images/{number}.jpg") for number in range(12)}


def test_the_same_seed_gives_the_same_bytes_in_every_process(
    negatives: Path, tmp_path: Path
) -> None:
    assert build(negatives, tmp_path / "a") == 0
    command = [sys.executable, "-m", "benchmarks.finer", "build", negatives]
    environment = {**os.environ, "PYTHONHASHSEED": "77"}
    subprocess.run(
        [*command, "--output", tmp_path / "b"],
        cwd=ROOT, env=environment, check=True, capture_output=True,
    )  # fmt: skip
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert build(negatives, tmp_path / "c", "--seed", 3) == 0
    for setting in SETTINGS[:2]:
        name = f"{setting}.csv"
        assert contents(tmp_path / "a")[name] != contents(tmp_path / "c")[name]


def test_a_graph_keeps_its_questions_whatever_stands_beside_it(
    negatives: Path, tmp_path: Path
) -> None:
    assert build(negatives, tmp_path / "all") == 0
    assert build(negatives, tmp_path / "few", "--limit", 3) == 0
    for setting in SETTINGS:
        few = (tmp_path / f"few/{setting}.csv").read_text()
        assert few and (tmp_path / f"all/{setting}.csv").read_text().startswith(few)


def test_fewer_attributes(negatives: Path, tmp_path: Path) -> None:
    assert build(negatives, tmp_path / "out", "--max-attributes", 3) == 0
    rows = read_records(tmp_path / "out/multi_attr.csv", QuestionRow)
    assert {row.qtype for row in rows} == {
        f"multi_attr_{number}_{side}" for number in (1, 2, 3) for side in ("pos", "neg")
    }


def test_what_the_output_holds_is_not_lost(
    negatives: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert build(negatives, out, "--limit", 1) == 0
    before = contents(out)
    assert build(negatives, out, "--limit", 1) == 0  # the same build may be repeated
    assert contents(out) == before
    assert build(negatives, out) == 2
    error = capsys.readouterr().err
    assert "a different run: settings.limit: 1 → null" in error and "--overwrite" in error
    assert contents(out) == before
    (out / ".wh.csv.999999999.partial").write_text("left by a killed build")
    assert build(negatives, out, "--overwrite") == 0
    assert {path.name for path in out.iterdir()} == FILES
    assert contents(out) != before
    (out / "notes.txt").write_text("mine")
    assert build(negatives, out, "--overwrite") == 2
    assert "choose another --output" in capsys.readouterr().err
    assert (out / "notes.txt").read_text() == "mine"


BAD = [
    (lambda row: row["relations"][0].update(object=7), "relations[0].object"),
    (lambda row: row.update(id="g0"), "already used in line 1"),
    (lambda row: row["objects"][0].update(negatives="kitten"), "objects[0].negatives"),
]


@pytest.mark.parametrize(("spoil", "said"), BAD)
def test_bad_input_leaves_nothing(
    negatives: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], spoil: Any, said: str
) -> None:
    row = json.loads(json.dumps(graph(50)))
    spoil(row)
    with negatives.open("a") as file:
        file.write(json.dumps(row) + "\n")
    assert build(negatives, tmp_path / "out") == 2
    error = capsys.readouterr().err
    assert f"{negatives}:13: " in error and said in error
    assert not (tmp_path / "out").exists()


def test_a_build_that_was_killed_before_its_manifest_is_done_again(
    negatives: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    assert build(negatives, out) == 0
    before = contents(out)
    (out / "manifest.json").unlink()
    (out / "wh.csv").write_text("of another build")
    assert build(negatives, out) == 0
    assert contents(out) == before


def test_a_build_that_fails_leaves_the_former_one_whole(
    negatives: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    assert build(negatives, out) == 0
    before = contents(out)

    def fail(*_: object) -> None:
        raise RuntimeError("no rows")

    monkeypatch.setattr(finer_build, "settings", lambda _: {"multi_obj": wh, "wh": fail})
    with pytest.raises(RuntimeError, match="no rows"):
        build(negatives, out, "--seed", 3, "--overwrite")
    assert contents(out) == before


def test_two_builds_cannot_write_one_folder(
    negatives: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    with claim_output(out, {}, overwrite=False):
        assert build(negatives, out, "--overwrite") == 2
        assert f"another run is writing to {out}" in capsys.readouterr().err
        assert set(contents(out)) <= {".lock"}
    assert build(negatives, out) == 0


def test_a_damaged_manifest_is_refused(
    negatives: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "manifest.json").write_text("{")
    assert build(negatives, out) == 2
    assert "seed: absent → 17" in capsys.readouterr().err
    assert (out / "manifest.json").read_text() == "{"


def test_the_manifest_tells_what_negatives_were_tested_against(
    negatives: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    graphs = [json.loads(line) for line in negatives.read_text().splitlines()]
    for row, tested in zip(graphs, ("image", "caption"), strict=False):
        row["tested_against"] = tested
    negatives.write_text("".join(json.dumps(row) + "\n" for row in graphs))
    (negatives.parent / "manifest.json").write_text('{"models": {"qwen": ["q-14b"]}}')
    assert build(negatives, tmp_path / "out") == 0
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert manifest["tested_against"] == {"image": 1, "caption": 1, "none": len(graphs) - 2}
    assert manifest["negatives_from"] == {"qwen": ["q-14b"]}
    assert "against the caption only: 1" in capsys.readouterr().out


def test_graphs_without_negatives_are_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bare = [item | {"negatives": [], "attribute_negatives": [[]] * len(item["attributes"])}
            for item in (PUPPY, DOOR)]  # fmt: skip
    row = GRAPH | {"objects": bare, "relations": [LOOKS | {"negatives": []}]}
    source = tmp_path / "negatives.jsonl"
    source.write_text(json.dumps(row))
    assert build(source, tmp_path / "out") == 2
    assert "agents.negative_generator" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_commands_are_listed(capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == main(["--help"]) == 0
    listed = capsys.readouterr().out
    assert all(listed.count(f"  {name} ") == 2 for name in COMMANDS)
    assert main(["biuld"]) == 2
    assert "build" in capsys.readouterr().err
