"""From a review to what is made of it: real runs, decisions by the page's board, real commands."""

from __future__ import annotations

import json
from pathlib import Path

from pages.review_board import Board
from pages.review_files import open_run
from runtime.files import read_records
from schemas.finer import QuestionRow
from schemas.scene_graph import NegatedGraph, elements
from tests.e2e.commands import rows, run
from tests.pages.reviewing import fresh, made
from training.checks import Needs
from training.data import load_rows
from training.output import read_hash
from training.script import Options


def judge(folder: Path, file: str, **decisions: str) -> None:
    """Decide on items by number: `n3="reject"`."""
    board = Board(folder, open_run(folder, None, 0))
    for number, decision in decisions.items():
        board.decide(file, int(number[1:]), "ann", decision)  # type: ignore[arg-type]


def test_negatives_to_questions(tmp_path: Path) -> None:
    folder, output = fresh("negatives"), tmp_path / "questions"
    build = ["benchmarks.finer", "build", folder / "negatives.jsonl", "--output", output]
    done = run(*build, "--reviewed-only")
    assert done.returncode == 2 and f"grainwise review {folder}" in done.stderr
    judge(folder, "negatives.jsonl", n1="reject")
    done = run(*build, "--reviewed-only")
    assert done.returncode == 2 and "reviewers accepted none of its negatives" in done.stderr
    assert not output.exists()

    judge(folder, "negatives.jsonl", n0="accept", n1="reject", n2="accept", n3="accept")
    done = run(*build, "--reviewed-only")
    assert done.returncode == 0, done.stderr
    graph, *others = (NegatedGraph.model_validate(row) for row in rows(folder / "negatives.jsonl"))
    with_negatives = [one for one in elements(graph) if one.negatives]
    accepted = {text for n in (0, 2, 3) for text in with_negatives[n].negatives}
    refused = {text for n, one in enumerate(with_negatives) if n not in (0, 2, 3)
               for text in one.negatives}  # fmt: skip
    asked = [row for name in ("multi_obj", "multi_attr", "multi_rel", "wh")
             for row in read_records(output / f"{name}.csv", QuestionRow)]  # fmt: skip
    negative = [row.question for row in asked if row.qtype.endswith("_neg")]
    assert negative and all(any(text in one for text in accepted) for one in negative)
    assert not [text for text in refused - accepted if any(text in one for one in negative)]
    assert {Path(row.image).name for row in asked} == {Path(graph.image).name} and others
    manifest = json.loads((output / "manifest.json").read_text())
    assert set(manifest["inputs"]) == {"negatives.jsonl", "reviews.jsonl"}
    before = {path.name: path.read_bytes() for path in output.glob("*.csv")}

    assert run(*build, "--reviewed-only").returncode == 0  # the same again
    judge(folder, "negatives.jsonl", n10="accept", n11="accept", n12="accept")
    done = run(*build, "--reviewed-only")
    assert done.returncode == 2 and "inputs.reviews.jsonl" in done.stderr
    assert {path.name: path.read_bytes() for path in output.glob("*.csv")} == before
    done = run(*build, "--reviewed-only", "--overwrite")
    assert done.returncode == 0, done.stderr
    assert {path.name: path.read_bytes() for path in output.glob("*.csv")} != before


def test_graphs_to_negatives_by_an_agent_command(tmp_path: Path) -> None:
    folder = fresh("graphs")
    judge(folder, "scene_graphs.jsonl", n1="accept", n2="reject", n4="accept")
    words = ["agents.negative_generator", folder / "scene_graphs.jsonl", "--output", tmp_path / "o"]
    done = run(*words, "--reviewed-only")
    assert done.returncode == 0, done.stderr
    graphs = rows(folder / "scene_graphs.jsonl")
    made_of = [row["id"] for row in rows(tmp_path / "o/negatives.jsonl")]
    assert made_of == [graphs[1]["id"], graphs[4]["id"]]
    done = run(*words)
    assert done.returncode == 2 and "holds a different run: input" in done.stderr
    judge(folder, "scene_graphs.jsonl", n5="accept")
    done = run(*words, "--reviewed-only")
    assert done.returncode == 2 and "--overwrite" in done.stderr
    assert run(*words, "--reviewed-only", "--overwrite").returncode == 0
    assert len(rows(tmp_path / "o/negatives.jsonl")) == 3


def test_pairs_to_an_export_and_to_a_training(tmp_path: Path) -> None:
    folder = fresh("rsr")
    judge(folder, "pairs.jsonl", n0="accept", n1="reject", n2="accept")
    pairs = rows(folder / "pairs.jsonl")
    words = ["runtime.index", "export", "ms-swift", folder, "--output", tmp_path / "out"]
    done = run(*words, "--reviewed-only")
    assert done.returncode == 0, done.stderr
    exported = rows(tmp_path / "out/pairs.jsonl")
    rejected = [row["rejected"][0]["content"][0]["text"] for row in (pairs[0], pairs[2])]
    assert [row["rejected_response"] for row in exported] == rejected
    assert run(*words).returncode == 0
    assert len(rows(tmp_path / "out/pairs.jsonl")) == len(pairs)

    options = Options(Path(), folder / "pairs.jsonl", tmp_path, False, True)
    assert [row["id"] for row in load_rows(options.source, Needs()).rows] == [
        pairs[0]["id"], pairs[2]["id"]
    ]  # fmt: skip
    before = read_hash(options.source)
    assert before != read_hash(folder / "pairs.jsonl")
    judge(folder, "pairs.jsonl", n3="accept")
    assert (
        read_hash(Options(Path(), folder / "pairs.jsonl", tmp_path, False, True).source) != before
    )


def test_questions_to_an_export_and_a_rebuild_over_reviews(tmp_path: Path) -> None:
    folder = fresh("questions")
    judge(folder, "multi_obj.csv", n0="accept", n1="reject", n2="accept")
    judge(folder, "wh.csv", n0="accept")
    words = ["benchmarks.exports", "vlmevalkit", folder, "--output", tmp_path / "out"]
    done = run(*words, "--reviewed-only")
    assert done.returncode == 0, done.stderr
    assert [line.split() for line in done.stdout.splitlines()[:2]] == [
        ["multi_obj", "4", "questions"], ["wh", "2", "questions"]
    ]  # fmt: skip
    source = made("tested") / "negatives.jsonl"
    before = (folder / "reviews.jsonl").read_bytes()
    again = run("benchmarks.finer", "build", source, "--output", folder)
    assert again.returncode == 0, again.stderr
    assert (folder / "reviews.jsonl").read_bytes() == before
