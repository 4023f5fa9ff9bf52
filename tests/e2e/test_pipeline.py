"""The main job and its parts, end to end on the default backend and through LiteLLM."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agents.rsr import names
from tests.e2e.commands import EXAMPLE, contents, rows, run, server, stats, write_config


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("demo")
    config = folder / "config.yaml"
    config.write_text(json.dumps({"run": {"cache": str(folder / "cache")}}))
    done = run("agents.rsr", EXAMPLE, "--output", folder / "run", "--config", config)
    assert done.returncode == 0, done.stderr
    (folder / "run.txt").write_text(done.stdout)
    return folder / "run"


def test_pairs_are_worth_training_on(demo: Path) -> None:
    pairs = rows(demo / "pairs.jsonl")
    kinds = [pair["kind"] for pair in pairs]
    assert kinds.count("reliability") >= 8
    assert kinds.count("granularity") >= 4
    for pair in pairs:
        assert pair["scores"]["chosen"] > pair["scores"]["rejected"]
        assert pair["chosen"] != pair["rejected"]
        assert [part["type"] for part in pair["prompt"][0]["content"]] == ["image", "text"]
        assert (demo / pair["images"][0]).resolve().is_file()
        assert pair["margin"] > 0


def test_no_chosen_text_names_what_was_deleted(demo: Path) -> None:
    revisions = {row["id"]: row for row in rows(demo / "revisions.jsonl")}
    for row in revisions.values():
        deleted = [e["category"] for e in row["edits"] if e["kind"] == "delete"]
        kept = [p["category"] for p in (row["revision"] or {"predictions": []})["predictions"]]
        for category in deleted if row["revision"] else []:
            assert not names(row["revision"]["text"], category, kept), row["id"]


def test_counts_add_up(demo: Path) -> None:
    manifest = json.loads((demo / "manifest.json").read_text())
    counts = manifest["counts"]
    images = rows(EXAMPLE)
    assert counts["in"] == sum(len(row["responses"]) for row in images)
    assert counts["in"] == counts["out"] + counts["rejected"]["total"]
    assert len(rows(demo / "revisions.jsonl")) == counts["out"]
    scores = json.loads((demo / "scores.json").read_text())
    assert scores["counts"]["images"] == len(images)
    assert scores["after"]["P"] > scores["before"]["P"]


def test_the_summary_says_what_came_out(demo: Path) -> None:
    text = demo.with_suffix(".txt").read_text()
    for words in ("12 images", "pairs: ", "precision P: ", "gF1: ", "rejected: ", "model calls"):
        assert words in text
    assert text.count("  chosen:  ") == 3


def test_parts_give_what_the_whole_gives(demo: Path, tmp_path: Path) -> None:
    """parse → categories → attributes → score, file by file, equals the scores of `rsr`."""
    source = EXAMPLE
    for agent, result in [
        ("response_parser", "parsed.jsonl"),
        ("category_judge", "levels.jsonl"),
        ("attribute_judge", "judged.jsonl"),
    ]:
        done = run(f"agents.{agent}", source, "--output", tmp_path / agent)
        assert done.returncode == 0, done.stderr
        source = tmp_path / agent / result
    done = run("scoring", source, "--summary", tmp_path / "summary.json")
    assert done.returncode == 0, done.stderr
    summary = json.loads((tmp_path / "summary.json").read_text())
    before = json.loads((demo / "scores.json").read_text())["before"]
    assert summary == pytest.approx({name: before[name] for name in summary})


def test_evaluation_table(tmp_path: Path) -> None:
    done = run("benchmarks.granfact", "evaluate", EXAMPLE, "--output", tmp_path / "run")
    assert done.returncode == 0, done.stderr
    table = json.loads((tmp_path / "run/metrics.json").read_text())
    whole = [row for row in table if row["domain"] == "all"]
    assert [row["style"] for row in whole] == ["aggressive", "conservative", "neutral"]
    assert all(row["examples"] == 12 for row in whole)
    domains = {json.loads(line)["domain"] for line in EXAMPLE.read_text().splitlines()}
    assert {row["domain"] for row in table} == domains | {"all"}
    for row in whole:
        for name, (low, high) in row["intervals"].items():
            assert low <= row[name] <= high
    assert "| model | style | domain |" in (tmp_path / "run/metrics.md").read_text()


@pytest.mark.parametrize("model", ["hosted_vllm/test", "openai/test"])
def test_the_llm_path_gives_the_same_files(demo: Path, tmp_path: Path, model: str) -> None:
    """The server answers by the rules: only the way there differs, directly or by LiteLLM."""
    with server(tmp_path) as address:
        config = write_config(tmp_path, address, model)
        done = run(
            "agents.rsr", EXAMPLE, "--output", tmp_path / "run", "--config", config,
            "--backend", "server",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert stats(address)["requests"] > 100
    ours, theirs = contents(tmp_path / "run"), contents(demo)
    for name in ("revisions.jsonl", "scores.json", "rejected.jsonl"):
        assert ours[name].replace("../../", "") == theirs[name].replace("../../", "") or name
    pairs = [pair["chosen"] for pair in rows(tmp_path / "run/pairs.jsonl")]
    assert pairs == [pair["chosen"] for pair in rows(demo / "pairs.jsonl")]


def test_a_second_run_asks_nothing(tmp_path: Path) -> None:
    with server(tmp_path) as address:
        config = write_config(tmp_path, address)
        for name in ("one", "two"):
            done = run("agents.rsr", EXAMPLE, "--output", tmp_path / name, "--config", config)
            assert done.returncode == 0, done.stderr
            asked = stats(address)["requests"]
            if name == "one":
                first = asked
        assert asked == first
    assert contents(tmp_path / "one") == contents(tmp_path / "two")


def test_dry_run_calls_and_writes_nothing(tmp_path: Path) -> None:
    with server(tmp_path) as address:
        config = write_config(tmp_path, address, price={"input": 1.0, "output": 2.0})
        done = run(
            "agents.rsr", EXAMPLE, "--output", tmp_path / "run", "--config", config, "--dry-run"
        )
        assert done.returncode == 0, done.stderr
        assert stats(address).get("requests", 0) == 0
    assert not (tmp_path / "run").exists()
    assert "36 records" in done.stdout
    assert "category_judge" in done.stdout
    assert "nothing was called" in done.stdout
