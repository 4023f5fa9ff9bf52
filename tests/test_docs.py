"""What README and docs promise: commands that exist, rows that validate, configs that load."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from runtime.config import load_config
from runtime.index import COMMANDS
from schemas.judged import JudgedExample
from schemas.record import ImageRecord

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONFIGS = sorted((ROOT / "examples/configs").glob("*.yaml"))
MODULES = sorted(set(re.findall(r"python -m ([a-z_.]+)", README)))


def ask(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", *arguments], capture_output=True, text=True, cwd=ROOT
    )


@pytest.mark.parametrize("module", MODULES)
def test_commands_of_the_readme_exist(module: str) -> None:
    done = ask(module, "--help")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: ")


def test_the_index_lists_every_command() -> None:
    done = ask("runtime.index")
    assert done.returncode == 0
    assert {module for module, _ in COMMANDS.values()} >= set(MODULES)
    for name in COMMANDS:
        assert f"  {name} " in done.stdout
        assert ask("runtime.index", name, "--help").returncode == 0


def test_a_mistyped_command_is_put_right() -> None:
    done = ask("runtime.index", "rsrr")
    assert done.returncode == 2
    assert "did you mean `rsr`?" in done.stderr


def test_rows_of_the_docs_validate() -> None:
    blocks = re.findall(r"```json\n(.*?)```", README, re.DOTALL)
    rows = [json.loads(block) for block in blocks]
    assert sum("responses" in row for row in rows) == 1
    for row in rows:
        if "responses" in row:
            ImageRecord.model_validate(row)
        else:
            assert {"prompt", "chosen", "rejected", "margin", "kind"} <= set(row)
    files = (ROOT / "docs/files.md").read_text(encoding="utf-8")
    JudgedExample.model_validate_json(re.findall(r"```json\n(.*?)```", files, re.DOTALL)[0])


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_example_configs_load_and_can_be_estimated(path: Path, tmp_path: Path) -> None:
    config = load_config(path)
    assert config.backends
    example = ROOT / "examples/granfact-mini/images.jsonl"
    arguments = (str(example), "--output", str(tmp_path / "run"), "--config", str(path))
    done = ask("agents.rsr", *arguments, "--dry-run")
    assert done.returncode == 0, done.stderr
    assert "nothing was called" in done.stdout


def test_readme_is_short_and_shows_a_real_run() -> None:
    assert len(README.splitlines()) < 150
    assert "12 images, 36 responses" in README
