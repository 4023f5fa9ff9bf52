"""kill -9 at random moments: the same files as an undisturbed run, and next to nothing twice."""

from __future__ import annotations

import random
import time
from pathlib import Path

import pytest

from tests.e2e.commands import contents, many_images, run, server, start, stats, write_config

IMAGES, KILLS, IN_FLIGHT = 300, 20, 64


@pytest.mark.slow
def test_sigkill_at_random_moments(tmp_path: Path) -> None:
    source = many_images(tmp_path / "images.jsonl", IMAGES)
    moments = random.Random(11)
    for name in ("calm", "killed"):
        (tmp_path / name).mkdir()
    with server(tmp_path, "--latency-ms", 20) as address:
        config = write_config(tmp_path / "calm", address)
        arguments = ("agents.rsr", source, "--config", config, "--output")
        calm = run(*arguments, tmp_path / "calm/run")
        assert calm.returncode == 0, calm.stderr
        needed = stats(address)["requests"]

        config = write_config(tmp_path / "killed", address)
        arguments = ("agents.rsr", source, "--config", config, "--output", tmp_path / "killed/run")
        for _ in range(KILLS):
            # After some more of the calls have been made, so that kills spread over the run.
            target = stats(address)["requests"] + moments.randint(1, needed // KILLS)
            process = start(*arguments)
            while stats(address)["requests"] < target and process.poll() is None:
                time.sleep(0.005)
            process.kill()
            process.communicate()
        done = run(*arguments)
        assert done.returncode == 0, done.stderr
        asked = stats(address)["requests"] - needed
    assert contents(tmp_path / "killed/run") == contents(tmp_path / "calm/run")
    assert needed <= asked <= needed + KILLS * IN_FLIGHT
