"""What was run, what it cost, and what was left out: the parts that every report has."""

from __future__ import annotations

import json
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from pages.plots import bars, label
from pages.report_parts import Figure, Note, Section, Table
from pages.report_runs import REJECTED, Execution, Manifest, Rejection, Run

_LONGEST_REASON = 300


def about(runs: Sequence[Run]) -> Section:
    """What was run and what it took, a column for each run."""
    facts = [_facts(run) for run in runs]
    names = dict.fromkeys(name for found in facts for name in found)
    rows = [
        [name, *(found.get(name, "–") for found in facts)]
        for name in names
        if any(found.get(name) for found in facts)
    ]
    columns = ["", *(run.name for run in runs)]
    table = Table(columns, rows, words=range(len(columns)))
    return Section("about", "What was run", [table])


def _facts(run: Run) -> dict[str, str]:
    manifest, execution = run.manifest, run.manifest.execution or Execution()
    models = (f"{', '.join(names)} ({backend})" for backend, names in manifest.models.items())
    return {
        "agent": manifest.agent.replace("_", " "),
        "folder": str(run.folder),
        "command": f"python -m {execution.command[0]} {shlex.join(execution.command[1:])}"
        if execution.command
        else "",
        "models, as they named themselves": "; ".join(models),
        "records": _records(manifest),
        "settings": ", ".join(_setting(*item) for item in manifest.settings.items()),
        "seed": "" if manifest.seed is None else str(manifest.seed),
        "inputs (sha256)": ", ".join(f"{n} {d[:12]}…" for n, d in manifest.inputs.items()),
        "prompts": ", ".join(f"{n} v{p.get('version')}" for n, p in manifest.prompts.items()),
        **_effort(run.manifest.execution),
        "versions": _versions(manifest),
    }


def summary(run: Run) -> str:
    """A run in one line: what was run on how many records, what it cost, how long it took."""
    execution = run.manifest.execution
    parts = [run.manifest.agent.replace("_", " "), _records(run.manifest)]
    if execution:
        tokens = execution.prompt_tokens + execution.completion_tokens
        found = _effort(execution)
        parts += [f"{tokens:,} tokens", found["cost"], found["wall time"]]
    return " · ".join(part for part in parts if part)


def _records(manifest: Manifest) -> str:
    counts = {name: n for name, n in manifest.counts.items() if isinstance(n, int)}
    rejected = manifest.counts.get("rejected")
    if isinstance(rejected, dict) and isinstance(total := rejected.get("total"), int):
        counts["rejected"] = total
    return ", ".join(f"{number:,} {name}" for name, number in counts.items())


def _setting(name: str, value: object) -> str:
    return f"{name} {json.dumps(value, ensure_ascii=False)}"


def _effort(execution: Execution | None) -> dict[str, str]:
    if execution is None:
        return {}
    asked = execution.live_calls + execution.cached_calls
    share = f" ({execution.cached_calls / asked:.0%})" if asked else ""
    latency = (f"{step} {1000 * mean:,.0f} ms" for step, mean in execution.latency_s.items())
    return {
        "started": _moment(execution.started),
        "wall time": _duration(execution.wall_seconds),
        "model calls": f"{execution.live_calls:,}, {execution.retries:,} retries",
        "answered from the cache": f"{execution.cached_calls:,}{share}",
        "tokens (in + out)": f"{execution.prompt_tokens:,} + {execution.completion_tokens:,}",
        "cost": f"${execution.cost_usd:,.4f}",
        "latency of live calls": ", ".join(latency),
    }


def _duration(seconds: float) -> str:
    return f"{seconds:.1f} s" if seconds < 60 else str(timedelta(seconds=round(seconds)))


def _moment(text: str) -> str:
    try:
        return f"{datetime.fromisoformat(text):%Y-%m-%d %H:%M:%S %Z}"
    except ValueError:
        return text


def _versions(manifest: Manifest) -> str:
    found = {name: text for name, text in manifest.versions.items() if isinstance(text, str)}
    git = manifest.versions.get("git")
    if isinstance(git, dict) and git.get("commit"):
        found["commit"] = str(git["commit"])[:12] + (", changed" if git.get("dirty") else "")
    return ", ".join(f"{name} {text}" for name, text in found.items())


def text_only(runs: Sequence[Run]) -> Iterator[Note]:
    """A warning where a model saw captions in place of images."""
    if blind := [run.name for run in runs if run.manifest.settings.get("text_only")]:
        where = f"in {', '.join(blind)} " if len(runs) > 1 else ""
        yield Note(f"Text only: {where}captions stood for the images, which no model saw.", "warn")


def left_out(runs: Sequence[Run]) -> Iterator[Section]:
    """Why records were rejected; nothing where no run could have rejected any."""
    known = [run for run in runs if run.has(REJECTED)]
    if not known:
        return
    counts = {run.name: Counter[str]() for run in known}
    examples: dict[str, str] = {}
    for run in known:
        for row in run.rows(REJECTED, Rejection):
            counts[run.name][row.kind] += 1
            examples.setdefault(row.kind, row.reason)
    section = Section("rejected", "What was left out")
    kinds = sum(counts.values(), Counter[str]())
    if not kinds:
        section.blocks.append(Note("No record was rejected."))
        yield section
        return
    rows = [
        {"name": label(kind), "series": label(run.name), "count": counts[run.name][kind]}
        for kind, _ in kinds.most_common()
        for run in known
    ]
    table = Table(
        ["reason", *(run.name for run in known), "for example"],
        [
            [kind, *(f"{counts[run.name][kind]:,}" for run in known), _shortened(examples[kind])]
            for kind, _ in kinds.most_common()
        ],
        note="Every one stands in rejected.jsonl with its cure.",
        words=(0, len(known) + 1),
    )
    text = "Bars: how many records were rejected for which reason."
    section.blocks.append(
        Figure("rejected", "Rejection reasons", bars(rows, "rejected"), text, table)
    )
    yield section


def _shortened(text: str) -> str:
    return text if len(text) <= _LONGEST_REASON else text[: _LONGEST_REASON - 1] + "…"
