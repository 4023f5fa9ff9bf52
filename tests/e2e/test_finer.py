"""`finer evaluate` as a user runs it: with images, killed and continued, on a real model."""

from __future__ import annotations

import base64
import csv
import json
import time
from pathlib import Path
from typing import Any

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
from tests.servers.openai_server import Settings, running

PHOTOS = ROOT / "examples/granfact-mini/images"
IN_FLIGHT = 4
THINGS = ("cat", "dog", "sofa", "rocket", "cup", "flower", "brush")


def questions(path: Path, pairs: int) -> Path:
    """Pairs of questions about the example's photographs, each with words of its own."""
    photos = sorted(photo.name for photo in PHOTOS.glob("*.jpg"))
    named = [f"choice{number}" for number in range(1, 6)]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "qtype", "question", *named, "gt_index"])
        for number in range(pairs):
            right, wrong, *others = (THINGS[(number + step) % len(THINGS)] for step in range(5))
            for side, asked, gt in (("pos", right, 0), ("neg", wrong, 1)):
                options = [f"Yes, I can see {asked} {number}.", f"No, but I can see {right}."]
                options += [f"No, but I can see {other}." for other in others]
                qtype, image = f"multi_obj_{1 + number % 6}_{side}", photos[number % len(photos)]
                question = f"Can you see {asked} {number} in this image?"
                writer.writerow([image, qtype, question, *options, gt])
    return path


def arguments(folder: Path, source: Path, config: Path) -> list[object]:
    command = ["benchmarks.finer", "evaluate", source, "--output", folder, "--config", config]
    return [*command, "--images", PHOTOS]


def test_every_question_is_asked_with_its_image(tmp_path: Path) -> None:
    source = questions(tmp_path / "questions.csv", 12)
    with running(Settings(answers="rules")) as (local, api_base):
        config = write_config(tmp_path, api_base.removesuffix("/v1"), vision=True)
        done = run(*arguments(tmp_path / "run", source, config))
        assert done.returncode == 0, done.stderr
        bodies = list(local.bodies)
    shown: dict[str, str] = {}
    for body in bodies:
        [message] = body["messages"]
        text, image = message["content"]
        media, data = image["image_url"]["url"].split(",")
        assert media == "data:image/jpeg;base64"
        shown[text["text"].split("\n")[2]] = data
    with source.open(encoding="utf-8") as file:
        asked = list(csv.DictReader(file))
    assert len(bodies) == len(asked) == len(shown)
    for row in asked:
        assert base64.b64decode(shown[row["question"]]) == (PHOTOS / row["image"]).read_bytes()
    scores = json.loads((tmp_path / "run/scores.json").read_text())
    assert (scores["questions"], scores["unparsed"]) == (24, 0)
    assert set(scores["by_elements"]["multi_obj"]) == set("123456")
    again = run("benchmarks.finer", "score", tmp_path / "run/predictions.csv")
    assert again.returncode == 0, again.stderr
    assert again.stdout in done.stdout
    assert "multi_obj" in again.stdout


def test_killed_and_continued_it_asks_nothing_twice(tmp_path: Path) -> None:
    source = questions(tmp_path / "questions.csv", 80)
    for name in ("calm", "killed"):
        (tmp_path / name).mkdir()
    with server(tmp_path, "--latency-ms", 20) as address:
        backend: dict[str, Any] = {"vision": True, "max_parallel": IN_FLIGHT}
        config = write_config(tmp_path / "calm", address, **backend)
        calm = run(*arguments(tmp_path / "calm/run", source, config))
        assert calm.returncode == 0, calm.stderr
        assert stats(address)["requests"] == 160

        command = arguments(
            tmp_path / "killed/run", source, write_config(tmp_path / "killed", address, **backend)
        )
        for target in (200, 260):
            process = start(*command)
            while stats(address)["requests"] < target:
                assert process.poll() is None, process.communicate()[1]
                time.sleep(0.005)
            process.kill()
            process.communicate()
        done = run(*command)
        assert done.returncode == 0, done.stderr
        asked = stats(address)
    # Only what was on its way when the process died is asked again.
    assert 160 <= asked["requests"] - 160 <= 160 + 2 * IN_FLIGHT
    assert asked["distinct"] == 160
    assert contents(tmp_path / "killed/run") == contents(tmp_path / "calm/run")


@pytest.mark.slow
def test_a_real_model_without_the_image(tmp_path: Path) -> None:
    source = questions(tmp_path / "questions.csv", 4)
    small = smollm2() | {"max_tokens": 60, "context": 2048}
    config = tmp_path / "config.yaml"
    settings = {"cache": str(tmp_path / "cache"), "max_error_rate": 1.0}
    config.write_text(json.dumps({"backends": {"small": small}, "run": settings}))
    command = [*arguments(tmp_path / "run", source, config), "--backend", "small"]
    refused = run(*command)
    assert refused.returncode == 3
    assert "--text-only" in refused.stderr
    done = run(*command, "--text-only", "--overwrite")
    assert done.returncode == 0, done.stderr
    scores = json.loads((tmp_path / "run/scores.json").read_text())
    assert scores["text_only"] is True
    assert scores["questions"] == 8
    rejected = rows(tmp_path / "run/rejected.jsonl")
    assert {row["kind"] for row in rejected} <= {"truncated"}
    assert len(rejected) <= scores["unparsed"]
    with (tmp_path / "run/predictions.csv").open(encoding="utf-8", newline="") as file:
        said = [row["prediction"] for row in csv.DictReader(file)]
    assert sum(text != "" for text in said) == 8 - len(rejected) > 0
