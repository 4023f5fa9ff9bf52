"""`python -m scoring` as a user runs it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from scoring.__main__ import main

GOOD: dict[str, Any] = {
    "id": "img1",
    "predictions": [{"id": "p1", "quantity": 2, "uncertain": False}],
    "entities": [{"id": "g1", "depth": 4, "quantity": 1, "uncertain": False}],
    "judgements": [{"prediction": "p1", "entity": "g1", "level": 3, "attribute_score": 0.5}],
}


def run(
    *arguments: str, text: str = "", env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "scoring", *arguments]
    return subprocess.run(
        command,
        input=text,
        capture_output=True,
        encoding="utf-8",
        env={**os.environ, **(env or {})},
        check=False,
    )


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
        (changed(predictions__0__quantity="2"), "predictions[0].quantity:"),
        (changed(predictions__0__quantity=True), "predictions[0].quantity:"),
        (changed(predictions__0__quantity=10**9 + 1), "predictions[0].quantity:"),
        (changed(predictions__0__uncertain=1), "predictions[0].uncertain:"),
        (changed(entities__0__quantity=0), "entities[0].quantity:"),
        (changed(entities__0__depth=0), "entities[0].depth:"),
        (changed(judgements__0__level=-1), "judgements[0].level:"),
        (changed(judgements__0__level=True), "judgements[0].level:"),
        (
            changed(judgements__0__prediction="p9"),
            "judgements[0].prediction: no prediction has id 'p9'",
        ),
        (changed(judgements__0__entity="g9"), "judgements[0].entity: no entity has id 'g9'"),
        (changed(judgements__0__attribute_score=1.5), "judgements[0].attribute_score:"),
        (changed(judgements__0__attribute_score=float("nan")), "judgements[0].attribute_score:"),
        (changed(judgements__0__attribute_score=float("inf")), "judgements[0].attribute_score:"),
        (
            changed(judgements=[{"prediction": "p1", "entity": "g1", "level": 1}]),
            "judgements[0].attribute_score: required where the level is 1 or more",
        ),
        (
            changed(judgements=GOOD["judgements"] * 2),
            "judgements[1]: a second judgement of the same pair",
        ),
        (changed(entities__0__depht=3), "entities[0].depht:"),
        ("not json", "not valid JSON: Expecting value at column 1"),
        (json.dumps(GOOD)[:-1], "not valid JSON: Expecting ',' delimiter at column"),
        ("[" * 100_000, "not valid JSON: "),
        ('{"id": "a", "id": "b"}', "id: the key stands twice in one object"),
        ("null", "expected an object"),
        ("[1]", "expected an object"),
        (json.dumps({"id": "a"}), "predictions: required but missing"),
        (
            changed(predictions=[{"id": "p1"}, {"id": "p1"}]),
            "predictions: id 'p1' stands twice",
        ),
        (json.dumps(GOOD), "id: 'img1' was already used in line 1"),
    ],
)
def test_a_bad_line_is_named_and_no_summary_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], line: str, message: str
) -> None:
    source, summary = tmp_path / "judged.jsonl", tmp_path / "summary.json"
    source.write_text(json.dumps(GOOD) + "\n" + line + "\n")
    assert main([str(source), "--summary", str(summary)]) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {source}:2: {message}")
    assert error.count("\n") == 1
    assert list(tmp_path.iterdir()) == [source]


def test_quantities_that_do_not_fit_the_solver_are_a_bad_line(tmp_path: Path) -> None:
    source = tmp_path / "judged.jsonl"
    many = [{"id": f"p{i}", "quantity": 10**9} for i in range(1, 11)]
    source.write_text(changed(predictions=many) + "\n")
    done = run(str(source))
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {source}:1: ")
    assert "add up to 10,000,000,001" in done.stderr


def test_level_zero_needs_no_attribute_score() -> None:
    pair = {"prediction": "p1", "entity": "g1", "level": 0}
    done = run("-", text=changed(judgements=[pair]) + "\n")
    assert json.loads(done.stdout)["matched"] == 0, done.stderr


def test_any_text_encoding_of_the_terminal_will_do(tmp_path: Path) -> None:
    """UTF-8 in and out, with or without a byte order mark; anything else is named."""
    source = tmp_path / "judged.jsonl"
    source.write_text("\ufeff" + json.dumps({**GOOD, "id": "café"}, ensure_ascii=False), "utf-8")
    done = run(str(source), env={"PYTHONIOENCODING": "ascii"})
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["id"] == "café"
    source.write_bytes(b'{"id": "caf\xe9"}\n')
    done = run(str(source))
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {source}:1: not UTF-8 text: ")


@pytest.mark.parametrize("place", ["nowhere/summary.json", "folder"])
def test_a_summary_that_cannot_be_written_is_one_line(tmp_path: Path, place: str) -> None:
    (tmp_path / "folder").mkdir()
    summary = tmp_path / place
    done = run("-", "--summary", str(summary), text=json.dumps(GOOD))
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {summary}: cannot write the summary: ")
    assert len(done.stderr.splitlines()) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["folder"]


def test_an_older_summary_survives_a_bad_line(tmp_path: Path) -> None:
    summary = tmp_path / "summary.json"
    summary.write_text("before")
    assert run("-", "--summary", str(summary), text="oops\n").returncode == 2
    assert summary.read_text() == "before"


@pytest.mark.parametrize("rows", [1, 5000])
def test_a_reader_that_leaves_hears_no_complaint(rows: int) -> None:
    """Both when the pipe breaks in the middle, and when it breaks in the last flush."""
    lines = "".join(changed(id=f"img{row}") + "\n" for row in range(rows))
    command = [sys.executable, "-m", "scoring", "-"]
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "wb") as output:
        done = subprocess.run(
            command,
            input=lines.encode(),
            stdout=output,
            stderr=subprocess.PIPE,
            env=buffered,
            check=False,
        )
    assert (done.returncode, done.stderr) == (1, b"")


def test_reads_standard_input() -> None:
    done = run("-", text="oops\n")
    assert done.returncode == 2
    assert "standard input:1: " in done.stderr


def test_a_missing_file_is_one_line() -> None:
    done = run("nowhere.jsonl")
    assert done.returncode == 2
    assert done.stderr == "error: nowhere.jsonl: No such file or directory\n"
