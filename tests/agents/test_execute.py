"""What the manifest says was paid: the same for both engines."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from agents.rsr import main
from runtime.ray_engine import _Actor
from runtime.store import Outcome

IMAGES = Path("examples/granfact-mini/images.jsonl")


def without_ray(worker: Any, plan: Any, model: Any, blocks: Any) -> Iterator[list[Outcome]]:
    """What the actors would send, one after the other and in this process."""

    async def all_of_them() -> list[Any]:
        actor = _Actor(worker.share(1), model, plan.in_flight)
        return [await actor(block) for block in blocks]

    for block in asyncio.run(all_of_them()):
        yield [Outcome.model_validate_json(row["outcome"]) for row in block.to_pylist()]


def spend(folder: Path, engine: str) -> dict[str, Any]:
    folder.mkdir()
    config = folder / "config.json"
    config.write_text(json.dumps({"run": {"cache": str(folder / "cache")}}))
    words = [str(IMAGES), "--limit", "3", "--config", str(config), "--engine", engine]
    assert main([*words, "--output", str(folder / "run"), "--concurrency", "1"]) == 0
    return dict(json.loads((folder / "run/manifest.json").read_text())["execution"]["spend"])


def test_answers_are_counted_alike_on_ray_and_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("runtime.ray_engine._cluster", lambda: nullcontext(1))
    monkeypatch.setattr("runtime.ray_engine._outcomes", without_ray)
    here = spend(tmp_path / "local", "local")
    assert spend(tmp_path / "ray", "ray") == here
    assert here["rules"]["answers"] > 20, "a record takes several answers"
