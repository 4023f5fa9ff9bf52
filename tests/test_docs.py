"""What README and docs promise: commands that run, outputs that come, rows that validate."""

from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from runtime.config import load_config
from runtime.index import COMMANDS
from schemas.judged import JudgedExample
from schemas.record import ImageRecord
from schemas.review import Review
from tests import docs_pages
from tests.e2e.commands import rows, server

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
CONFIGS = sorted((ROOT / "examples/configs").glob("*.yaml"))
PAGES = [ROOT / "README.md", *sorted(ROOT.glob("docs/*.md")), *sorted(ROOT.glob("examples/*/*.md"))]
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
    judged, review = re.findall(r"```json\n(.*?)```", files, re.DOTALL)
    JudgedExample.model_validate_json(judged)
    written = Review.model_validate_json(review).model_dump_json(exclude_defaults=True)
    assert list(json.loads(review).items()) == list(json.loads(written).items())


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


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with what pages take for granted: the commands, and a model that `my.yaml` names."""
    folder = tmp_path_factory.mktemp("docs")
    seen = {
        hashlib.sha256((ROOT / "examples/finer-mini" / row["image"]).read_bytes()).hexdigest():
        row["caption"] for row in rows(ROOT / "examples/finer-mini/captions.jsonl")
    }  # fmt: skip
    (folder / "captions.json").write_text(json.dumps(seen))
    (folder / "bin").mkdir()
    for name, module in {"python": "", "grainwise": "-m runtime.index"}.items():
        (folder / "bin" / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {module} "$@"\n')
        (folder / "bin" / name).chmod(0o755)
    with server(folder, "--answers", "rules", "--captions", folder / "captions.json") as address:
        model = {"driver": "litellm", "model": "hosted_vllm/test", "api_base": f"{address}/v1"}
        agents = {"default": "rules"} | dict.fromkeys(ON_THE_MODEL, "mine")
        config = {"backends": {"mine": model | {"vision": True}}, "agents": agents}
        (folder / "my.yaml").write_text(json.dumps(config))
        yield folder


ON_THE_MODEL = ("discriminator", "finer_answer", "model", "critic", "rater")
"""Agents that the rules cannot stand in for."""


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_a_page_shows_is_so(
    page: Path, prepared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("my.yaml", "captions.json"):
        (tmp_path / name).write_bytes((prepared / name).read_bytes())
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (prepared / "cache").mkdir(exist_ok=True)
    (tmp_path / ".cache").symlink_to(prepared / "cache")  # the same questions on every page
    monkeypatch.chdir(tmp_path)
    path = f"{prepared / 'bin'}:{os.environ['PATH']}"
    done = docs_pages.run(page, tmp_path, {"PATH": path, "PYTHONPATH": str(ROOT)})
    assert len(done) == page.read_text(encoding="utf-8").count("\n```") // 2, "every block was seen"


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for target in re.findall(r"\]\((?!https?://)([^)#]*)(?:#[^)]*)?\)", text):
            assert not target or (page.parent / target).exists(), f"{page.name}: {target}"


def test_every_page_is_in_the_index() -> None:
    index = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    for page in ROOT.glob("docs/*.md"):
        assert page.name == "README.md" or f"({page.name})" in index
