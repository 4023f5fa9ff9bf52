"""A fixed number of rows out of any number, the same ones whenever they are drawn."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Generic, TypeVar

from pages.report_parts import Item, Samples
from pages.report_runs import Run
from schemas.config import RunConfig

Row = TypeVar("Row")
SEED = RunConfig().seed


class Sample(Generic[Row]):
    """The `size` rows whose ids come first in an order drawn by a seed.

    Which row is drawn depends on its id alone: runs on the same records show the same ones. Holds
    `size` rows at a time.
    """

    def __init__(self, size: int) -> None:
        self._size = size
        self._heap: list[tuple[int, int, Row]] = []
        self.seen = 0

    def offer(self, identifier: str, row: Row) -> None:
        """Count a row, and keep it if it is among the first so far."""
        drawn = f"{SEED}\n{identifier}".encode("utf-8", "replace")
        rank = -int.from_bytes(hashlib.blake2b(drawn, digest_size=8).digest())
        # No two rows have one number, so rows themselves are never compared.
        entry = (rank, -self.seen, row)
        self.seen += 1
        if len(self._heap) < self._size:
            heapq.heappush(self._heap, entry)
        elif entry[:2] > self._heap[0][:2]:
            heapq.heapreplace(self._heap, entry)

    def rows(self) -> list[Row]:
        """What was kept, in the order it came."""
        return [row for _, _, row in sorted(self._heap, key=lambda entry: -entry[1])]


def samples(
    title: str,
    runs: Sequence[Run],
    drawn: Mapping[str, Sample[Any]],
    make: Callable[[Any, Run], Item],
    legend: str = "",
) -> Samples:
    """What was drawn from each run, by its name; of several runs, rows of one id together."""
    several = len(runs) > 1
    items = [
        replace(make(row, run), run=run.name if several else "")
        for run in runs
        for row in drawn[run.name].rows()
    ]
    if several:
        items.sort(key=lambda item: item.id)
    return Samples(title, items, sum(sample.seen for sample in drawn.values()), legend)
