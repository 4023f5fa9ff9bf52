"""`make bench-peers`: one structured task by grainwise and its peers, on the same local server.

    python -m scripts.bench_peers [--records 2000] [--rounds 3] [--only NAME …] [--markdown FILE]

Each peer has an environment of its own under `.peers`, made from `requirements/NAME.txt`. Measured
of each, as whole processes: calls a second between the first and the last request that the server
sees, at 0 and at 50 ms of latency; CPU milliseconds a call, without what a run of 64 records costs;
peak memory of all its processes; records a second of a second run, from the start of its process to
the end, where nothing is asked again; and how many requests it takes in all when it is killed
half-way and started again. What is in flight at the kill must be asked again, so there eight are,
which all libraries reach: of 64 a faster one would have more.

All but the last are medians of several rounds, in each of which every library has its turn: a
shared machine changes its speed from one minute to the next.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from statistics import median
from typing import NamedTuple, TypeVar

import psutil

from tests.e2e.commands import ROOT, server, stats

HERE = Path(__file__).parent
ENVIRONMENTS = ROOT / ".peers"
SMALL = 64
IN_FLIGHT, AT_KILL = 64, 8
_POLL_SECONDS, _LOOK_SECONDS, _LIMIT_SECONDS = 0.02, 0.25, 300.0

T = TypeVar("T")


@dataclass(frozen=True)
class Peer:
    """A library: the name of its script, its package, and whether it has an environment."""

    name: str
    package: str
    own: bool = True

    @property
    def python(self) -> Path:
        """The interpreter that has it."""
        return ENVIRONMENTS / self.name / "bin/python" if self.own else Path(sys.executable)

    def install(self) -> None:
        """Make its environment, unless it is there."""
        if not self.own or self.python.exists():
            return
        folder = ENVIRONMENTS / self.name
        subprocess.run([sys.executable, "-m", "venv", folder], check=True)
        wanted = HERE / "requirements" / f"{self.name}.txt"
        subprocess.run([self.python, "-m", "pip", "install", "-q", "-r", wanted], check=True)

    @property
    def version(self) -> str:
        """Of its package, as its environment has it."""
        if not self.own:
            return metadata.version(self.package)
        code = f"from importlib import metadata; print(metadata.version({self.package!r}))"
        found = subprocess.run(
            [self.python, "-c", code], capture_output=True, text=True, check=True
        )
        return found.stdout.strip()


PEERS = (
    Peer("grainwise", "grainwise", own=False),
    Peer("litellm", "litellm", own=False),
    Peer("curator", "bespokelabs-curator"),
    Peer("data_designer", "data-designer"),
    Peer("distilabel", "distilabel"),
)


class Measured(NamedTuple):
    """One process from start to end."""

    seconds: float
    cpu_seconds: float
    peak_mb: float


class Round(NamedTuple):
    """What a library did in one round: calls a second at 0 and at 50 ms, CPU milliseconds a call,
    and records a second when run again (0: it asks again)."""

    at_0_ms: float
    at_50_ms: float
    cpu_ms: float
    peak_mb: float
    again: float


def main() -> None:
    """Measure the peers and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--records", type=int, default=2000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--only", nargs="+", choices=[peer.name for peer in PEERS], default=[])
    parser.add_argument("--markdown", type=Path)
    options = parser.parse_args()
    peers = [peer for peer in PEERS if not options.only or peer.name in options.only]
    for peer in peers:
        peer.install()
    rounds: dict[Peer, list[Round]] = {peer: [] for peer in peers}
    for number in range(options.rounds):
        for peer in peers:
            rounds[peer].append(in_folder(measure, peer, options.records))
            print(f"round {number + 1}: {peer.name} {rounds[peer][-1]}", flush=True)
    kills = {peer: in_folder(after_kill, peer, options.records) for peer in peers}
    lines = table(rounds, kills)
    print("\n".join(lines))
    if options.markdown:
        options.markdown.write_text("\n".join(lines) + "\n", encoding="utf-8")


