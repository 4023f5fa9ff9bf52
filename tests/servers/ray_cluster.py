"""A Ray cluster of two nodes on this machine, one of which can be lost like a machine is."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psutil

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"


class TwoNodes:
    """`address` is for RAY_ADDRESS. The head has one CPU, the other node too."""

    def __init__(self) -> None:
        from ray.cluster_utils import Cluster

        head = {"num_cpus": 1, "include_dashboard": False, "object_store_memory": 10**8}
        self._cluster = Cluster(initialize_head=True, head_node_args=head)
        self.address = str(self._cluster.address)
        self.add_second()

    def add_second(self) -> None:
        """A node that is not the head, in the place of one that was lost."""
        self._second: Any = self._cluster.add_node(num_cpus=1, object_store_memory=10**8)

    def kill_second(self) -> None:
        """SIGKILL for the raylet and every process under it, all at once."""
        raylets = [info.process.pid for info in self._second.all_processes["raylet"]]
        lost = [psutil.Process(pid) for pid in raylets]
        lost += [child for raylet in lost for child in raylet.children(recursive=True)]
        for process in lost:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()

    def workers(self) -> int:
        """How many actors run on the second node."""
        [info] = self._second.all_processes["raylet"]
        children = psutil.Process(info.process.pid).children(recursive=True)
        return sum("MapWorker" in " ".join(_words(child)) for child in children)

    def shutdown(self) -> None:
        self._cluster.shutdown()


def _words(process: psutil.Process) -> list[str]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return list(process.cmdline())
    return []


@contextmanager
def two_nodes() -> Iterator[TwoNodes]:
    cluster = TwoNodes()
    try:
        yield cluster
    finally:
        cluster.shutdown()
