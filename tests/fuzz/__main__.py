"""`make fuzz`: hostile inputs, each target in a process of its own, with a table at the end."""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time

from tests.fuzz.fuzzing import fuzz
from tests.fuzz.targets import ROOT, targets

_MEMORY = 8 * 2**30


def main() -> int:
    """Fuzz all targets, or one; the exit code is 1 when anything was found."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--cases", type=int, default=100_000, help="in all (default: 100,000)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--target", choices=targets(), help="this one only")
    options = parser.parse_args()
    if options.target:
        return _one(options.target, options.cases, options.seed)
    print("| target | cases | values | typed errors | defects | s | MB |")
    print("|---|---|---|---|---|---|---|")
    each = -(-options.cases // len(targets()))
    command = [
        sys.executable,
        "-m",
        "tests.fuzz",
        "--cases",
        str(each),
        "--seed",
        str(options.seed),
    ]
    codes = {
        name: subprocess.run([*command, "--target", name], cwd=ROOT).returncode
        for name in targets()
    }
    for name in (name for name, code in codes.items() if code not in (0, 1)):
        print(f"{name}: the process ended with code {codes[name]}")  # a crash in C, or a hang
    return int(any(codes.values()))


def _one(name: str, cases: int, seed: int) -> int:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY, _MEMORY))
    started = time.monotonic()
    tally = fuzz(targets()[name], cases, seed)
    seconds = time.monotonic() - started
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    counts = f"{tally.cases:,} | {tally.values:,} | {tally.errors:,} | {len(tally.defects)}"
    print(f"| {name} | {counts} | {seconds:.0f} | {memory:,} |", flush=True)
    for what, data in tally.defects.items():
        print(f"  {what}\n    {len(data)} bytes: {data[:200]!r}", flush=True)
    return int(bool(tally.defects))


if __name__ == "__main__":
    sys.exit(main())
