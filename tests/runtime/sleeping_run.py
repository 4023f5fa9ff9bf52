"""Six records, two of which take as many seconds as the second argument says."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path

from runtime.command_line import exit_on_error
from runtime.runner import RunPolicy, RunSummary, run_agent
from runtime.store import OutcomeStore
from schemas.base import StrictModel


class Record(StrictModel):
    id: str


async def run(store: OutcomeStore, seconds: float) -> RunSummary:
    waiting = 0

    async def process(item: Record) -> Record:
        nonlocal waiting
        if item.id in "ef":
            waiting += 1
            if waiting == 2:
                print("waiting", flush=True)
            await asyncio.sleep(seconds)
        return item

    records = (Record(id=name) for name in "abcdef")
    return await run_agent(process, records, store, RunPolicy(concurrency=2))


@exit_on_error
def main(argv: Sequence[str] | None) -> int:
    directory, seconds = argv or sys.argv[1:]
    with OutcomeStore(Path(directory), {}) as store:
        summary = asyncio.run(run(store, float(seconds)))
    print(f"done {summary.done}, resumed {summary.resumed}")
    return 0


sys.exit(main(None))
