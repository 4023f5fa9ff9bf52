"""`make bench`: speeds and sizes, each against a named peer in the same run where there is one."""

from __future__ import annotations

import asyncio
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from typing import Any

from agents.base import build_request
from backends.base import ModelRequest
from backends.cache import ResponseCache
from backends.client import ModelClient
from backends.fake import FakeBackend
from backends.registry import open_backend
from backends.usage import UsageMeter
from prompts import load_prompt
from schemas.config import FakeConfig, LiteLLMConfig
from schemas.judged import JudgedExample
from schemas.judgement import CategoryAnswer, CategoryQuestion
from tests.e2e.commands import EXAMPLE, ROOT, rows, server, start

IN_FLIGHT = 64
LITELLM_WAYS = (("custom_openai/test", "/v1"), ("gemini/gemini-2.5-flash", "/v1beta"))
CACHED, LIVE, CASES, ROWS, GRAPHS = 20_000, 1_500, 400, 100_000, 1_000
ROUNDS, FEW = 7, 464


def questions(count: int) -> list[ModelRequest]:
    profile, prompt = FakeConfig(driver="fake"), load_prompt("category_judge")
    return [
        build_request(prompt, CategoryQuestion(prediction=f"cat {i}", target="dog"), profile, 17)
        for i in range(count)
    ]


async def in_flight(work: Callable[[Any], Awaitable[Any]], items: list[Any]) -> float:
    """Seconds for all items with 64 workers."""
    queue = iter(items)

    async def worker() -> None:
        for item in queue:
            await work(item)

    started = time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(IN_FLIGHT)))
    return time.perf_counter() - started


async def cached_calls(folder: Path) -> str:
    backend = FakeBackend({"category_judge": [{"decision": "is_a"}]})
    cache = ResponseCache(folder / "cache")
    client = ModelClient(backend, FakeConfig(driver="fake", max_parallel=64), cache, UsageMeter())
    requests = questions(CACHED)

    async def ask(request: ModelRequest) -> None:
        await client.structured(request, CategoryAnswer)

    await in_flight(ask, requests)
    seconds = await in_flight(ask, requests)
    assert len(backend.requests) == CACHED, "the second pass must come from the cache"
    assert "litellm" not in sys.modules, "a cached run must not import litellm"
    return f"{CACHED / seconds:,.0f} cached calls/s with validation (aim ≥ 15,000); no litellm"


async def live_calls(folder: Path) -> list[str]:
    with server(folder, "--latency-ms", 50, "--answers", "fixed") as address:
        ours = await _ours(folder, f"{address}/v1")
        plain = await _plain_litellm(f"{address}/v1")
        again = await _ours(folder / "again", f"{address}/v1")
        through = [await _through_litellm(folder, address, *way) for way in LITELLM_WAYS]
    best = max(ours, again)
    ratio = best[0] / plain[0]
    return [
        f"{best[0]:,.0f} live calls/s, {best[1]:.2f} CPU ms a call ({IN_FLIGHT} in flight, 50 ms)",
        f"{plain[0]:,.0f} live calls/s, {plain[1]:.2f} CPU ms a call: plain litellm.acompletion",
        f"{ratio:.2f} x plain LiteLLM (aim ≥ 4)",
        *through,
    ]


async def _through_litellm(folder: Path, address: str, model: str, path: str) -> str:
    """A line on a model that both ask through LiteLLM."""
    ours, plain = [], []
    for turn in range(ROUNDS):  # by turns: the machine's speed changes within a minute
        ours.append(await _ours(folder / f"{turn}" / model, address + path, model, FEW))
        plain.append(await _plain_litellm(address + path, model, FEW))
    (fast, fast_ms), (slow, slow_ms) = (
        map(median, zip(*one, strict=True)) for one in (ours, plain)
    )
    return (
        f"{fast:,.0f} live calls/s, {fast_ms:.2f} CPU ms a call through LiteLLM ({model}), "
        f"plain {slow:,.0f} and {slow_ms:.2f}: {fast / slow:.2f} x (aim ≥ 1.4)"
    )


