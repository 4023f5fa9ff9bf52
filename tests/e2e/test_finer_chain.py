"""From captions to questions without a key: the four commands on `examples/finer-mini`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runtime.files import read_numbered
from schemas.finer import QuestionRow
from schemas.scene_graph import NegatedGraph, elements
from scoring.pairing import pair_rows
from tests.e2e.commands import ROOT, rows, run

CAPTIONS = ROOT / "examples/finer-mini/captions.jsonl"
GOLD = ROOT / "examples/finer-mini/scene_graphs.gold.jsonl"
SETTINGS = ("multi_obj", "multi_attr", "multi_rel", "wh", "levels")


def build_all(folder: Path) -> Path:
    """Run the chain; the folder of questions."""
    graphs, made, tested = folder / "graphs", folder / "negatives", folder / "tested"
    cache = folder / "config.yaml"
    cache.write_text(json.dumps({"run": {"cache": str(folder / "cache")}}))
    steps = [
        ("agents.caption_parser", CAPTIONS, "--output", graphs),
        ("agents.negative_generator", graphs / "scene_graphs.jsonl", "--output", made),
        ("agents.discriminator", made / "negatives.jsonl", "--output", tested, "--text-only"),
    ]
    for step in steps:
        done = run(*step, "--config", cache)
        assert done.returncode == 0, done.stderr
    questions = folder / "questions"
    done = run("benchmarks.finer", "build", tested / "negatives.jsonl", "--output", questions)
    assert done.returncode == 0, done.stderr
    return questions


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_all(tmp_path_factory.mktemp("finer"))


def test_most_elements_have_four_negatives(built: Path) -> None:
    found = rows(built.parent / "negatives/negatives.jsonl")
    graphs = [NegatedGraph.model_validate(row) for row in found]
    assert len(graphs) == 12
    sets = [element.negatives for graph in graphs for element in elements(graph)]
    assert sum(len(negatives) == 4 for negatives in sets) >= 0.9 * len(sets)
    assert all(len(negatives) in (0, 4) for negatives in sets)


def test_every_round_of_the_discriminator_is_written_down(built: Path) -> None:
    verdicts = rows(built.parent / "tested/verdicts.jsonl")
    assert all(abs(sum(row["probabilities"]) - 1) < 1e-5 for row in verdicts)
    assert {row["tested_against"] for row in verdicts} == {"caption"}
    survived = rows(built.parent / "tested/negatives.jsonl")
    assert {row["tested_against"] for row in survived} == {"caption"}


@pytest.mark.parametrize("setting", SETTINGS)
def test_questions_pair_up_and_show_their_images(built: Path, setting: str) -> None:
    path = built / f"{setting}.csv"
    units = list(pair_rows(read_numbered(path, QuestionRow)))
    assert units
    assert {len(unit) for unit in units} == ({1} if setting == "levels" else {2})
    for unit in units:
        for row in unit:
            assert (built / row.image).is_file()
            assert "with with" not in row.question and row.question[0].isupper()


def test_the_same_seed_writes_the_same_bytes(built: Path) -> None:
    again = built.parent / "again"
    source = built.parent / "tested/negatives.jsonl"
    assert run("benchmarks.finer", "build", source, "--output", again).returncode == 0
    for setting in SETTINGS:
        name = f"{setting}.csv"
        assert (again / name).read_bytes() == (built / name).read_bytes()
    other = built.parent / "other"
    assert run("benchmarks.finer", "build", source, "--output", other, "--seed", 4).returncode == 0
    assert (other / "multi_obj.csv").read_bytes() != (built / "multi_obj.csv").read_bytes()


def test_the_parser_is_scored_against_the_gold(built: Path, tmp_path: Path) -> None:
    report = tmp_path / "scores.json"
    predicted = built.parent / "graphs/scene_graphs.jsonl"
    done = run("benchmarks.graph_scores", predicted, GOLD, "--json", report)
    assert done.returncode == 0, done.stderr
    scores = json.loads(report.read_text())
    assert set(scores) >= {"object", "attribute", "relation"}
    assert scores["object"]["precision"] > 0.8 and scores["relation"]["precision"] > 0.8
