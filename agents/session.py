"""An agent command on rows in memory: for a notebook, or a program of one's own."""

from __future__ import annotations

import asyncio
from argparse import ArgumentParser
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from agents.base import Agent, In, Out, gather
from agents.command import AgentCommand, load_agents_config
from agents.worker import Worker
from backends.usage import UsageMeter
from runtime.errors import ToolkitError
from schemas.config import Config
from schemas.validation import describe_errors


async def run(
    command: AgentCommand[In, Out],
    rows: Iterable[Mapping[str, Any]],
    config: str | Path | None = None,
    backends: Sequence[str] = (),
    folder: str | Path = ".",
    concurrency: int = 64,
) -> list[Out]:
    """What the command's agent makes of `rows`, which are those of its input file, in their order.

    `config` and `backends` are what stands after `--config` and `--backend`; images are found
    relative to `folder`. Answers are cached as ever and the config's budget holds, but nothing is
    written. Raises ToolkitError for the first record that fails.
    """
    place = Path(folder)
    items = list(command.units(((row, place) for row in _valid(command, rows)), place))
    settings = load_agents_config(Path(config) if config else None, backends)
    agent, slots = _agent(command, settings), asyncio.Semaphore(concurrency)
    async with Worker(agent, settings, UsageMeter(settings.run.budget_usd), place) as worker:
        await worker.backends.check(agent.steps, agent.needs)
        await asyncio.to_thread(agent.check)

        async def process(item: In) -> Out:
            async with slots:
                return await worker.process(item)

        return await gather(map(process, items))


def _agent(command: AgentCommand[In, Out], config: Config) -> Agent[In, Out]:
    """The agent that the command has without any flag."""
    if command.flags is None:
        return command.agent
    parser = ArgumentParser()
    command.flags.add(parser)
    return command.flags.agent(parser.parse_args([]), config)


def _valid(command: AgentCommand[In, Out], rows: Iterable[Mapping[str, Any]]) -> Iterable[Any]:
    for number, row in enumerate(rows):
        try:
            yield command.row.model_validate(row)
        except ValidationError as error:
            what = describe_errors(error, row, command.row)
            raise ToolkitError("input", f"rows[{number}]: {what}", "correct the row") from None
