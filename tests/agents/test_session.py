"""Agents from a notebook: inside an event loop that runs already."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from agents import region_writer
from agents.discriminator import COMMAND as DISCRIMINATE
from agents.response_parser import main
from agents.session import run
from agents.stages import RSR
from runtime.errors import ToolkitError
from tests.agents.test_discriminator import GRAPH
from tests.agents.test_region_writer import CAPTIONS, Finder, write_inputs
from tests.e2e.commands import EXAMPLE, write_config
from tests.servers.openai_server import Settings, running

TRUTH = [{"path": ["animal", "cat", "tabby cat"]}, {"path": ["furniture", "sofa"]}]
ROW: dict[str, Any] = {
    "id": "1", "image": "cat.jpg", "entities": TRUTH,
    "responses": ["A Persian cat is lying on a sofa.", "A cat is lying on a sofa."],
}  # fmt: skip


def test_rows_in_memory_become_results_in_their_order() -> None:
    async def cell() -> list[str | None]:
        found = await run(RSR, [ROW, {**ROW, "id": "2"}], concurrency=1)
        assert [one.id for one in found] == ["1#0", "1#1", "2#0", "2#1"]
        return [one.revision.text if one.revision else None for one in found]

    assert asyncio.run(cell()) == ["A cat is lying on a sofa."] * 4


def test_the_config_chooses_the_backend_and_bounds_the_money(tmp_path: Path) -> None:
    with running(Settings(answers="rules")) as (served, api_base):
        price = {"input": 9999, "output": 0}
        config = write_config(tmp_path, api_base.removesuffix("/v1"), price=price)
        asyncio.run(run(RSR, [ROW], config, ["rules"]))
        assert not served.bodies
        asyncio.run(run(RSR, [ROW], config))
        asked = len(served.bodies)
        assert asked
        asyncio.run(run(RSR, [ROW], config))
        assert len(served.bodies) == asked, "the cache answered"
        poor = json.loads(config.read_text())
        poor["run"] |= {"cache": str(tmp_path / "empty"), "budget_usd": 1e-6}
        config.write_text(json.dumps(poor))
        with pytest.raises(ToolkitError, match="budget"):
            asyncio.run(run(RSR, [ROW], config))
        assert len(served.bodies) == asked + 1


def test_a_bad_row_is_named_before_anything_is_asked() -> None:
    with pytest.raises(ToolkitError, match=r"rows\[1\]: entities\[0\]\.path"):
        asyncio.run(run(RSR, [ROW, {**ROW, "entities": [{"path": []}]}]))


def test_a_command_in_a_notebook_says_what_to_do(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async def cell() -> int:
        return main([str(EXAMPLE), "--output", str(tmp_path / "run")])

    assert asyncio.run(cell()) == 2
    assert "!python -m agents.response_parser" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_settings_of_the_config_reach_the_agent(tmp_path: Path) -> None:
    script, config = tmp_path / "script.json", tmp_path / "my.yaml"
    script.write_text(json.dumps({"discriminator": ["A"]}))
    settings = {"max_rounds": 1, "votes": 2, "max_entropy": 0.2}
    document = {
        "backends": {"fake": {"driver": "fake", "script": str(script), "vision": True}},
        "agents": {"default": "fake"},
        "discriminator": settings,
        "run": {"cache": str(tmp_path / "cache")},
    }
    config.write_text(json.dumps(document))
    [found] = asyncio.run(run(DISCRIMINATE, [GRAPH], config))
    # With the default three rounds it would go on to make new negatives, which nobody answers.
    assert {verdict.round for verdict in found.verdicts} == {1}
    assert {verdict.decision for verdict in found.verdicts} <= {"keep", "drop"}


def test_a_unit_of_several_rows_is_the_same_one_as_in_the_command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(region_writer, "GroundingDino", lambda *_: Finder())
    write_inputs(tmp_path, [], [])
    found = asyncio.run(run(region_writer.COMMAND, CAPTIONS[:4], folder=tmp_path))
    assert [image.id for image in found] == ["1", "3", "4"], "rows of one image are one unit"
    texts = [[region.text for region in image.regions] for image in found]
    assert texts[0] == ["a dog with a red collar", "a red collar"]
    assert {region.image for region in found[0].regions} == {"images/a.png"}
