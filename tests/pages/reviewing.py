"""Real runs to review, made by the real commands, and the real server as a process."""

from __future__ import annotations

import itertools
import json
import re
import shutil
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from subprocess import Popen
from typing import Any
from urllib.parse import urlencode

from tests.e2e.commands import ROOT, run, start

_FOLDERS: list[tempfile.TemporaryDirectory[str]] = []
_NUMBERS = itertools.count()
CAPTIONS = ROOT / "examples/finer-mini/captions.jsonl"
IMAGES = ROOT / "examples/granfact-mini/images.jsonl"


def command(*words: object) -> None:
    done = run(*words)
    assert done.returncode == 0, done.stderr


@lru_cache(maxsize=1)
def _folder() -> Path:
    _FOLDERS.append(tempfile.TemporaryDirectory())
    return Path(_FOLDERS[0].name)


@lru_cache(maxsize=8)
def made(name: str) -> Path:
    """A run: graphs, negatives, tested, questions, rsr or tuning."""
    folder = _folder() / name
    if name == "graphs":
        command("agents.caption_parser", CAPTIONS, "--output", folder)
    elif name == "rsr":
        command("agents.rsr", IMAGES, "--output", folder)
    elif name == "negatives":
        graphs = made("graphs") / "scene_graphs.jsonl"
        command("agents.negative_generator", graphs, "--output", folder)
    elif name == "tuning":
        graphs = made("graphs") / "scene_graphs.jsonl"
        command("agents.finer_tuning", graphs, "--output", folder)
    elif name == "tested":
        source = made("negatives") / "negatives.jsonl"
        command("agents.discriminator", source, "--text-only", "--output", folder)
    else:
        assert name == "questions"
        source = made("tested") / "negatives.jsonl"
        command("benchmarks.finer", "build", source, "--output", folder)
    return folder


def fresh(name: str) -> Path:
    """A copy of a run beside it, so that the relative paths of its images still hold."""
    target = _folder() / f"{name}-{next(_NUMBERS)}"
    shutil.copytree(made(name), target)
    return target


@contextmanager
def serving(folder: Path, *words: object) -> Iterator[tuple[str, Popen[str]]]:
    """The page of a run: its address, and the process behind it."""
    process = start("pages.review", folder, "--no-browser", "--reviewer", "ann", *words)
    assert process.stdout is not None
    try:
        printed = ""
        while not (found := re.search(r"http://\S+", printed)):
            line = process.stdout.readline()
            assert line, process.communicate()[1]
            printed += line
        yield found[0], process
    finally:
        process.terminate()
        process.communicate()


def ask(
    url: str,
    name: str = "",
    body: object = None,
    headers: dict[str, str] | None = None,
    **query: Any,
) -> tuple[int, bytes]:
    """Status and body of a request, as the page makes it; `headers` win over the page's."""
    origin = "/".join(url.split("/")[:3])
    given = {} if body is None else {"Origin": origin, "Content-Type": "application/json"}
    data = body if isinstance(body, bytes | None) else json.dumps(body).encode()
    address = f"{url}{name}{'?' + urlencode(query) if query else ''}"
    request = urllib.request.Request(address, data, given | (headers or {}))
    try:
        with urllib.request.urlopen(request) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


def item(url: str, file: str, number: int | None = None, reviewer: str = "ann") -> dict[str, Any]:
    more = {} if number is None else {"n": number}
    status, body = ask(url, "item", file=file, reviewer=reviewer, **more)
    assert status == 200, body
    return dict(json.loads(body))


def decide(url: str, shown: dict[str, Any], decision: str, **more: Any) -> dict[str, Any]:
    body = {
        "reviewer": "ann",
        "decision": decision,
        **{k: shown[k] for k in ("file", "n", "sha256")},
    }
    status, answer = ask(url, "decide", body | more)
    assert status == 200, answer
    return dict(json.loads(answer))
