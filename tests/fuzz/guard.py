"""What a case may not do: write elsewhere, start a process, connect, unpickle, take too long."""

from __future__ import annotations

import contextlib
import faulthandler
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

CPU_S = 30.0
"""CPU seconds of one case; 10 MB of blank lines take 9."""
_HANG_S = 300
_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
_PATHS = {"os.mkdir", "os.remove", "os.rmdir", "os.truncate", "os.chmod", "sqlite3.connect"}
_PAIRS = {"os.rename", "os.link", "os.symlink"}
_NEVER = {
    "subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "os.fork", "socket.connect",
    "pickle.find_class",
}  # fmt: skip


class Misdeed(Exception):
    """A case did what none may do."""


class _Watch:
    """An audit hook cannot be removed, so there is one, which is told when to look."""

    def __init__(self) -> None:
        self.allowed: tuple[str, ...] = ()
        self.seen: list[str] = []
        self.is_installed = self.is_on = False

    def __call__(self, event: str, arguments: tuple[Any, ...]) -> None:
        if not self.is_on:
            return
        if event in _NEVER:
            self.seen.append(f"{event}{arguments!r}"[:200])
        elif event in _PATHS or (event == "open" and _is_written(*arguments)):
            self._check(event, arguments[0])
        elif event in _PAIRS:
            self._check(event, arguments[0])
            self._check(event, arguments[1])

    def _check(self, event: str, path: Any) -> None:
        if isinstance(path, str | bytes | os.PathLike):
            full = os.path.realpath(os.fsdecode(path))
            if full != "/dev/null" and not full.startswith(self.allowed) and path != "":
                self.seen.append(f"{event} {full}"[:200])


def _is_written(path: Any, mode: str | None, flags: int) -> bool:
    return bool(flags & _WRITES) or any(letter in (mode or "") for letter in "wax+")


_WATCH = _Watch()


@contextlib.contextmanager
def guarded(*allowed: Path) -> Iterator[None]:
    """Raises Misdeed for a write outside the `allowed` folders, and for more than CPU_S.

    A case that hangs ends the process, with a traceback on stderr.
    """
    if not _WATCH.is_installed:
        sys.addaudithook(_WATCH)
        _WATCH.is_installed = True
    _WATCH.allowed = tuple(f"{os.path.realpath(folder)}/" for folder in allowed)
    _WATCH.seen.clear()
    wrote_bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    faulthandler.dump_traceback_later(_HANG_S, exit=True)
    started = time.thread_time()
    _WATCH.is_on = True
    try:
        yield
    finally:
        _WATCH.is_on = False
        faulthandler.cancel_dump_traceback_later()
        sys.dont_write_bytecode = wrote_bytecode
    if _WATCH.seen:
        raise Misdeed("; ".join(_WATCH.seen[:3]))
    if (spent := time.thread_time() - started) > CPU_S:
        raise Misdeed(f"took {spent:.0f} s of CPU")
