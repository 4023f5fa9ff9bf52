"""Runs a module, and beside it measures how fast the processor is at each moment.

    python -m scripts.metronome BEATS MODULE ARGUMENTS…

Ten times a second a thread of the process reads a small JSON document a hundred times, which is
like the work of the agents, and adds a line to the file BEATS: the clock, and the CPU seconds it
took. Virtual machines change their speed twofold within a minute; with the beats, CPU seconds of
different minutes can be compared.
"""

from __future__ import annotations

import json
import runpy
import sys
import threading
import time
from pathlib import Path

_TIMES, _PAUSE_SECONDS = 100, 0.1
_DOCUMENT = json.dumps([{"id": f"image-{n}", "quantity": n, "path": ["animal"]} for n in range(20)])


def beat(path: Path) -> None:
    """Write a line a beat, for as long as the process lives."""
    with path.open("a", encoding="utf-8", buffering=1) as file:
        while True:
            started = time.thread_time()
            for _ in range(_TIMES):
                json.loads(_DOCUMENT)
            file.write(f"{time.monotonic()} {time.thread_time() - started}\n")
            time.sleep(_PAUSE_SECONDS)


def main() -> None:
    """Start the thread, and become the module."""
    path, sys.argv = Path(sys.argv[1]), sys.argv[2:]
    threading.Thread(target=beat, args=(path,), daemon=True).start()
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
