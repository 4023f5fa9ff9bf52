"""The rectifier against the local server: images shown, killed and continued, and SmolLM2."""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path

import pytest

from tests.e2e.commands import (
    ROOT,
    contents,
    rows,
    run,
    server,
    smollm2,
    start,
    stats,
    write_config,
)
from tests.servers.rectification import INVENTED

IMAGES = ROOT / "examples/granfact-mini/images"
CAPTIONS = {
    "cat": "A brown cat is looking to the right.",
    "coffee": "A brown cup of coffee stands on a saucer.",
}


def write_questions(folder: Path, count: int) -> Path:
    path = folder / "questions.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            name = ("cat", "coffee")[number % 2]
            row = {"id": f"{name}-{number}", "image": str(IMAGES / f"{name}.jpg")}
            row |= {"question": f"What is in picture {number}?", "caption": CAPTIONS[name]}
            file.write(json.dumps(row) + "\n")
    return path


def write_captions(folder: Path) -> Path:
    path = folder / "captions.json"
    known = {
        hashlib.sha256((IMAGES / f"{name}.jpg").read_bytes()).hexdigest(): caption
        for name, caption in CAPTIONS.items()
    }
    path.write_text(json.dumps(known))
    return path


def test_responses_are_corrected_by_what_the_critic_sees(tmp_path: Path) -> None:
    source = write_questions(tmp_path, 12)
    with server(tmp_path, "--captions", write_captions(tmp_path)) as address:
        config = write_config(tmp_path, address, vision=True)
        command = ["agents.rectifier", source, "--config", config, "--max-steps", 2]
        overrides = ["--backend", "model=server", "--backend", "critic=server"]
        done = run(*command, *overrides, "--output", tmp_path / "out")
        assert done.returncode == 0, done.stderr
        asked = stats(address)["requests"]
        done_again = run(*command, "--output", tmp_path / "again", "--rate-with", "server")
        assert done_again.returncode == 0, done_again.stderr
    found = rows(tmp_path / "out/trajectories.jsonl")
    assert len(found) == 12
    for row in found:
        caption, first = CAPTIONS[row["id"].split("-")[0]], row["steps"][0]["response"]
        wrong = sum(sentence in first for sentence in INVENTED)
        assert row["stopped"] == ("max_steps" if wrong > 1 else "satisfied")
        assert len(row["steps"]) == 1 + min(wrong, 2)
        assert (row["final"] == caption) == (wrong <= 2)
    assert {len(row["steps"]) for row in found} == {1, 2, 3}
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert report["calls"]["total"] == asked
    assert "latency of live calls: model" in done.stdout
    rated = json.loads((tmp_path / "again/report.json").read_text())["hallucinations"]["object"]
    invented = [sum(s in row["steps"][0]["response"] for s in INVENTED) for row in found]
    assert rated["before"] == sum(invented)
    assert rated["after"] == sum(max(0, count - 2) for count in invented)
    latency = json.loads((tmp_path / "out/manifest.json").read_text())["execution"]["latency_s"]
    assert set(latency) == {"model", "critic"} and min(latency.values()) > 0


def test_a_killed_run_goes_on_and_ends_the_same(tmp_path: Path) -> None:
    source, captions = write_questions(tmp_path, 60), write_captions(tmp_path)
    for name in ("calm", "killed"):
        (tmp_path / name).mkdir()
    with server(tmp_path, "--latency-ms", 20, "--captions", captions) as address:
        command = ["agents.rectifier", source, "--concurrency", 8]
        settings = {"vision": True, "max_parallel": 8}
        config = write_config(tmp_path / "calm", address, **settings)
        calm = run(*command, "--config", config, "--output", tmp_path / "calm/run")
        assert calm.returncode == 0, calm.stderr
        needed = stats(address)["requests"]

        config = write_config(tmp_path / "killed", address, **settings)
        command += ["--config", config, "--output", tmp_path / "killed/run"]
        for kill in (1, 2):
            process = start(*command)
            while stats(address)["requests"] < needed + kill * needed // 3:
                assert process.poll() is None, process.communicate()[1]
                time.sleep(0.005)
            process.kill()
            process.communicate()
        done = run(*command)
        assert done.returncode == 0, done.stderr
        asked = stats(address)["requests"] - needed
    assert contents(tmp_path / "killed/run") == contents(tmp_path / "calm/run")
    assert needed <= asked <= needed + 2 * 8


@pytest.mark.slow
def test_the_loop_ends_on_a_real_model(tmp_path: Path) -> None:
    config = {
        "backends": {"small": smollm2()},
        "run": {"cache": str(tmp_path / "cache"), "max_error_rate": 1.0},
    }
    (tmp_path / "config.yaml").write_text(json.dumps(config))
    done = run(
        "agents.rectifier", write_questions(tmp_path, 2), "--output", tmp_path / "run",
        "--config", tmp_path / "config.yaml", "--text-only", "--max-steps", 2,
        "--backend", "model=small", "--backend", "critic=small",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found, rejected = (rows(tmp_path / f"run/{n}.jsonl") for n in ("trajectories", "rejected"))
    assert {row["id"] for row in found + rejected} == {"cat-0", "coffee-1"}
    # A model this small may fail a record, but only in one of the ways that are accounted for,
    # and its own answers are taken.
    assert all(row["kind"] in ("truncated", "schema", "malformed") for row in rejected)
    assert all(len(row["steps"]) <= 3 and row["final"] for row in found)
    usage = [row["usage"] for row in rows(tmp_path / "run/.outcomes.jsonl")]
    assert sum(one.get("live:model", 0) for one in usage) >= 1
