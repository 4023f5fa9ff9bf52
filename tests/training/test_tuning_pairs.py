"""What `agents.finer_tuning` writes, `training.dpo` reads, and `grainwise export` converts."""

from __future__ import annotations

import json
from pathlib import Path

from agents.finer_tuning import main as make_pairs
from runtime.index import main as grainwise
from tests.e2e.commands import ROOT
from training.checks import Needs
from training.data import load_rows

GOLD = ROOT / "examples/finer-mini/scene_graphs.gold.jsonl"


def test_question_pairs_pass_the_checks_and_can_be_exported(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps({"run": {"cache": str(tmp_path / "cache")}}))
    run = tmp_path / "run"
    assert make_pairs([str(GOLD), "--output", str(run), "--config", str(config)]) == 0
    loaded = load_rows(run / "pairs.jsonl", Needs(rejected=True))
    assert loaded.dropped == [] and len(loaded.rows) > 60 and loaded.has_images
    exported = tmp_path / "ms-swift"
    assert grainwise(["export", "ms-swift", str(run), "--output", str(exported)]) == 0
    [file] = exported.glob("*.jsonl")
    assert len(file.read_text().splitlines()) == len(loaded.rows)
