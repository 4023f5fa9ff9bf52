"""The same records on this machine and on a Ray cluster of two nodes that loses one half-way.

    python -m scripts.bench_ray [--records 20000]

Both write the same files; the test server counts what was asked. Needs the extra `ray`, and a
Redis server that is installed or can be downloaded from Debian.
"""

from __future__ import annotations

import argparse
import json
import tempfile
import time
from pathlib import Path

from tests.e2e.commands import contents, rows, server, start, stats
from tests.e2e.test_ray import IN_FLIGHT, configured, images, wait_for_requests, words
from tests.servers.ray_cluster import two_nodes
from tests.servers.redis_server import forget_all, redis_server

# Answers that take the server no thought: what is measured is the engines.
SERVER = ("--latency-ms", 20, "--answers", "fixed")


def main() -> None:
    """Print what each engine took and asked; fails where they differ or something is lost."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--records", type=int, default=20_000)
    records = parser.parse_args().records
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = images(folder / "images.jsonl", records)
        with redis_server(folder) as redis, server(folder, *SERVER) as address:
            needed = _local(source, folder / "local", address, redis)
            forget_all(redis)
            asked = _lossy(source, folder / "ray", address, redis) - needed
        one, other = (contents(folder / engine / "run") for engine in ("local", "ray"))
        different = [name for name in one | other if one.get(name) != other.get(name)]
        assert not different, f"these files differ: {different}"
        journal = [row["id"] for row in rows(folder / "ray/run/.outcomes.jsonl")]
        assert len(journal) == len(set(journal)) == records, "something is lost or there twice"
        print(f"{records:,} records, the same files, nothing twice; {needed:,} requests here")
        print(f"{asked:,} requests on Ray: {asked - needed} repeated, {IN_FLIGHT} were in flight")
        assert asked <= needed + IN_FLIGHT, "more was repeated than was in flight"


def _local(source: Path, folder: Path, address: str, cache: str) -> int:
    """Run here; returns the number of requests."""
    started = time.perf_counter()
    process = start(*words(source, configured(folder, address, cache)))
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    print(f"local: {time.perf_counter() - started:,.0f} s", flush=True)
    return stats(address)["requests"]


def _lossy(source: Path, folder: Path, address: str, cache: str) -> int:
    """Run on two nodes and kill one half-way; returns the number of requests of all runs."""
    before = stats(address)["requests"]
    with two_nodes() as cluster:
        started = time.perf_counter()
        ray = (*words(source, configured(folder, address, cache)), "--engine", "ray")
        process = start(*ray, RAY_ADDRESS=cluster.address)
        wait_for_requests(address, before + before // 2, process)
        workers = cluster.workers()
        cluster.kill_second()
        killed = time.perf_counter() - started
        _, errors = process.communicate()
        assert process.returncode == 0, errors
        assert workers, "the node that was lost had no work"
    execution = json.loads((folder / "run/manifest.json").read_text())["execution"]
    print(
        f"ray: {execution['wall_seconds']:,.0f} s; the node with {workers} actor was killed after "
        f"{killed:,.0f} s",
        flush=True,
    )
    return stats(address)["requests"]


if __name__ == "__main__":
    main()
