"""Two runs side by side: which elements they share, and how their negatives differ."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from benchmarks.diff import Key, main, overlap, read_run
from runtime.index import main as grainwise

PETS = ["kitten", "rabbit", "lamb", "hamster"]
COLOURS = [f"with a {colour} collar" for colour in ("blue", "green", "black", "pink")]


def graph(name: str, pets: list[str], colours: list[str]) -> dict[str, Any]:
    puppy = {"name": "puppy", "negatives": pets}
    puppy |= {"attributes": ["with a red collar"], "attribute_negatives": [colours]}
    return {"id": name, "image": f"{name}.jpg", "objects": [puppy]}


def verdict(name: str, number: int, decision: str) -> dict[str, Any]:
    return {
        "id": f"{name}/{number}",
        "graph": name,
        "image": f"{name}.jpg",
        "kind": "object",
        "text": "puppy",
        "round": number,
        "options": ["a puppy", *PETS],
        "probabilities": [0.2] * 5,
        "positive": 0,
        "entropy": 1.6,
        "method": "votes",
        "tested_against": "image",
        "decision": decision,
    }


def write(path: Path, rows: list[dict[str, Any]]) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def runs(tmp_path: Path) -> tuple[str, str]:
    """B has two pets of A's four for g1, none of g2's; drops a colour; has a graph of its own."""
    a, b = tmp_path / "a", tmp_path / "b"
    write(a / "negatives.jsonl", [graph("g1", PETS, COLOURS), graph("g2", PETS, COLOURS)])
    other = ["A Kitten", "the  rabbit", "calf", "foal"]
    birds = ["crow", "gull", "duck", "hen"]
    rows = [graph("g1", other, COLOURS), graph("g2", birds, []), graph("g3", PETS, COLOURS)]
    write(b / "negatives.jsonl", rows)
    verdicts = [verdict("g1", 1, "regenerate"), verdict("g1", 2, "keep"), verdict("g2", 1, "keep")]
    write(b / "verdicts.jsonl", [*verdicts, verdict("g3", 1, "keep")])
    return str(a), str(b)


def test_figures(runs: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sorted(tmp_path.rglob("*"))
    assert main([*runs, "--examples", "1"]) == 0
    assert sorted(tmp_path.rglob("*")) == before
    out = capsys.readouterr().out
    figures = {line.split()[0]: line.split()[1:] for line in out.splitlines() if line[:1].isalpha()}
    # common, only in each, overlap, valid in each, rejected in each
    assert figures["object"] == ["2", "0", "1", "16.7%", "100.0%", "100.0%", "n/a", "33.3%"]
    assert figures["attribute"] == ["2", "0", "1", "100.0%", "100.0%", "50.0%", "n/a", "n/a"]
    assert figures["relation"] == ["0", "0", "0", *["n/a"] * 5]
    assert figures["all"] == ["4", "0", "2", "44.4%", "100.0%", "75.0%", "n/a", "33.3%"]
    # The two that differ most stand side by side; what is alike is no example.
    assert "g2: a puppy  (overlap 0.0%)" in out and "g1: a puppy" not in out
    assert any(line.split() == ["kitten", "crow"] for line in out.splitlines())
    assert "red collar" not in out


def test_json(runs: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert grainwise(["diff", *runs, "--json", str(tmp_path / "diff.json")]) == 0
    found = json.loads((tmp_path / "diff.json").read_text())
    assert found["runs"] == list(runs)
    assert found["kinds"]["object"]["overlap"] == pytest.approx(1 / 6)
    assert found["kinds"]["object"]["rejected"] == [None, pytest.approx(1 / 3)]
    assert [example["graph"] for example in found["examples"]] == ["g2", "g1"]
    assert found["examples"][1]["negatives"][0] == PETS


def test_json_over_a_file_of_a_run_is_refused_before_anything_is_read(
    runs: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    negatives = Path(runs[1], "negatives.jsonl")
    negatives.write_text("not JSON")
    assert main([*runs, "--json", str(negatives)]) == 2
    assert "negatives.jsonl: is an input of this command" in capsys.readouterr().err
    assert negatives.read_text() == "not JSON"


def test_a_run_against_itself(runs: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([runs[1], runs[1]]) == 0
    out = capsys.readouterr().out
    assert "overlap 0" not in out and "100.0%" in out


@pytest.mark.parametrize(
    ("one", "other", "value"),
    [
        (["a red car"], ["Red car."], 1),
        (["red car", "bus"], ["red car", "van"], 1 / 3),
        (["car"], ["bus"], 0),
        (["?"], ["!"], 1),
    ],
)
def test_overlap(one: list[str], other: list[str], value: float) -> None:
    assert overlap(one, other) == overlap(other, one) == pytest.approx(value)


def test_elements_that_say_the_same_are_told_apart(tmp_path: Path) -> None:
    row = graph("g", PETS, COLOURS)
    row["objects"].append({**row["objects"][0], "negatives": ["cow", "calf", "goat", "kid"]})
    write(tmp_path / "run/negatives.jsonl", [row])
    run = read_run(tmp_path / "run")
    assert len(run) == 4
    assert run[Key("g", "object", "puppy", None, None, 0)] == tuple(PETS)
    assert run[Key("g", "object", "puppy", None, None, 1)][0] == "cow"


def test_errors_name_the_directory_and_the_cure(
    runs: tuple[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([runs[0], str(tmp_path / "nowhere")]) == 2
    said = capsys.readouterr().err
    assert "nowhere" in said and "negatives.jsonl" in said and "--output" in said
    write(tmp_path / "c/negatives.jsonl", [graph("other", PETS, COLOURS)])
    assert main([runs[0], str(tmp_path / "c")]) == 2
    said = capsys.readouterr().err
    assert "no element in common" in said and "same scene_graphs.jsonl" in said
    write(tmp_path / "d/negatives.jsonl", [{**graph("g1", PETS, COLOURS), "objects": 1}])
    assert main([runs[0], str(tmp_path / "d")]) == 2
    assert "negatives.jsonl:1: objects" in capsys.readouterr().err
