"""`python -m scoring` as a user runs it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

GOOD: dict[str, Any] = {
    "id": "img1",
    "predictions": [{"id": "p1", "quantity": 2, "uncertain": False}],
    "entities": [{"id": "g1", "depth": 4, "quantity": 1, "uncertain": False}],
    "judgements": [{"prediction": "p1", "entity": "g1", "level": 3, "attribute_score": 0.5}],
}


def run(*arguments: str, text: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scoring", *arguments]
    return subprocess.run(command, input=text, capture_output=True, text=True, check=False)


def changed(**changes: Any) -> str:
    row = json.loads(json.dumps(GOOD))
    for path, value in changes.items():
        *parents, last = path.split("__")
        place: Any = row
        for name in parents:
            place = place[int(name) if name.isdigit() else name]
        place[last] = value
    return json.dumps(row)


def test_result_line_and_summary(tmp_path: Path) -> None:
    source, summary = tmp_path / "judged.jsonl", tmp_path / "summary.json"
    source.write_text(json.dumps(GOOD) + "\n\n")
    done = run(str(source), "--summary", str(summary))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {
        "id": "img1",
        "predicted": 2,
        "truth": 1,
        "matched": 1,
        "granularity": 0.625,
        "reliable": False,
        "assignments": [{"prediction": "p1", "entity": "g1", "quantity": 1}],
    }
    metrics = json.loads(summary.read_text())
    assert " ".join(metrics) == "IRR P R F1 gIRR gP gR gF1 G examples empty"
    assert metrics["P"] == 0.5
    assert metrics["examples"] == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (
            changed(judgements__0__level=5),
            "judgements[0].level: expected at most the entity's depth 4",
        ),
        (changed(predictions__0__quantity=0), "predictions[0].quantity:"),
        (changed(predictions__0__quantity=1.5), "predictions[0].quantity:"),
        (
            changed(judgements__0__prediction="p9"),
            "judgements[0].prediction: no prediction has id 'p9'",
        ),
        (changed(judgements__0__entity="g9"), "judgements[0].entity: no entity has id 'g9'"),
        (changed(judgements__0__attribute_score=1.5), "judgements[0].attribute_score:"),
        (changed(entities__0__depht=3), "entities[0].depht:"),
        ("not json", "JSON"),
        ("[1]", "expected an object"),
        (json.dumps({"id": "a"}), "predictions:"),
        (
            changed(predictions=[{"id": "p1"}, {"id": "p1"}]),
            "predictions: id 'p1' stands twice",
        ),
        (json.dumps(GOOD), "id: 'img1' was already used in line 1"),
    ],
)
def test_a_bad_line_is_named_and_no_summary_is_written(
    tmp_path: Path, line: str, message: str
) -> None:
    summary = tmp_path / "summary.json"
    source = tmp_path / "judged.jsonl"
    source.write_text(json.dumps(GOOD) + "\n" + line + "\n")
    done = run(str(source), "--summary", str(summary))
    assert done.returncode == 2
    assert f"{source}:2: " in done.stderr
    assert message in done.stderr
    assert not summary.exists()
    assert list(tmp_path.iterdir()) == [source]


def test_reads_standard_input() -> None:
    done = run("-", text="oops\n")
    assert done.returncode == 2
    assert "standard input:1: " in done.stderr


def test_a_missing_file_is_one_line() -> None:
    done = run("nowhere.jsonl")
    assert done.returncode == 2
    assert done.stderr == "error: nowhere.jsonl: No such file or directory\n"
