"""A real Redis or Valkey server on a free port: the installed one, else Debian's, unpacked here."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import pytest

UNPACKED = Path(__file__).parents[2] / ".cache/redis-server"
PACKAGES = ("redis-server", "redis-tools", "libjemalloc2", "liblzf1")


@lru_cache(maxsize=1)
def program() -> list[str]:
    """The command line of the server; skips the test where there is none to be had."""
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return [found]
    if not UNPACKED.exists():
        _unpack()
    libraries = ":".join(map(str, UNPACKED.glob("usr/lib/*-linux-gnu")))
    return ["env", f"LD_LIBRARY_PATH={libraries}", str(UNPACKED / "usr/bin/redis-server")]


def _unpack() -> None:
    """Debian's packages without installing them, which takes no root."""
    if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
        pytest.skip("no redis-server, no valkey-server, and no apt-get to download one")
    UNPACKED.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=UNPACKED.parent) as name:
        folder = Path(name)
        command = ["apt-get", "download", *PACKAGES]
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
        if done.returncode:
            pytest.skip(f"redis-server cannot be downloaded from Debian: {done.stderr.strip()}")
        for package in folder.glob("*.deb"):
            command = ["dpkg-deb", "--extract", str(package), str(folder / "root")]
            subprocess.run(command, check=True)
        if not UNPACKED.exists():  # another test process may have been faster
            os.rename(folder / "root", UNPACKED)


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
