"""`--engine ray` on two real nodes: the files of the local engine, whatever is lost on the way."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.commands import contents, rows, run, server, start, stats, write_config
from tests.servers.redis_server import forget_all, redis_server

pytest.importorskip("ray")
pytestmark = pytest.mark.slow

RECORDS, IN_FLIGHT = 300, 32


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    from tests.servers.ray_cluster import two_nodes

    with two_nodes() as nodes:
        yield nodes


def images(path: Path, count: int) -> Path:
    """`count` images with one response each, no two of them alike."""
    text = "A red cat sits on a wooden chair. The sign beside it says {}."
    truth = [{"path": ["animal", "cat"], "quantity": 1, "attributes": ["red"]}]
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            row: dict[str, Any] = {
                "id": str(number),
                "image": "cat.jpg",
                "prompt": "Describe the image.",
            }
            row |= {"responses": [text.format(number)], "entities": truth}
            file.write(json.dumps(row) + "\n")
    return path


def configured(folder: Path, address: str, cache: str, **more: Any) -> Path:
    folder.mkdir()
    path = write_config(folder, address, **more)
    config = json.loads(path.read_text())
    config["run"]["cache"] = cache
    path.write_text(json.dumps(config))
    return path


def words(source: Path, config: Path) -> tuple[object, ...]:
    """One call a record, each record another question."""
    command = ("agents.response_parser", source, "--config", config, "--concurrency", IN_FLIGHT)
    return (*command, "--output", config.parent / "run")


def wait_for_requests(address: str, count: int, process: Any) -> None:
    while stats(address).get("requests", 0) < count:
        assert process.poll() is None, process.communicate()[1]
        time.sleep(0.02)


def test_a_lost_node_and_a_killed_driver_lose_nothing_and_ask_nothing_twice(
    tmp_path: Path, cluster: Any
) -> None:
    source = images(tmp_path / "images.jsonl", RECORDS)
    with redis_server(tmp_path) as redis, server(tmp_path, "--latency-ms", 300) as address:
        config = configured(tmp_path / "local", address, redis)
        done = run(*words(source, config))
        assert done.returncode == 0, done.stderr
        needed = stats(address)["requests"]
        assert needed == RECORDS
        forget_all(redis)

        config = configured(tmp_path / "ray", address, redis)
        ray = (*words(source, config), "--engine", "ray")
        process = start(*ray, RAY_ADDRESS=cluster.address)
        wait_for_requests(address, needed + RECORDS // 4, process)
        process.kill()
        process.communicate()
        process = start(*ray, RAY_ADDRESS=cluster.address)
        wait_for_requests(address, needed + RECORDS // 2, process)
        assert cluster.workers() > 0, "the node that is lost must have had work"
        cluster.kill_second()
        out, err = process.communicate(timeout=240)
        assert process.returncode == 0, err
        assert "Traceback" not in err
        asked = stats(address)["requests"] - needed
        cluster.add_second()
    assert contents(tmp_path / "ray/run") == contents(tmp_path / "local/run")
    journal = rows(tmp_path / "ray/run/.outcomes.jsonl")
    assert len({row["id"] for row in journal}) == len(journal) == RECORDS
    assert RECORDS <= asked <= RECORDS + 2 * IN_FLIGHT
    execution = json.loads((tmp_path / "ray/run/manifest.json").read_text())["execution"]
    assert f"{RECORDS} records in parsed.jsonl" in out
    assert execution["live_calls"] <= RECORDS


def test_budget_and_missing_keys_end_a_run_on_ray_as_here(tmp_path: Path, cluster: Any) -> None:
    source = images(tmp_path / "images.jsonl", 100)
    with server(tmp_path, "--latency-ms", 5) as address:
        price = {"input": 10.0, "output": 10.0}
        config = configured(tmp_path / "ray", address, str(tmp_path / "cache"), price=price)
        ray = (*words(source, config), "--engine", "ray")
        done = run(*ray, "--max-cost", "0.05", RAY_ADDRESS=cluster.address)
        assert done.returncode == 4, done.stderr
        assert "the budget of $0.05 is spent" in done.stderr
        assert "Traceback" not in done.stderr
        done = run(*ray, "--max-cost", "100", RAY_ADDRESS=cluster.address)
        assert done.returncode == 0, done.stderr
        assert len(rows(config.parent / "run/parsed.jsonl")) == 100

        more = {"price": price, "api_key_env": "ONLY_THE_DRIVER_HAS_IT"}
        config = configured(tmp_path / "key", address, str(tmp_path / "other"), **more)
        ray = (*words(source, config), "--engine", "ray")
        done = run(*ray, RAY_ADDRESS=cluster.address, ONLY_THE_DRIVER_HAS_IT="x")
        assert done.returncode == 3, done.stderr
        assert "environment variable ONLY_THE_DRIVER_HAS_IT is not set" in done.stderr
        assert done.stderr.count("error: on ") == 1, "which machine is said"


def test_a_cluster_that_is_not_there_is_a_missing_prerequisite(tmp_path: Path) -> None:
    source = images(tmp_path / "images.jsonl", 2)
    command = ("agents.response_parser", source, "--output", tmp_path / "run", "--engine", "ray")
    done = run(*command, RAY_ADDRESS="127.0.0.1:9")
    assert done.returncode == 3, done.stderr
    assert "cannot reach the Ray cluster" in done.stderr
    assert "Traceback" not in done.stderr
