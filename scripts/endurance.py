"""A million records: memory must stay flat, and the last tenth must go as fast as the first.

    python -m scripts.endurance --records 1000000

Runs `agents.category_judge` as a process of its own on the fake driver, and again with every call
in the cache. The rates that are compared count CPU seconds, corrected for the speed that the
machine had at the moment (`scripts.metronome`). Exit code 1 when a limit is broken. It needs about
4 GB of disk for a million.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from statistics import mean, median
from typing import NamedTuple

import psutil

from runtime.store import JOURNAL

ROOT = Path(__file__).parents[1]
MAX_MB, MAX_SPREAD = 400, 0.10
TENTHS = (1, 5, 10)
_SAMPLE_SECONDS = 0.25
_MB = 2**20


class Sample(NamedTuple):
    """A moment of a run: records done, seconds by the clock and of the CPU, memory in bytes."""

    records: float
    wall: float
    cpu: float
    memory: float


class Rates(NamedTuple):
    """Records a second: by the clock, of the CPU, and of a CPU that always has the same speed."""

    wall: float
    cpu: float
    steady: float


class Measured(NamedTuple):
    """The samples of a run while it processed its records, and the peak memory of all of it.

    `beats` are moments and how long the CPU then took for a fixed piece of work.
    """

    name: str
    samples: list[Sample]
    peak: int
    seconds: float
    beats: list[tuple[float, float]]

    def at(self, share: float) -> Sample:
        """The state when this share of the records was done, between two samples."""
        wanted = share * self.samples[-1].records
        for old, new in zip(self.samples, self.samples[1:], strict=False):
            if new.records >= wanted and new.records > old.records:
                part = (wanted - old.records) / (new.records - old.records)
                return Sample(*(a + part * (b - a) for a, b in zip(old, new, strict=True)))
        return self.samples[-1]

    def rates(self, tenth: int) -> Rates:
        """In the n-th tenth of the records."""
        old, new = self.at((tenth - 1) / 10), self.at(tenth / 10)
        records = new.records - old.records
        cpu = records / max(new.cpu - old.cpu, 1e-9)
        usual = median(seconds for _, seconds in self.beats)
        here = [seconds for wall, seconds in self.beats if old.wall <= wall <= new.wall]
        slowness = mean(here or [usual]) / usual
        return Rates(records / max(new.wall - old.wall, 1e-9), cpu, cpu * slowness)

    def broken(self) -> Iterator[str]:
        """What exceeds a limit. Other programs and a slower machine do not count."""
        if self.peak > MAX_MB * _MB:
            yield f"{self.name}: {self.peak / _MB:,.0f} MB, above {MAX_MB}"
        rates = [self.rates(tenth).steady for tenth in TENTHS]
        if min(rates) < (1 - MAX_SPREAD) * max(rates):
            yield f"{self.name}: the rates differ by more than {MAX_SPREAD:.0%}"


def measure(records: int, folder: Path) -> Iterator[Measured]:
    """Run the agent on the fake driver, then from the cache."""
    source, config = prepare(records, folder)
    for name in ("fake driver", "cached"):
        output = folder / name.replace(" ", "-")
        command = ["agents.category_judge", source, "--config", config, "--output", output]
        yield watch(name, command, output / JOURNAL)
        manifest = json.loads((output / "manifest.json").read_text(encoding="utf-8"))
        live = manifest["execution"]["live_calls"]
        if manifest["counts"]["out"] != records or live != (records if name != "cached" else 0):
            raise SystemExit(f"{name}: wrong counts: {manifest['counts']}, {live} live calls")


def prepare(records: int, folder: Path) -> tuple[Path, Path]:
    """Write the input, a question of its own in each record, and the config."""
    source, script, config = folder / "in.jsonl", folder / "script.json", folder / "config.yaml"
    with source.open("w", encoding="utf-8") as file:
        for number in range(records):
            file.write(json.dumps(_record(number)) + "\n")
    script.write_text(json.dumps({"category_judge": [{"decision": "is_a"}]}))
    profile = {"driver": "fake", "script": str(script), "max_parallel": 64}
    run = {"cache": str(folder / "cache")}
    document = {"backends": {"fake": profile}, "agents": {"default": "fake"}, "run": run}
    config.write_text(json.dumps(document))
    return source, config


def _record(number: int) -> dict[str, object]:
    return {
        "id": f"image-{number}#0",
        "image_id": f"image-{number}",
        "index": 0,
        "image": f"images/{number}.jpg",
        "prompt": "Describe the image.",
        "response": f"A thing number {number} stands on the table by the window.",
        "entities": [{"path": ["animal"], "quantity": 1}],
        "ground_truth": "entities",
        "predictions": [{"category": f"thing {number}", "quantity": 1, "attributes": []}],
    }


def watch(name: str, command: Sequence[object], journal: Path) -> Measured:
    """Sample a command from its first outcome in the journal to its last, and wait for its end."""
    started = time.monotonic()
    beats = journal.parent.with_suffix(".beats")
    process = subprocess.Popen(
        [sys.executable, "-m", "scripts.metronome", str(beats), *map(str, command)],
        cwd=ROOT,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    seen = psutil.Process(process.pid)
    samples: list[Sample] = []
    records, position, peak = 0, 0, 0
    while process.poll() is None:
        new, position = _new_lines(journal, position)
        records += new
        try:
            times, memory = seen.cpu_times(), seen.memory_info().rss
        except psutil.Error:  # it ended just now
            break
        peak = max(peak, memory)
        if new or not records:
            samples.append(Sample(records, time.monotonic(), times.user + times.system, memory))
        time.sleep(_SAMPLE_SECONDS)
    _, status, usage = os.wait4(process.pid, 0) if process.returncode is None else (0, 0, None)
    if status or process.returncode:
        raise SystemExit(f"{name}: the command failed")
    first = next(i for i, sample in enumerate(samples) if sample.records) - 1
    peak = max(peak, usage.ru_maxrss * 1024) if usage else peak
    seconds = time.monotonic() - started
    return Measured(name, samples[max(first, 0) :], peak, seconds, list(_read(beats)))


def _read(beats: Path) -> Iterator[tuple[float, float]]:
    for line in beats.read_text(encoding="utf-8").splitlines():
        wall, seconds = line.split()
        yield float(wall), float(seconds)


def _new_lines(path: Path, position: int) -> tuple[int, int]:
    """Lines added to a file since `position`, and its end now."""
    try:
        with path.open("rb") as file:
            file.seek(position)
            count = 0
            while chunk := file.read(2**20):
                count += chunk.count(b"\n")
            return count, file.tell()
    except FileNotFoundError:
        return 0, position


def table(runs: Sequence[Measured]) -> Iterator[str]:
    """One line a run and tenth."""
    for run in runs:
        records = run.samples[-1].records
        yield (
            f"{run.name}: {records:,.0f} records, {run.seconds:,.0f} s in all, "
            f"peak {run.peak / _MB:,.0f} MB"
        )
        for tenth in TENTHS:
            wall, cpu, steady = run.rates(tenth)
            memory = run.at(tenth / 10).memory / _MB
            yield (
                f"  at {tenth:>2}0 %: {wall:>7,.0f} records/s, {cpu:>7,.0f} a CPU second, "
                f"{steady:>7,.0f} at a steady speed, {memory:>4,.0f} MB"
            )


def main(argv: Sequence[str] | None = None) -> int:
    """Measure, print the table, and say which limits are broken."""
    parser = argparse.ArgumentParser(
        prog="python -m scripts.endurance", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--records", type=int, default=1_000_000, metavar="N")
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as name:
        runs = []
        for run in measure(options.records, Path(name)):
            runs.append(run)
            print("\n".join(table([run])), flush=True)
    problems = [problem for run in runs for problem in run.broken()]
    print("\n".join(problems) or "all limits kept")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
