"""`prompts: FOLDER` in a config: what a model is told, and what a run says of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from agents.response_parser import main
from prompts import check_folder, load_prompt
from tests.e2e.commands import EXAMPLE, write_config
from tests.servers.openai_server import Settings, running

MINE = "# Task: response_parser\n\nName the objects."
TEXT = f'---\nid: response_parser\nversion: "mine"\n---\n{MINE}\n'


def configured(folder: Path, address: str, **files: str) -> Path:
    path = write_config(folder, address)
    config = json.loads(path.read_text()) | {"prompts": "mine"}
    path.write_text(json.dumps(config))
    (folder / "mine").mkdir()
    for name, text in files.items():
        (folder / "mine" / f"{name}.md").write_text(text)
    return path


def parse(config: Path, output: Path, *more: str) -> int:
    arguments = (EXAMPLE, "--config", config, "--output", output, "--limit", "1")
    return main([*map(str, arguments), *more])


def manifest(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "manifest.json").read_text()))


def test_an_own_prompt_is_sent_and_is_part_of_the_run(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with running(Settings(answers="rules")) as (served, api_base):
        config = configured(tmp_path, api_base.removesuffix("/v1"), response_parser=TEXT)
        assert parse(config, tmp_path / "run") == 0
        assert {body["messages"][0]["content"] for body in served.bodies} == {MINE}
        (tmp_path / "mine/response_parser.md").write_text(TEXT.replace("Name", "List"))
        assert parse(config, tmp_path / "run") == 2
        assert "different run: prompts.response_parser.sha256: " in capsys.readouterr().err
        asked = len(served.bodies)
        assert parse(config, tmp_path / "other") == 0
        assert len(served.bodies) == 2 * asked, "other words, so no answer is in the cache"
    one, other = (manifest(tmp_path / name)["prompts"] for name in ("run", "other"))
    assert one["response_parser"]["version"] == other["response_parser"]["version"] == "mine"
    assert one["response_parser"]["sha256"] != other["response_parser"]["sha256"]


def test_prompts_without_a_file_of_ones_own_are_the_built_in_ones(tmp_path: Path) -> None:
    assert load_prompt("rsr", str(tmp_path)) == load_prompt("rsr")


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("response_parse", TEXT, "no prompt of this name to replace, did you mean response_parser"),
        ("response_parser", "Name the objects.", "expected `id` and `version` between lines of"),
        ("response_parser", TEXT.replace("version", "v"), "expected `id` and `version`"),
        ("response_parser", "---\n- a\n---\nx", "expected `id` and `version`"),
        ("response_parser", TEXT.replace(MINE, ""), "then a text"),
        ("critic", TEXT, "front matter says id 'response_parser', the name says 'critic'"),
    ],
)
def test_a_file_that_replaces_nothing_stops_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, text: str, message: str
) -> None:
    config = configured(tmp_path, "http://127.0.0.1:9", **{name: text})
    assert parse(config, tmp_path / "run") == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_missing_folder_stops_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = configured(tmp_path, "http://127.0.0.1:9")
    (tmp_path / "mine").rmdir()
    assert parse(config, tmp_path / "run") == 2
    assert "prompts: " in capsys.readouterr().err


def test_a_prompt_that_is_not_utf_8_is_named(tmp_path: Path) -> None:
    (tmp_path / "critic.md").write_bytes(TEXT.encode() + b"\xff")
    with pytest.raises(ValueError, match=r"critic\.md: expected `id` and `version`"):
        check_folder(str(tmp_path))
