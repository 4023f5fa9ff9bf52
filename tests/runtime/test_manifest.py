from __future__ import annotations

import json
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from runtime import manifest as module
from runtime.manifest import Execution, build_manifest, write_manifest
from runtime.store import Tally
from schemas.config import Config


def build(**execution: Any) -> dict[str, Any]:
    numbers = {
        "resumed_records": 0, "live_calls": 12, "cached_calls": 3, "retries": 1,
        "prompt_tokens": 100, "completion_tokens": 20, "cost_usd": 0.1 + 0.2,
            "latency_s": {"rsr": 0.25}, "spend": {"gemini": {"answers": 12}},
    }  # fmt: skip
    command = ["agents.rsr", "in.jsonl", "--output", "/home/ada/out", "http://ada:pw@host/"]
    started = datetime(2020, 1, 2, 3, 4, 5, tzinfo=UTC)
    note = Execution(started=started, command=command, **(numbers | execution))
    return build_manifest(
        agent="rsr",
        config=Config(),
        settings={},
        seed=17,
        inputs={"in.jsonl": "aa"},
        prompts={"rsr": {"version": "1", "sha256": "bb"}},
        schemas={"ImageRecord": "cc"},
        models={"gemini": ["m-2", "m-1", "m-2"]},
        tally=Tally(7, {"malformed": 2, "refused": 1}),
        usage={"requests": 15},
        execution=note,
    )


def test_counts_add_up() -> None:
    assert build()["counts"] == {
        "in": 10, "out": 7, "rejected": {"total": 3, "by_kind": {"malformed": 2, "refused": 1}}
    }  # fmt: skip


def test_only_the_execution_differs_when_a_run_was_continued() -> None:
    whole, continued = build(), build(resumed_records=4, live_calls=15, retries=0)
    assert whole.pop("execution") != continued.pop("execution")
    assert json.dumps(whole) == json.dumps(continued)
    assert "/home/ada" not in json.dumps(whole)
    assert whole["models"] == {"gemini": ["m-1", "m-2"]}
    assert whole["versions"]["python"] == platform.python_version()
    assert "pydantic" in whole["versions"]


def test_the_execution_tells_times_and_cost_but_no_password() -> None:
    execution = build()["execution"]
    assert execution["command"][-1] == "http://host/"
    assert execution["started"] == "2020-01-02T03:04:05+00:00"
    assert execution["wall_seconds"] > 0
    assert (execution["cost_usd"], execution["retries"]) == (0.3, 1)


def test_the_file_is_sorted_json(tmp_path: Path) -> None:
    built = build()
    write_manifest(tmp_path, built)
    text = (tmp_path / "manifest.json").read_text()
    assert json.loads(text) == built
    assert text == json.dumps(built, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def test_the_git_commit_is_recorded_and_whether_files_differ(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "__file__", str(tmp_path / "runtime" / "manifest.py"))
    assert build()["versions"]["git"] is None

    def git(*words: str) -> str:
        identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
        command = ["git", "-C", str(tmp_path), *identity, *words]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    git("init", "-q")
    (tmp_path / "file").write_text("1")
    git("add", "file")
    git("commit", "-q", "-m", "first")
    (tmp_path / "untracked").touch()
    commit = git("rev-parse", "HEAD")
    assert build()["versions"]["git"] == {"commit": commit, "dirty": False}
    (tmp_path / "file").write_text("2")
    assert build()["versions"]["git"] == {"commit": commit, "dirty": True}