async def _ours(
    folder: Path, api_base: str, model: str = "hosted_vllm/test", calls: int = LIVE
) -> tuple[float, float]:
    profile = LiteLLMConfig(
        driver="litellm", model=model, api_base=api_base, max_parallel=IN_FLIGHT
    )
    backend = open_backend(profile)
    client = ModelClient(backend, profile, ResponseCache(folder / "live"), UsageMeter())

    async def ask(request: ModelRequest) -> None:
        await client.structured(request, CategoryAnswer)

    result = await _timed(ask, questions(calls))
    await backend.close()
    return result


async def _plain_litellm(
    api_base: str, model: str = "hosted_vllm/test", calls: int = LIVE
) -> tuple[float, float]:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    import litellm

    litellm.suppress_debug_info = True

    async def ask(request: ModelRequest) -> None:
        answer = await litellm.acompletion(
            model=model,
            api_base=api_base,
            api_key="none",
            messages=[message.model_dump() for message in request.messages],
            response_format=CategoryAnswer,
            temperature=request.sampling.temperature,
            max_tokens=request.sampling.max_tokens,
            seed=request.sampling.seed,
            drop_params=True,
        )
        CategoryAnswer.model_validate_json(answer.choices[0].message.content)

    return await _timed(ask, questions(calls))


async def _timed(
    ask: Callable[[ModelRequest], Awaitable[None]], requests: list[ModelRequest]
) -> tuple[float, float]:
    """(calls a second, CPU milliseconds a call), after a warm-up of one call a worker."""
    await in_flight(ask, requests[:IN_FLIGHT])
    rest = requests[IN_FLIGHT:]
    cpu = time.process_time()
    seconds = await in_flight(ask, rest)
    return len(rest) / seconds, (time.process_time() - cpu) * 1000 / len(rest)


def scorer() -> str:
    import random

    from scoring.assignment import assign, compatible_edges
    from tests.scoring import oracle

    draw = random.Random(7)
    plain = [_case(draw, number) for number in range(CASES)]
    judged = [JudgedExample.model_validate(row) for row in plain]

    def ours() -> None:
        for example in judged:
            supplies = [item.quantity for item in example.predictions]
            assign(compatible_edges(example), supplies, [g.quantity for g in example.entities])

    def theirs() -> None:
        for row in plain:
            oracle.assign(row)

    fast, slow = (_cases_a_second(solve) for solve in (ours, theirs))
    return (
        f"{fast:,.0f} assignments/s (8 x 8) against {slow:,.0f} with networkx: "
        f"{fast / slow:.1f} x (aim ≥ 10)"
    )


def _case(draw: Any, number: int) -> dict[str, Any]:
    side = range(8)
    return {
        "id": str(number),
        "predictions": [
            {"id": f"p{i}", "quantity": draw.randint(1, 5), "uncertain": False} for i in side
        ],
        "entities": [
            {"id": f"g{i}", "depth": 4, "quantity": draw.randint(1, 5), "uncertain": False}
            for i in side
        ],
        "judgements": [
            {
                "prediction": f"p{p}",
                "entity": f"g{g}",
                "level": draw.randint(1, 4),
                "attribute_score": draw.random(),
            }
            for p in side
            for g in side
            if draw.random() < 0.5
        ],
    }


def _cases_a_second(solve: Callable[[], None]) -> float:
    best = float("inf")
    for _ in range(3):
        started = time.perf_counter()
        solve()
        best = min(best, time.perf_counter() - started)
    return CASES / best


def help_time() -> str:
    def once() -> float:
        started = time.perf_counter()
        command = [sys.executable, "-m", "agents.rsr", "--help"]
        subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
        return time.perf_counter() - started

    return f"{min(once() for _ in range(5)):.2f} s for `python -m agents.rsr --help` (aim < 0.4)"