def in_folder(measurement: Callable[[Peer, int, Path], T], peer: Peer, count: int) -> T:
    """The measurement in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        return measurement(peer, count, Path(folder))


def serving(folder: Path, latency_ms: int) -> AbstractContextManager[str]:
    """The server that all of them ask."""
    return server(folder, "--answers", "fixed", "--latency-ms", latency_ms)


def measure(peer: Peer, count: int, folder: Path) -> Round:
    """One round of one peer."""
    with serving(folder, 50) as address:
        small = run(peer, address, SMALL, folder / "small")
    with serving(folder, 0) as address:
        fast = run(peer, address, count, folder / "fast")
        at_0_ms = count / stats(address)["seconds"]
    with serving(folder, 50) as address:
        slow = run(peer, address, count, folder / "slow")
        at_50_ms = count / stats(address)["seconds"]
        asked = stats(address)["requests"]
        again = run(peer, address, count, folder / "slow")
        # One of them asks the server for its limits first.
        from_cache = stats(address)["requests"] - asked < count // 20
    return Round(
        at_0_ms,
        at_50_ms,
        cpu_ms=1000 * (slow.cpu_seconds - small.cpu_seconds) / (count - SMALL),
        peak_mb=max(fast.peak_mb, slow.peak_mb),
        again=count / again.seconds if from_cache else 0.0,
    )


def after_kill(peer: Peer, count: int, folder: Path) -> int | None:
    """Requests in all of a run that is killed half-way; None when it does not end."""
    with serving(folder, 50) as address:
        run(peer, address, count, folder / "killed", kill_at=count // 2, in_flight=AT_KILL)
        with contextlib.suppress(TimeoutError):
            run(peer, address, count, folder / "killed", in_flight=AT_KILL)
            return int(stats(address)["requests"])
    return None


def run(
    peer: Peer,
    address: str,
    count: int,
    folder: Path,
    kill_at: int | None = None,
    in_flight: int = IN_FLIGHT,
) -> Measured:
    """One process of a peer's script, until it ends or is killed at so many requests.

    Raises RuntimeError with the end of what it printed when it fails, TimeoutError when it does
    not end.
    """
    paths = [HERE, ROOT] if peer.name == "grainwise" else [HERE]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}
    environment["HOME"] = str(folder)  # what it keeps elsewhere must not help the next run
    environment["IN_FLIGHT"] = str(in_flight)
    output = folder.with_suffix(".txt")
    with output.open("w", encoding="utf-8") as printed:
        process = subprocess.Popen(
            [peer.python, HERE / f"{peer.name}_peer.py", f"{address}/v1", str(count), folder],
            stdout=printed, stderr=subprocess.STDOUT, env=environment, start_new_session=True,
        )  # fmt: skip
        measured = _watch(process, address, kill_at)
    if process.returncode not in (0, -signal.SIGKILL):
        end = "\n".join(output.read_text(encoding="utf-8").splitlines()[-20:])
        raise RuntimeError(f"{peer.name} ended with {process.returncode}:\n{end}")
    return measured


def _watch(process: subprocess.Popen[bytes], address: str, kill_at: int | None) -> Measured:
    """What a process and its descendants took; kills them when it is time."""
    peak, started, looked = 0.0, time.monotonic(), 0.0
    deadline = started + _LIMIT_SECONDS
    while (ended := os.wait4(process.pid, os.WNOHANG))[0] == 0:
        # It reads all of the machine's processes, on a core that the measured ones want.
        if time.monotonic() - looked > _LOOK_SECONDS:
            peak, looked = max(peak, tree_mb(process.pid)), time.monotonic()
        if kill_at is not None and stats(address).get("requests", 0) >= kill_at:
            os.killpg(process.pid, signal.SIGKILL)
            kill_at = None
        if time.monotonic() > deadline:
            os.killpg(process.pid, signal.SIGKILL)
            os.waitpid(process.pid, 0)
            raise TimeoutError(f"process {process.pid} did not end in {_LIMIT_SECONDS:g} s")
        time.sleep(_POLL_SECONDS)
    _, status, used = ended
    process.returncode = os.waitstatus_to_exitcode(status)
    return Measured(time.monotonic() - started, used.ru_utime + used.ru_stime, peak)


def tree_mb(process: int) -> float:
    """Megabytes that a process and its descendants hold, each counted with what it shares."""
    total = 0
    with contextlib.suppress(psutil.NoSuchProcess):
        top = psutil.Process(process)
        for one in (top, *top.children(recursive=True)):
            with contextlib.suppress(psutil.NoSuchProcess):
                total += one.memory_info().rss
    return total / 2**20


def table(rounds: Mapping[Peer, Sequence[Round]], kills: Mapping[Peer, int | None]) -> list[str]:
    """The medians as Markdown."""
    lines = [
        "| | calls/s at 0 ms | calls/s at 50 ms | CPU ms a call | peak MB | "
        "records/s when run again | requests after a kill |",
        "|---|--:|--:|--:|--:|--:|--:|",
    ]
    for peer, measured in rounds.items():
        middle = Round(*map(median, zip(*measured, strict=True)))
        name, killed = f"{peer.name.replace('_', '-')} {peer.version}", kills[peer]
        lines.append(
            f"| {name} | {middle.at_0_ms:,.0f} | {middle.at_50_ms:,.0f} | {middle.cpu_ms:.2f} | "
            f"{middle.peak_mb:,.0f} | {f'{middle.again:,.0f}' if middle.again else 'asks again'} | "
            f"{'hangs' if killed is None else f'{killed:,}'} |"
        )
    return lines


if __name__ == "__main__":
    main()
