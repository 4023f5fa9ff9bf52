"""The fenced blocks of a Markdown page, and what each of them promises.

| fence    | what is done with it                                                            |
|----------|---------------------------------------------------------------------------------|
| `sh`     | run, in the page's order, in a folder that has `examples/` and `my.yaml`        |
| `python` | run likewise, as a notebook's cells: inside a running event loop                |
| `text`   | after one of these two: its lines must be among what was printed, bar the times |
| `bash`   | not run: its commands, flags, make targets and extras must exist                |
| `py`     | not run: compiled, and what it imports from here must be there                  |
| `json`   | parsed; `yaml` too, and validated where it configures backends                  |
| `math`   | nothing but that its braces close                                               |
"""

from __future__ import annotations

import ast
import asyncio
import contextlib
import importlib
import inspect
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from runtime.index import COMMANDS
from schemas.config import Config

ROOT = Path(__file__).parents[1]
WITH_SUBCOMMANDS = {"benchmarks.finer", "benchmarks.granfact", "benchmarks.sources"}
_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_COMMAND = re.compile(r"(?:(-m [a-z_.]+)|\b(grainwise [a-z-]+))((?: [^;&|\n]*)?)")
_VARYING = (
    (re.compile(r"\d+(\.\d+)? (ms|s)\b"), r"N \2"),
    (re.compile(r"[\d,]+ model calls, [\d,]+ more"), "N model calls, N more"),
)


class Block(NamedTuple):
    """One fenced block of a page and the line it starts at."""

    language: str
    text: str
    line: int


def blocks(page: Path) -> Iterator[Block]:
    content = page.read_text(encoding="utf-8")
    for found in _FENCE.finditer(content):
        yield Block(found[1], found[2], content.count("\n", 0, found.start()) + 1)


async def run_page(page: Path, folder: Path, environment: Mapping[str, str]) -> list[str]:
    """Do what each block promises, in `folder`; returns the languages of the blocks done.

    Raises AssertionError that names the line.
    """
    printed, names, done = None, {"__name__": "__main__"}, []
    for block in blocks(page):
        try:
            printed = await _do(block, printed, folder, environment, names)
        except Exception as error:
            raise AssertionError(f"{page.name}:{block.line}: {error}") from error
        done.append(block.language)
    return done


async def _do(
    block: Block,
    printed: str | None,
    folder: Path,
    environment: Mapping[str, str],
    names: dict[str, Any],
) -> str | None:
    """What the block printed, where the next one may show it."""
    match block.language:
        case "sh":
            return _run(block.text, folder, environment)
        case "python":
            return await _cell(block.text, names)
        case "text":
            if printed is not None:
                _is_shown(block.text, printed)
        case "bash":
            _exists(block.text)
        case "py":
            _can_be_imported(block.text)
        case "json":
            _is_json(block.text)
        case "yaml":
            _is_config(block.text)
        case "math":
            _closes(block.text)
        case other:
            raise ValueError(f"a block of the language {other!r}: see {__name__}")
    return None


def _run(text: str, folder: Path, environment: Mapping[str, str]) -> str:
    done = subprocess.run(
        ["bash", "-euc", text],
        cwd=folder,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=120,
    )
    if done.returncode:
        raise ValueError(f"exit code {done.returncode}: {done.stderr[-2000:]}")
    return done.stdout + done.stderr


async def _cell(text: str, names: dict[str, Any]) -> str:
    tree = ast.parse(text)
    last = tree.body[-1]
    if isinstance(last, ast.Expr):  # a notebook shows it
        tree.body[-1] = ast.parse("_ = None").body[0]
        tree.body[-1].value = last.value  # type: ignore[attr-defined]
    code = compile(tree, "cell", "exec", flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    with contextlib.redirect_stdout(io.StringIO()) as printed:
        running = eval(code, names)
        if inspect.iscoroutine(running):
            await running
        if isinstance(last, ast.Expr) and names["_"] is not None:
            print(repr(names["_"]))
    return printed.getvalue()


def _is_shown(text: str, printed: str) -> None:
    known = {_plain(line) for line in printed.splitlines()}
    for line in text.splitlines():
        if line.strip() not in ("", "…") and _plain(line) not in known:
            raise ValueError(f"this line was not printed: {line}\n{printed[-3000:]}")


def _plain(line: str) -> str:
    for pattern, instead in _VARYING:
        line = pattern.sub(instead, line)
    return " ".join(line.split())


def _exists(text: str) -> None:
    for module, command, rest in _COMMAND.findall(text.replace("\\\n", " ")):
        rest = rest.partition(" #")[0]
        words = _help_words(module.removeprefix("-m ") or command, rest.split())
        shown = _help(*words)
        missing = [flag for flag in re.findall(r"(?<!\S)--[a-z-]+", rest) if flag not in shown]
        if missing:
            raise ValueError(f"{' '.join(words)} has no {', '.join(missing)}")
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for target in re.findall(r"^make (\S+)", text, re.MULTILINE):
        if not re.search(rf"^{target}:", makefile, re.MULTILINE):
            raise ValueError(f"no make target {target}")
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for extra in re.findall(r"(?:grainwise|'\.)\[(\w+)\]", text):
        if not re.search(rf"^{extra} = \[", project, re.MULTILINE):
            raise ValueError(f"no extra {extra}")


def _help_words(name: str, rest: list[str]) -> tuple[str, ...]:
    if not name.startswith("grainwise "):
        return (name, *(rest[:1] if name in WITH_SUBCOMMANDS else ()))
    command = name.split()[1]
    if command not in COMMANDS:
        raise ValueError(f"no command {name}")
    module = COMMANDS[command][0]
    return ("runtime.index", command, *(rest[:1] if module in WITH_SUBCOMMANDS else ()))


@cache
def _help(*words: str) -> str:
    """What `python -m WORDS --help` says."""
    command = [sys.executable, "-m", *words, "--help"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if done.returncode:
        raise ValueError(f"{' '.join(words)} --help: {done.stderr}")
    return done.stdout


def _can_be_imported(text: str) -> None:
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.ImportFrom) or not node.module:
            continue
        if (ROOT / node.module.split(".")[0]).is_dir():
            module = importlib.import_module(node.module)
            for alias in node.names:
                getattr(module, alias.name)


def _is_json(text: str) -> None:
    try:
        json.loads(text)
    except ValueError:
        for line in text.splitlines():
            json.loads(line)


def _is_config(text: str) -> None:
    found = yaml.safe_load(text)
    if not {"backends", "agents"}.isdisjoint(found):
        Config.model_validate(found)


def _closes(text: str) -> None:
    if text.count("{") != text.count("}"):
        raise ValueError("braces that do not close")


def run(page: Path, folder: Path, environment: Mapping[str, str]) -> list[str]:
    """`run_page` in an event loop, as a notebook has one."""
    return asyncio.run(run_page(page, folder, environment))
