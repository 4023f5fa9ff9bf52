"""How a run ends when something is wrong: one clear message, the right exit code, no debris."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.commands import (
    EXAMPLE,
    contents,
    many_images,
    rows,
    run,
    server,
    start,
    stats,
    write_config,
)


def configured(folder: Path, backend: dict[str, Any]) -> Path:
    config = {"backends": {"it": backend}, "agents": {"default": "it"}}
    path = folder / "config.yaml"
    path.write_text(json.dumps(config | {"run": {"cache": str(folder / "cache")}}))
    return path


@pytest.mark.parametrize(
    ("backend", "code", "message"),
    [
        (
            {"driver": "litellm", "model": "gemini/gemini-2.5-flash", "api_key_env": "NO_SUCH_KEY"},
            3,
            "environment variable NO_SUCH_KEY is not set",
        ),
        (
            {"driver": "litellm", "model": "hosted_vllm/x", "api_base": "http://127.0.0.1:9/v1"},
            3,
            "nothing answers at http://127.0.0.1:9/v1",
        ),
        ({"driver": "llama_cpp", "gguf": "missing.gguf"}, 3, "missing.gguf"),
        ({"driver": "litellm", "model": "x", "rmp": 3}, 2, "rmp"),
    ],
)
def test_what_is_missing_is_said_before_any_call(
    tmp_path: Path, backend: dict[str, Any], code: int, message: str
) -> None:
    config = configured(tmp_path, backend)
    done = run("agents.rsr", EXAMPLE, "--output", tmp_path / "run", "--config", config)
    assert done.returncode == code, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) <= 2
    check = run("agents.check", "--config", config)
    assert check.returncode == code
    assert message in check.stdout + check.stderr


def test_bad_input_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    row = json.loads(EXAMPLE.read_text().splitlines()[0])
    row["entities"][1]["quantity"] = 0
    source = tmp_path / "images.jsonl"
    source.write_text(EXAMPLE.read_text() + json.dumps(row | {"id": "bad"}) + "\n")
    done = run("agents.rsr", source, "--output", tmp_path / "run")
    assert done.returncode == 2
    assert f"{source}:13: entities[1].quantity" in done.stderr
    assert not (tmp_path / "run").exists()


def test_another_config_on_the_same_directory_is_refused(tmp_path: Path) -> None:
    arguments = ("agents.rsr", EXAMPLE, "--output", tmp_path / "run", "--limit", 1)
    assert run(*arguments).returncode == 0
    done = run(*arguments, "--seed", 3)
    assert done.returncode == 2
    assert "seed: 17 → 3" in done.stderr
    assert run(*arguments, "--seed", 3, "--overwrite").returncode == 0


def test_the_budget_stops_a_run_that_can_go_on(tmp_path: Path) -> None:
    with server(tmp_path) as address:
        config = write_config(tmp_path, address, price={"input": 10.0, "output": 10.0})
        arguments = ("agents.rsr", EXAMPLE, "--output", tmp_path / "run", "--config", config)
        done = run(*arguments, "--max-cost", "0.05")
        assert done.returncode == 4, done.stderr
        assert "budget" in done.stderr
        done = run(*arguments, "--max-cost", "100")
        assert done.returncode == 0, done.stderr
    assert len(rows(tmp_path / "run/revisions.jsonl")) == 36


def test_ctrl_c_ends_with_130_and_the_run_goes_on(tmp_path: Path) -> None:
    source = many_images(tmp_path / "images.jsonl", 40)
    with server(tmp_path, "--latency-ms", 20) as address:
        config = write_config(tmp_path, address)
        arguments = ("agents.rsr", source, "--output", tmp_path / "run", "--config", config)
        process = start(*arguments)
        while stats(address).get("requests", 0) < 50:
            assert process.poll() is None, process.communicate()[1]
            time.sleep(0.02)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=60)
        assert process.returncode == 130, err
        assert "run the same command again to continue" in err
        assert "Traceback" not in err
        done = run(*arguments)
        assert done.returncode == 0, done.stderr
        whole = run("agents.rsr", source, "--output", tmp_path / "whole", "--config", config)
        assert whole.returncode == 0
    assert contents(tmp_path / "run") == contents(tmp_path / "whole")


FAULTS = {
    "rate_429": 0.05,
    "error_500": 0.05,
    "hang": 0.05,
    "truncation": 0.05,
    "refusal": 0.05,
    "broken_json": 0.05,
}


@pytest.mark.slow
def test_a_hostile_provider_loses_no_record(tmp_path: Path) -> None:
    source = many_images(tmp_path / "images.jsonl", 60)
    faults = json.dumps(FAULTS)
    with server(tmp_path, "--faults", faults, "--seed", 5) as address:
        config = write_config(tmp_path, address, timeout_s=1.0)
        done = run("agents.rsr", source, "--output", tmp_path / "run", "--config", config)
        assert done.returncode == 0, done.stderr
        seen = stats(address)
    manifest = json.loads((tmp_path / "run/manifest.json").read_text())
    revised = {row["id"]: row for row in rows(tmp_path / "run/revisions.jsonl")}
    rejected = rows(tmp_path / "run/rejected.jsonl")
    ended = set(revised) | {row["id"] for row in rejected}
    assert ended == {f"{row['id']}#0" for row in rows(source)}
    assert all(row["kind"] and row["reason"] for row in rejected)
    counts = manifest["counts"]
    assert counts["in"] == 60 == counts["out"] + counts["rejected"]["total"]
    assert counts["rejected"]["total"] > 0, "truncations and refusals must reject something"
    assert sum(counts["rejected"]["by_kind"].values()) == counts["rejected"]["total"]
    assert seen["max_attempts_per_body"] <= 6
    assert seen["rate_429"] > 0
    assert seen["hang"] > 0


def test_rejected_records_alone_are_retried(tmp_path: Path) -> None:
    source = many_images(tmp_path / "images.jsonl", 30)
    faults = json.dumps({"refusal": 0.02})
    with server(tmp_path, "--faults", faults) as address:
        config = write_config(tmp_path, address)
        arguments = ("agents.rsr", source, "--output", tmp_path / "run", "--config", config)
        assert run(*arguments).returncode == 0
        before = rows(tmp_path / "run/rejected.jsonl")
        assert {row["kind"] for row in before} == {"refused"}
        asked = stats(address)["requests"]
        assert run(*arguments).returncode == 0
        assert stats(address)["requests"] == asked, "a finished run has nothing to ask"
        assert run(*arguments, "--retry-rejected").returncode == 0
        after = rows(tmp_path / "run/rejected.jsonl")
        assert len(after) < len(before)
        revised = {row["id"] for row in rows(tmp_path / "run/revisions.jsonl")}
        assert len(revised | {row["id"] for row in after}) == 30


def test_two_runs_share_a_cache_at_once(tmp_path: Path) -> None:
    with server(tmp_path, "--latency-ms", 10) as address:
        config = write_config(tmp_path, address)
        both = [
            start("agents.rsr", EXAMPLE, "--output", tmp_path / name, "--config", config)
            for name in ("one", "two")
        ]
        for process in both:
            _, err = process.communicate(timeout=120)
            assert process.returncode == 0, err
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
