"""Does a run survive anything? A provider that fails in 30 % of its answers, and kill -9.

    python -m scripts.soak --minutes 30

`agents.response_parser`, one call a record, runs on the local test server, is killed every one to
two minutes and started again until it is done; then on new images, until the time is up. After
each round every record must have exactly one outcome, all counts must add up, and no answer may
have been asked for again but those in flight at a kill. Exit code 1 at the first thing that is not
so.
"""

from __future__ import annotations

import argparse
import json
import random
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from tests.e2e.commands import many_images, rows, server, start, write_config

FAULTS = {
    "rate_429": 0.085, "error_500": 0.08, "hang": 0.005, "truncation": 0.02,
    "broken_json": 0.09, "refusal": 0.02,
}  # fmt: skip
IN_FLIGHT = 64
_TIMEOUT_S = 10


class Round(NamedTuple):
    """What one run on one set of images came to."""

    records: int
    done: int
    rejected: int
    kills: int
    requests: int
    answers: int
    repeated: int

    def __str__(self) -> str:
        return (
            f"{self.records:,} records: {self.done:,} done, {self.rejected:,} rejected; "
            f"{self.kills} kills; {self.requests:,} requests, {self.answers:,} good answers, "
            f"{self.repeated} of them asked for again"
        )


class Killer:
    """Draws the moments of the kills, `pause` to two times `pause` seconds apart."""

    def __init__(self, pause: float, seed: int) -> None:
        self._pause, self._random = pause, random.Random(seed)
        self._next = self._drawn()

    def run(self, command: Sequence[object]) -> int:
        """Run a command again and again until it is left to end; returns the number of kills."""
        kills = 0
        while True:
            process = start(*command)
            try:
                _, error = process.communicate(timeout=max(0.0, self._next - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.communicate()
                kills += 1
                self._next = self._drawn()
            else:
                require(process.returncode == 0, f"exit code {process.returncode}: {error}")
                return kills

    def _drawn(self) -> float:
        return time.monotonic() + self._random.uniform(1, 2) * self._pause


def require(condition: bool, message: str) -> None:
    """Raises SystemExit with the message unless the condition holds."""
    if not condition:
        raise SystemExit(f"soak: {message}")


def one_round(folder: Path, records: int, killer: Killer, seed: int) -> Round:
    """Run on fresh images, cache and server until done, and check all that came of it."""
    source, log = many_images(folder / "images.jsonl", records), folder / "requests.jsonl"
    faults = json.dumps(FAULTS)
    flags = ("--answers", "fixed", "--latency-ms", 20, "--seed", seed, "--faults", faults)
    with server(folder, *flags, "--log", log) as address:
        config = write_config(folder, address, timeout_s=_TIMEOUT_S, max_parallel=IN_FLIGHT)
        command = ("agents.response_parser", source, "--config", config, "--output", folder / "run")
        kills = killer.run(command)
    asked = rows(log)
    good = Counter(line["body"] for line in asked if line["fault"] is None)
    repeated = good.total() - len(good)
    require(
        repeated <= kills * IN_FLIGHT,
        f"{repeated} good answers were asked for again after {kills} kills",
    )
    done, rejected = check_files(folder / "run", [f"{row['id']}#0" for row in rows(source)])
    return Round(records, done, rejected, kills, len(asked), len(good), repeated)


def check_files(run: Path, expected: Sequence[str]) -> tuple[int, int]:
    """Every record has one outcome and all files agree; returns records done and rejected."""
    parsed = [row["id"] for row in rows(run / "parsed.jsonl")]
    rejected = rows(run / "rejected.jsonl")
    ended = Counter(parsed + [row["id"] for row in rejected])
    require(ended.keys() == set(expected), f"lost or made up: {set(expected) ^ ended.keys()}")
    require(ended.total() == len(expected), f"twice: {ended - Counter(expected)}")
    manifest = json.loads((run / "manifest.json").read_text(encoding="utf-8"))
    kinds = Counter(row["kind"] for row in rejected)
    wanted = {
        "in": len(expected),
        "out": len(parsed),
        "rejected": {"total": len(rejected), "by_kind": dict(sorted(kinds.items()))},
    }
    require(manifest["counts"] == wanted, f"counts {manifest['counts']}, the files {wanted}")
    usage = manifest["usage"]
    require(usage["requests"] == len(parsed), f"{usage} for {len(parsed)} results")
    return len(parsed), len(rejected)


def soak(seconds: float, records: int, pause: float, seed: int) -> list[Round]:
    """Rounds until the time is up, the last one to its end. Raises SystemExit where one fails."""
    killer, rounds = Killer(pause, seed), list[Round]()
    deadline = time.monotonic() + seconds
    while not rounds or time.monotonic() < deadline:
        with tempfile.TemporaryDirectory() as name:
            rounds.append(one_round(Path(name), records, killer, seed + len(rounds)))
        print(rounds[-1], flush=True)
    return rounds


def main(argv: Sequence[str] | None = None) -> int:
    """Soak, and print the sums."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.soak", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--records", type=int, default=2000, metavar="N", help="in each round")
    parser.add_argument("--pause", type=float, default=60.0, metavar="S",
                        help="least seconds between kills; the most is twice that")  # fmt: skip
    parser.add_argument("--seed", type=int, default=17)
    options = parser.parse_args(argv)
    rounds = soak(options.minutes * 60, options.records, options.pause, options.seed)
    print(f"in all: {Round(*map(sum, zip(*rounds, strict=True)))}")
    print("nothing lost, nothing twice, all counts add up")
    return 0


if __name__ == "__main__":
    sys.exit(main())
