"""`--batch` as a user runs it: start it until it is done, kill it in between, compare with live."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.commands import contents, many_images, run, server, start, stats, write_config

PRICE = {"input": 1.0, "output": 1000.0}
IMAGES = 6


def until_done(*arguments: object, most: int = 60) -> int:
    """How many starts it took; all but the last end in 75."""
    for number in range(1, most):
        done = run(*arguments)
        if done.returncode == 0:
            return number
        assert done.returncode == 75, done.stderr + done.stdout
        assert "run the same command again" in done.stdout
    raise AssertionError(f"not done after {most} starts")


def execution(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "manifest.json").read_text())["execution"])


def test_rounds_of_batches_give_the_files_of_a_live_run_at_half_the_price(tmp_path: Path) -> None:
    source = many_images(tmp_path / "images.jsonl", IMAGES)
    with server(tmp_path, "--batch-polls", 1) as address:
        config = write_config(tmp_path, address, model="openai/test", price=PRICE)
        arguments = ("agents.rsr", source, "--config", config, "--output")
        starts = until_done(*arguments, tmp_path / "batched", "--batch")
        counted = stats(address)
        assert "requests" not in counted, "nothing was asked live"
        assert starts >= 5, "parse, judge and edit depend on each other"
        config.write_text(config.read_text().replace("/cache", "/another"))
        live = run(*arguments, tmp_path / "live")
        assert live.returncode == 0, live.stderr
        assert stats(address)["requests"] == counted["batched"], "each question once"
    batched, asked = contents(tmp_path / "batched"), contents(tmp_path / "live")
    manifests = [json.loads(found.pop("manifest")) for found in (batched, asked)]
    assert batched == asked
    assert manifests[0]["counts"] == manifests[1]["counts"]
    spent = [execution(tmp_path / name)["spend"]["server"] for name in ("batched", "live")]
    assert spent[0]["answers"] == spent[1]["answers"] == counted["batched"]
    assert spent[0]["cost_usd"] == pytest.approx(spent[1]["cost_usd"] / 2)
    assert not list((tmp_path / "batched").glob(".batches*")), "nothing is left of it"


def test_failed_and_expired_lines_go_into_the_next_batch_and_kills_lose_nothing(
    tmp_path: Path,
) -> None:
    source = many_images(tmp_path / "images.jsonl", IMAGES)
    faults = json.dumps({"error_500": 0.15, "hang": 0.1, "broken_json": 0.1})
    with server(tmp_path, "--faults", faults, "--seed", 5) as address:
        config = write_config(tmp_path, address, model="openai/test", price=PRICE)
        arguments = ("agents.rsr", source, "--config", config, "--output", tmp_path / "run")
        for delay in (2.5, 4.0, 5.0, 5.5):
            process = start(*arguments, "--batch")
            time.sleep(delay)
            process.kill()
            process.communicate()
        until_done(*arguments, "--batch")
        counted = stats(address)
    assert counted["batched_error_500"] and counted["batched_hang"]
    counts = json.loads((tmp_path / "run/manifest.json").read_text())["counts"]
    assert counts["in"] == IMAGES
    assert counts["out"] + counts["rejected"]["total"] == IMAGES
    spend = execution(tmp_path / "run")["spend"]["server"]
    answered = counted["batched"] - counted["batched_error_500"] - counted["batched_hang"]
    assert spend["answers"] == answered, "every answer is paid for once"


def test_budget_hands_in_only_what_it_allows(tmp_path: Path) -> None:
    source = many_images(tmp_path / "images.jsonl", IMAGES)
    with server(tmp_path) as address:
        config = write_config(tmp_path, address, model="openai/test", price=PRICE, max_tokens=200)
        arguments = ("agents.rsr", source, "--config", config, "--output", tmp_path / "run")
        # Two calls cost up to 2 x 200 x $0.001 / 2, and a little for what is sent.
        first = run(*arguments, "--batch", "--max-cost", 0.25)
        assert first.returncode == 75, first.stderr
        assert stats(address)["batched"] == 2
        assert "wait until the budget allows" in first.stdout


def test_no_backend_with_batches_is_an_error_before_anything_is_written(tmp_path: Path) -> None:
    source = many_images(tmp_path / "images.jsonl", 1)
    done = run("agents.rsr", source, "--output", tmp_path / "run", "--batch")
    assert done.returncode == 2
    assert "no backend in use takes batches" in done.stderr
    assert not (tmp_path / "run").exists()
