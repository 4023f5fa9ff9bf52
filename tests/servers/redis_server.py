"""A real Redis or Valkey server on a free port: the installed one, else Debian's, unpacked here."""

from __future__ import annotations

import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

from tests.servers.debian import libraries, unpacked


@lru_cache(maxsize=1)
def program() -> list[str]:
    """The command line of the server; skips the test where there is none to be had."""
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return [found]
    root = unpacked("redis-server")
    return ["env", f"LD_LIBRARY_PATH={libraries(root)}", str(root / "usr/bin/redis-server")]


@contextmanager
def redis_server(folder: Path, *options: str, port: int | None = None) -> Iterator[str]:
    """A server of its own; yields its URL without a database. Killed at the end."""
    port = port or _free_port()
    plain = ["--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)]
    with (folder / "redis.log").open("ab") as log:
        process = subprocess.Popen([*program(), *plain, *options], stdout=log, stderr=log)
    try:
        _wait_for(port, process)
        yield f"redis://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


def forget_all(url: str) -> None:
    """Empty the server, so that another run on the same URL has to ask everything anew."""
    import redis

    with redis.Redis.from_url(url) as client:
        client.flushall()


def _free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def _wait_for(port: int, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 30
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert process.poll() is None, "the redis server did not start"
            assert time.monotonic() < deadline, "the redis server does not answer"
            time.sleep(0.02)
