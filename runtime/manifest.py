"""`manifest.json`: what a run was made of, so that it can be trusted and repeated."""

from __future__ import annotations

import platform
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

from runtime.config import dump_config, without_userinfo
from runtime.files import write_json
from runtime.store import Tally
from schemas.config import Config

_LIBRARIES = (
    "grainwise", "instructor", "litellm", "numpy", "ortools", "pydantic", "spacy", "xllamacpp",
)  # fmt: skip


@dataclass(frozen=True)
class Execution:
    """What may differ between a run and the same run killed and continued."""

    started: datetime
    command: Sequence[str]
    resumed_records: int
    live_calls: int
    cached_calls: int
    retries: int
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float
    latency_s: Mapping[str, float]
    """Mean seconds of a live call of each step."""
    spend: Mapping[str, Mapping[str, Any]]
    """What each backend was paid, by its name: model, the variable of its key, answers, tokens,
    US dollars."""


def build_manifest(
    *,
    agent: str,
    config: Config,
    seed: int,
    settings: Mapping[str, Any],
    inputs: Mapping[str, str],
    prompts: Mapping[str, Mapping[str, str]],
    schemas: Mapping[str, str],
    models: Mapping[str, Iterable[str]],
    tally: Tally,
    usage: Mapping[str, int],
    execution: Execution,
) -> dict[str, Any]:
    """The manifest as plain JSON values.

    `settings` are the agent's own flags, `usage` the totals stored with the outcomes. `inputs` and
    `schemas` map names to hex sha256, `prompts` ids to `version` and `sha256`, `models` backend
    names to the model ids their providers returned. Everything outside the key `execution` is the
    same for a run that was killed and continued as for an undisturbed one.
    """
    failed = sum(tally.rejected.values())
    rejected = {"total": failed, "by_kind": tally.rejected}
    return {
        "agent": agent,
        "versions": versions(),
        "config": dump_config(config),
        "seed": seed,
        "settings": dict(settings),
        "inputs": dict(inputs),
        "prompts": {name: dict(prompt) for name, prompt in prompts.items()},
        "schemas": dict(schemas),
        "models": {name: sorted(set(ids)) for name, ids in models.items()},
        "counts": {"in": tally.done + failed, "out": tally.done, "rejected": rejected},
        "usage": dict(usage),
        "execution": _execution(execution),
    }


def write_manifest(directory: Path, manifest: Mapping[str, Any]) -> None:
    """Write `manifest.json`, atomically and with sorted keys."""
    write_json(directory / "manifest.json", manifest)


def _execution(execution: Execution) -> dict[str, Any]:
    finished = datetime.now(UTC)
    return {
        "command": [without_userinfo(part) for part in execution.command],
        "platform": platform.platform(),
        "started": execution.started.isoformat(timespec="seconds"),
        "finished": finished.isoformat(timespec="seconds"),
        "wall_seconds": round((finished - execution.started).total_seconds(), 3),
        "resumed_records": execution.resumed_records,
        "live_calls": execution.live_calls,
        "cached_calls": execution.cached_calls,
        "retries": execution.retries,
        "prompt_tokens": execution.prompt_tokens,
        "completion_tokens": execution.completion_tokens,
        "cost_usd": round(execution.cost_usd, 6),
        "latency_s": {step: round(mean, 4) for step, mean in execution.latency_s.items()},
        "spend": {name: dict(spend) for name, spend in sorted(execution.spend.items())},
    }


def versions() -> dict[str, Any]:
    """Python, the libraries that can change a result, and the commit of the checkout."""
    found: dict[str, Any] = {"python": platform.python_version()}
    for name in _LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found | {"git": _git(Path(__file__).resolve().parents[1])}


def _git(checkout: Path) -> dict[str, Any] | None:
    """Commit of the checkout that this code runs from, and whether files differ from it."""
    if not (checkout / ".git").exists():
        return None
    try:
        commit = _ask_git(checkout, "rev-parse", "HEAD")
        changes = _ask_git(checkout, "status", "--porcelain", "--untracked-files=no")
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit, "dirty": bool(changes)}


def _ask_git(checkout: Path, *arguments: str) -> str:
    command = ["git", "-C", str(checkout), *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=10)
    return done.stdout.strip()
