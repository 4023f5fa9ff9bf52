"""`grainwise check [--config FILE]`: does every backend in use answer, and if not, why?"""

from __future__ import annotations

import argparse
import asyncio
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from agents.command import AGENT_NAMES, load_agents_config
from runtime.command_line import exit_on_error
from runtime.errors import ToolkitError
from schemas.config import Config

if TYPE_CHECKING:
    from backends.registry import Backends


def main(argv: Sequence[str] | None = None) -> int:
    """Probe every backend; exit code 3 if one does not work."""
    return exit_on_error(_main)(argv)


def _main(argv: Sequence[str] | None) -> int:
    parser = argparse.ArgumentParser(prog="grainwise check", description=__doc__)
    parser.add_argument("--config", metavar="FILE", type=Path)
    parser.add_argument("--backend", metavar="NAME|AGENT=NAME", action="append", default=[])
    options = parser.parse_args(argv)
    config = load_agents_config(options.config, options.backend)
    return 0 if asyncio.run(_check(config)) else 3


async def _check(config: Config) -> bool:
    from backends.cache import ResponseCache
    from backends.registry import Backends
    from backends.usage import UsageMeter

    users: dict[str, list[str]] = {}
    for agent in AGENT_NAMES:
        users.setdefault(config.backend_name(agent), []).append(agent)
    # A cache of its own: an answer of last week says nothing about the backend of today.
    with TemporaryDirectory() as folder:
        async with Backends(config, ResponseCache(Path(folder)), UsageMeter()) as backends:
            works = [await _probe(backends, name, agents) for name, agents in users.items()]
    return all(works)


async def _probe(backends: Backends, name: str, agents: list[str]) -> bool:
    """Ask one short question through the path that the agents use, and say how it went."""
    from agents.base import build_request
    from prompts import load_prompt
    from schemas.judgement import CategoryAnswer, CategoryQuestion

    try:
        client = backends.client(agents[0])
        await client.backend.check()
        question = CategoryQuestion(prediction="couch", target="sofa")
        prompt = load_prompt("category_judge", backends.config.prompts)
        request = build_request(prompt, question, client.config, seed=0)
        parsed = await client.structured(request, CategoryAnswer)
        found = client.backend.capabilities.model_dump()
        able = ", ".join(what for what, has in found.items() if has) or "text only"
        print(f"ok      {name} ({', '.join(agents)}): {parsed.completion.model}; {able}")
        return True
    except ToolkitError as error:
        print(f"failed  {name} ({', '.join(agents)}): {error.message}")
        if error.hint:
            print(f"        → {error.hint}")
        return False


if __name__ == "__main__":
    sys.exit(main())
