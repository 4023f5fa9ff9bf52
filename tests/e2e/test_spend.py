"""Money over kills: every answer that came is counted, and the budget holds."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from tests.e2e.commands import many_images, run, server, start, stats, write_config

IN_FLIGHT = 8
PRICE = {"input": 0.0, "output": 1000.0}


def manifest(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "run/manifest.json").read_text())["execution"])


def test_money_of_calls_cut_off_by_a_kill_is_counted(tmp_path: Path) -> None:
    source = many_images(tmp_path / "images.jsonl", 12)
    with server(tmp_path, "--latency-ms", 20) as address:
        config = write_config(tmp_path, address, max_parallel=IN_FLIGHT, price=PRICE)
        arguments = ("agents.rsr", source, "--config", config, "--output", tmp_path / "run")
        process = start(*arguments)
        while stats(address).get("answered", 0) < 40 and process.poll() is None:
            time.sleep(0.005)
        process.kill()
        process.communicate()
        kept = json.loads((tmp_path / "run/.spend.json").read_text())["server"]
        answered = stats(address)["answered"]
        assert answered - IN_FLIGHT <= kept["answers"] <= answered

        # The budget is spent already, though few records have an outcome.
        broke = run(*arguments, "--max-cost", kept["cost_usd"] / 2)
        assert broke.returncode == 4, broke.stderr
        assert stats(address)["answered"] == answered, "nothing was asked"

        done = run(*arguments)
        assert done.returncode == 0, done.stderr
        answered = stats(address)["answered"]
    execution = manifest(tmp_path)
    spend = execution["spend"]["server"]
    assert answered - IN_FLIGHT <= spend["answers"] <= answered
    assert spend["model"] == "hosted_vllm/test"
    assert execution["cost_usd"] == round(spend["cost_usd"], 6) > kept["cost_usd"]
    assert spend["completion_tokens"] * PRICE["output"] / 1e6 == round(spend["cost_usd"], 6)


def test_budget_holds_to_one_call(tmp_path: Path) -> None:
    source = many_images(tmp_path / "images.jsonl", 12)
    with server(tmp_path, "--latency-ms", 20) as address:
        config = write_config(
            tmp_path, address, max_parallel=IN_FLIGHT, price=PRICE, max_tokens=200
        )
        stopped = run(
            "agents.rsr", source, "--config", config, "--output", tmp_path / "run",
            "--max-cost", 0.5,
        )  # fmt: skip
    assert stopped.returncode == 4, stopped.stderr
    kept = json.loads((tmp_path / "run/.spend.json").read_text())["server"]
    assert 0.5 <= kept["cost_usd"] <= 0.5 + 0.2
