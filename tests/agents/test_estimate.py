"""`--dry-run`: calls that no record tells by itself."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from agents.discriminator import main
from tests.agents.test_discriminator import GRAPH


@pytest.mark.parametrize(("logprobs", "calls"), [(True, 9), (False, 45)])
def test_a_dry_run_counts_votes_where_there_are_no_log_probabilities(
    logprobs: bool, calls: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, config = tmp_path / "negatives.jsonl", tmp_path / "config.yaml"
    source.write_text(json.dumps(GRAPH) + "\n")
    backend = {"driver": "litellm", "model": "hosted_vllm/m", "api_base": "http://localhost:1",
               "vision": True, "logprobs": logprobs}  # fmt: skip
    agents = {"discriminator": "vlm"}
    config.write_text(json.dumps({"backends": {"vlm": backend}, "agents": agents}))
    words = [str(source), "--output", str(tmp_path / "out"), "--config", str(config)]
    assert main([*words, "--dry-run", "--votes", "5"]) == 0
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["discriminator", "vlm", str(calls), "calls"] in [line[:4] for line in lines]