def dry_run_memory(folder: Path) -> str:
    example = rows(EXAMPLE)
    source = folder / "many.jsonl"
    with source.open("w", encoding="utf-8") as file:
        for number in range(ROWS):
            row = dict(example[number % len(example)]) | {"id": f"image-{number}"}
            file.write(json.dumps(row) + "\n")
    before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    command = [sys.executable, "-m", "agents.rsr", str(source), "--output", str(folder / "x")]
    started = time.perf_counter()
    subprocess.run([*command, "--dry-run"], cwd=ROOT, check=True, capture_output=True)
    seconds = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    note = "at most " if peak == before else ""
    return f"{note}{peak / 1024:,.0f} MB peak, {seconds:.0f} s: {ROWS:,}-row dry run (aim < 300)"


def questions_built() -> str:
    from benchmarks.finer_build import settings
    from benchmarks.questions_parts import usable_parts
    from benchmarks.questions_row import Source
    from schemas.scene_graph import NegatedGraph

    graphs = [NegatedGraph.model_validate(_graph(number, 8)) for number in range(GRAPHS)]
    makers = settings(5).values()

    def build() -> int:
        built = 0
        for graph in graphs:
            parts, source = usable_parts(graph), Source(graph.id, graph.image, 17)
            built += sum(len(list(make(source, parts))) for make in makers)
        return built

    build()  # reads the word tables
    started = time.perf_counter()
    built = build()
    return f"{built / (time.perf_counter() - started):,.0f} questions built/s (aim ≥ 20,000)"


def build_memory(folder: Path) -> str:
    source = folder / "negatives.jsonl"
    with source.open("w", encoding="utf-8") as file:
        for number in range(ROWS):
            file.write(json.dumps(_graph(number, 2)) + "\n")
    command = ["benchmarks.finer", "build", source, "--output", folder / "questions"]
    started = time.perf_counter()
    process = start(*command)
    out = process.stdout.read() if process.stdout else ""
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, out
    seconds = time.perf_counter() - started
    built = sum(int(line.split()[1].replace(",", "")) for line in out.splitlines()[:5])
    return (
        f"{usage.ru_maxrss / 1024:,.0f} MB peak, {seconds:.0f} s: {built:,} questions of "
        f"{ROWS:,} graphs (aim < 500)"
    )


def _graph(number: int, objects: int) -> dict[str, Any]:
    """Each object has two attributes and stands next to the one before it."""

    def negatives(text: str) -> list[str]:
        return [f"{text} {letter}" for letter in "abcd"]

    names = [f"thing {(number + place) % 997}" for place in range(objects)]
    looks = [f"a {word} {(number * objects) % 499} color" for word in ("light", "dark")]
    return {
        "id": f"graph-{number}",
        "image": f"images/{number % 500}.jpg",
        "objects": [
            {
                "name": name,
                "attributes": looks,
                "negatives": negatives(name),
                "attribute_negatives": [negatives(look) for look in looks],
            }
            for name in names
        ],
        "relations": [
            {
                "subject": place,
                "relation": "is next to",
                "object": place - 1,
                "negatives": ["is under", "is inside", "is behind", "is on"],
            }
            for place in range(1, objects)
        ],
    }


def training_steps() -> str:
    """RP-DPO against TRL's DPOTrainer, in a process of its own; on a GPU where there is one."""
    command = [sys.executable, "-m", "scripts.bench_training"]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True)
    return done.stdout.rstrip()


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(help_time(), flush=True)
        print(dry_run_memory(folder), flush=True)
        print(scorer(), flush=True)
        print(questions_built(), flush=True)
        print(build_memory(folder), flush=True)
        print(asyncio.run(cached_calls(folder)), flush=True)
        for line in asyncio.run(live_calls(folder)):
            print(line, flush=True)
        print(training_steps(), flush=True)


if __name__ == "__main__":
    main()
