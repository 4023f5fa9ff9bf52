"""What a command may have of its own: flags, settings, needs, images."""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import pytest

from agents.base import Agent, AgentContext
from agents.command import AgentCommand, Flags, Results
from agents.response_parser import main as parse
from backends.base import PlainText
from runtime.files import write_jsonl
from schemas.scene_graph import CaptionRecord
from tests.e2e.commands import rows, server, write_config

IMAGE = Path("examples/granfact-mini/images/cat.jpg").resolve()


class Looker(Agent[CaptionRecord, PlainText]):
    """Shows the image and returns what the model says."""

    name = "looker"
    steps = ("finer_answer",)

    def __init__(self, times: int = 1) -> None:
        self.settings = {"times": times}
        self.needs = {"finer_answer": {"vision"}}

    async def run(self, item: CaptionRecord, context: AgentContext) -> PlainText:
        request = context.request("category_judge", item, backend_of="finer_answer")
        images = (await context.image(item.image),) * self.settings["times"]
        request = request.model_copy(update={"images": images})
        return (await context.send("finer_answer", request, PlainText)).value

    def estimate(self, item: CaptionRecord) -> dict[str, int]:
        return {"finer_answer": 1}


def command(folder: Path) -> AgentCommand[CaptionRecord, PlainText]:
    def add(parser: ArgumentParser) -> None:
        parser.add_argument("--times", type=int, default=1)
        parser.add_argument("--with", dest="other")

    def backends(own: Namespace) -> tuple[str, ...]:
        return (f"finer_answer={own.other}",) if own.other else ()

    def write(results: Results) -> Iterable[str]:
        return (json.dumps(o.model_dump(mode="json")) for o in results.outcomes())

    def items(row: CaptionRecord, source: Path, target: Path) -> Iterable[CaptionRecord]:
        return [row]

    flags = Flags[CaptionRecord, PlainText](add, lambda own, _: Looker(own.times), backends)
    return AgentCommand(Looker(), "tests.looker", "Looks.", CaptionRecord, items, (), write, flags)


def write_input(folder: Path, image: str) -> Path:
    path = folder / "in.jsonl"
    path.write_text(json.dumps({"id": "1", "image": image, "text": "A cat."}) + "\n")
    return path


def test_flags_make_the_agent_and_images_are_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, output = write_input(tmp_path, str(IMAGE)), tmp_path / "out"
    with server(tmp_path, "--answers", "fixed") as address:
        config = write_config(tmp_path, address, vision=True)
        words = [str(source), "--output", str(output), "--config", str(config), "--times", "2"]
        assert command(tmp_path).main(words) == 0
        capsys.readouterr()
        assert command(tmp_path).main([*words[:-1], "3"]) == 2
    assert "settings" in capsys.readouterr().err
    manifest = json.loads((output / "manifest.json").read_text())
    assert manifest["settings"] == {"times": 2}
    assert manifest["prompts"] == {}


def test_a_flag_can_stand_for_a_backend(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = write_input(tmp_path, str(IMAGE))
    words = [str(source), "--output", str(tmp_path / "out")]
    for more in ([], ["--dry-run"]):
        assert command(tmp_path).main([*words, *more]) == 3
        assert "finer_answer needs vision, which its backend rules" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    assert command(tmp_path).main([*words, "--with", "gemini"]) == 2
    assert "unknown backend 'gemini'" in capsys.readouterr().err


def test_without_flags_a_command_refuses_them(tmp_path: Path) -> None:
    plain = replace(command(tmp_path), flags=None)
    with pytest.raises(SystemExit) as caught:
        plain.main(["in.jsonl", "--output", "out", "--times", "2"])
    assert caught.value.code == 2


def test_a_missing_image_rejects_its_record_only(tmp_path: Path) -> None:
    source, output = write_input(tmp_path, "gone.jpg"), tmp_path / "out"
    with server(tmp_path, "--answers", "fixed") as address:
        config = write_config(tmp_path, address, vision=True)
        words = [str(source), "--output", str(output), "--config", str(config)]
        assert command(tmp_path).main(words) == 0
    journal = json.loads((output / ".outcomes.jsonl").read_text())
    assert journal["failure"]["kind"] == "image" and "gone.jpg" in journal["failure"]["reason"]


def test_a_run_that_was_moved_away_from_its_input_is_not_continued(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("mine/data").mkdir(parents=True)
    row = {"image": "a.jpg", "responses": ["A dog."], "entities": [{"path": ["dog"]}]}
    write_jsonl(Path("mine/data/in.jsonl"), [{"id": "1", **row}, {"id": "2", **row}])
    assert parse(["mine/data/in.jsonl", "--output", "mine/runs/a", "--limit", "1"]) == 0
    Path("mine/archive/old").mkdir(parents=True)
    Path("mine/runs/a").rename("mine/archive/old/a")
    assert parse(["mine/data/in.jsonl", "--output", "mine/archive/old/a"]) == 2
    moved = 'input_folders: ["../../data"] → ["../../../data"]'
    assert moved in capsys.readouterr().err
    Path("mine/archive/old/a").rename("mine/runs/a")
    Path("mine").rename("ours")
    assert parse(["ours/data/in.jsonl", "--output", "ours/runs/a"]) == 0
    found = [row["image"] for row in rows(Path("ours/runs/a/parsed.jsonl"))]
    assert found == ["../../data/a.jpg"] * 2


def test_a_run_never_clears_its_own_input(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = write_input(tmp_path, str(IMAGE))
    words = [str(source), "--output", str(tmp_path), "--overwrite"]
    assert command(tmp_path).main(words) == 2
    assert "stands in the output directory" in capsys.readouterr().err
    assert source.read_text()
