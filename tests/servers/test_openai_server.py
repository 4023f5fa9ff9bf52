"""The test server itself: faults come again, and its own process serves and counts."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.servers.openai_server import Settings, running


def post(api_base: str, content: str, timeout: float = 5) -> tuple[int, Any]:
    body = json.dumps({"model": "m", "messages": [{"role": "user", "content": content}]})
    asked = urllib.request.Request(f"{api_base}/chat/completions", body.encode())
    try:
        with urllib.request.urlopen(asked, timeout=timeout) as answer:
            return answer.status, json.load(answer)
    except urllib.error.HTTPError as error:
        return error.code, dict(error.headers)


def test_faults_depend_on_request_attempt_and_seed_only() -> None:
    def statuses(seed: int) -> list[int]:
        settings = Settings(faults={"error_500": 0.3, "rate_429": 0.3}, seed=seed)
        with running(settings) as (server, api_base):
            found = [post(api_base, f"{n % 10}")[0] for n in range(30)]
            assert server.stats["requests"] == 30 and len(server.attempts) == 10
        return found

    first = statuses(1)
    assert first == statuses(1) != statuses(2)
    assert {200, 429, 500} == set(first)
    assert 5 <= first.count(500) <= 14


def test_rate_limit_says_when_to_come_back() -> None:
    with running(Settings(faults={"rate_429": 1.0}, retry_after_s=0.5)) as (_, api_base):
        status, headers = post(api_base, "x")
    assert (status, headers["Retry-After"]) == (429, "0.5")


def test_hang_outlasts_the_client() -> None:
    with running(Settings(faults={"hang": 1.0})) as (server, api_base):
        with pytest.raises(TimeoutError):
            post(api_base, "x", timeout=0.1)
        deadline = time.monotonic() + 5
        while server.in_flight and time.monotonic() < deadline:
            time.sleep(0.01)
        assert (server.in_flight, server.max_in_flight) == (0, 1)


@pytest.fixture
def process(tmp_path: Path) -> Iterator[str]:
    port_file = tmp_path / "port"
    command = [sys.executable, "-m", "tests.servers.openai_server", "--answers", "fixed"]
    command += ["--port-file", str(port_file), "--log", str(tmp_path / "log.jsonl")]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL) as server:
        try:
            while not port_file.exists() and server.poll() is None:
                time.sleep(0.02)
            yield f"http://127.0.0.1:{port_file.read_text()}"
        finally:
            server.terminate()


def test_own_process_answers_counts_and_logs(process: str, tmp_path: Path) -> None:
    for content in ("a", "b", "a"):
        status, answer = post(f"{process}/v1", content)
        assert status == 200
        assert json.loads(answer["choices"][0]["message"]["content"]) == {"decision": "is_a"}
    with urllib.request.urlopen(f"{process}/stats") as stats:
        counted = json.load(stats)
    assert (counted["requests"], counted["distinct"], counted["max_attempts_per_body"]) == (3, 2, 2)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["attempt"] for line in lines] == [1, 1, 2]
