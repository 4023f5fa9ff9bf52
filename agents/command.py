"""An agent as a command. Every agent command is one of these, with the same flags and endings."""

from __future__ import annotations

import asyncio
import functools
import importlib
import os
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Generic

from agents.base import Agent, In, Out
from backends.cache import cache_folder
from prompts import check_folder
from runtime.command_line import CommandOptions, exit_on_error, parse_options
from runtime.config import load_config
from runtime.errors import ToolkitError
from runtime.files import InputFile, read_placed, validate_all
from runtime.sources import Place
from runtime.store import Outcome
from schemas.base import StrictModel
from schemas.config import Config

AGENT_NAMES = (
    "response_parser", "category_judge", "attribute_judge", "rsr",
    "caption_parser", "caption_verifier", "negative_generator", "discriminator", "finer_answer",
    "finer_tuning", "model", "critic", "rater", "region_writer",
)  # fmt: skip
"""Steps that a config may map to a backend."""


@dataclass(frozen=True)
class Results:
    """What a finished run hands to the function that writes its files."""

    directory: Path
    outcomes: Callable[[], Iterator[Outcome]]
    """All outcomes in input order; may be read several times."""
    seed: int
    items: Callable[[], Iterator[Any]] = lambda: iter(())
    """The units of work that the outcomes belong to, in the same order."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Those of the agent."""


@dataclass(frozen=True)
class Flags(Generic[In, Out]):
    """Flags that only one command has.

    `add` declares them, `agent` makes the agent that they and the config ask for, and `backends`
    says which `--backend` overrides they stand for.
    """

    add: Callable[[ArgumentParser], None]
    agent: Callable[[Namespace, Config], Agent[In, Out]]
    backends: Callable[[Namespace], tuple[str, ...]] = lambda _: ()


@dataclass(frozen=True)
class AgentCommand(Generic[In, Out]):
    """`python -m MODULE INPUT --output DIR`.

    `row` is what a line of the input holds. `items` turns a row into units of work, given the
    folders of the input and the output. `write` makes the files named in `outputs` and yields
    the lines to print at the end.
    """

    agent: Agent[In, Out]
    module: str
    description: str
    row: type[StrictModel]
    items: Callable[[Any, Path, Path], Iterable[In]]
    outputs: tuple[str, ...]
    write: Callable[[Results], Iterable[str]]
    flags: Flags[In, Out] | None = None

    def main(self, argv: Sequence[str] | None = None) -> int:
        """Run the command and return its exit code."""
        return exit_on_error(self._main)(argv)

    def work(self, options: CommandOptions) -> Iterator[In]:
        """The units of work in order of the input."""
        placed = read_placed(options.input, self.row, limit=options.limit)
        return self.units(((row, place.shard.path.parent) for place, row in placed), options.output)

    def units(self, rows: Iterable[tuple[Any, Path]], target: Path) -> Iterator[In]:
        """The units of work of rows, each of which comes with the folder of its input.

        Where a unit is more than a row, a command has its own; a session asks for them, too.
        """
        for row, folder in rows:
            yield from self.items(row, folder, target)

    def validate(self, options: CommandOptions) -> InputFile:
        """Check the whole input before anything is written or paid for. Raises ToolkitError."""

        def visit(place: Place, row: Any) -> None:
            self.check_row(place, row, options)

        return validate_all(options.input, self.row, limit=options.limit, visit=visit)

    def check_row(self, place: Place, row: Any, options: CommandOptions) -> None:
        """What a row must be besides valid. Raises ToolkitError("input")."""
        if place.shard.remote:
            require_location(row.image, str(place))

    def _main(self, argv: Sequence[str] | None) -> int:
        argv = sys.argv[1:] if argv is None else argv
        require_own_loop(self.module)
        add = self.flags.add if self.flags else None
        options = parse_options(f"python -m {self.module}", self.description, argv, add)
        if options.engine == "ray" and type(self.agent).__module__ == "__main__":
            return self._importable()._main(argv)
        command, backends = self, options.backends
        if self.flags:
            backends += self.flags.backends(options.own)
        config = _with_flags(load_agents_config(options.config, backends), options)
        if self.flags:
            command = replace(self, agent=self.flags.agent(options.own, config))
        located = options.input.located(cache_folder(config.run.cache) / "inputs")
        if options.reviewed_only:
            located = located.only_reviewed()
        options = replace(options, input=located)
        source = command.validate(options)
        if options.dry_run:
            from agents.estimate import dry_run

            dry_run(command.agent, command.work(options), config)
            return 0
        from agents.execute import Execution

        return Execution(command, options, config, source, argv).run()

    def _importable(self) -> AgentCommand[In, Out]:
        """This command as other processes know it: to them, `__main__` is something else."""
        spec = sys.modules["__main__"].__spec__
        known = vars(importlib.import_module(spec.name)).values() if spec else ()
        return next(c for c in known if isinstance(c, AgentCommand) and c.module == self.module)


@dataclass(frozen=True)
class CaptionedCommand(AgentCommand[In, Out]):
    """A command with `--text-only`, under which captions stand for the images."""

    def check_row(self, place: Place, row: Any, options: CommandOptions) -> None:
        """Also that there is a caption where one is needed."""
        super().check_row(place, row, options)
        if options.own.text_only:
            require_caption(row.caption, str(place))


def require_own_loop(module: str) -> None:
    """Raises ToolkitError("config") inside an event loop, where a command cannot run its own."""
    with suppress(RuntimeError):
        asyncio.get_running_loop()
        hint = f"in a notebook write !python -m {module} …, or use agents.session"
        raise ToolkitError("config", "a command cannot run inside an event loop", hint)


def load_agents_config(path: Path | None, overrides: Sequence[str] = ()) -> Config:
    """The config of a file, with `--backend` overrides, its names and its prompts checked.

    Raises ToolkitError("config").
    """
    config = load_config(path, overrides, agents=AGENT_NAMES)
    if config.prompts:
        try:
            check_folder(config.prompts)
        except (OSError, ValueError) as error:
            hint = "start from a copy of the built-in prompt: docs/own-prompt.md"
            raise ToolkitError("config", f"{path}: prompts: {error}", hint) from None
    return config


def require_location(image: str, where: str) -> None:
    """Raises ToolkitError("input") for an image path that is relative to a URL."""
    if "://" not in image and not os.path.isabs(image):
        raise ToolkitError(
            "input",
            f"{where}: image: expected a URL or an absolute path, got {image!r}",
            "rows that come from a URL have no folder beside them: copy them to their images",
        )


def require_caption(caption: str | None, where: str) -> str:
    """The caption that stands for an image. Raises ToolkitError("input") when there is none."""
    if caption is None:
        raise ToolkitError(
            "input",
            f"{where}: caption: expected a text to go by, as --text-only says",
            "add the captions, or show the images without --text-only",
        )
    return caption


def relocate(image: str, source: Path, target: Path) -> str:
    """An image path relative to `source`, made relative to `target`. URLs stay as they are."""
    if "://" in image:
        return image
    start, end = _resolved(os.path.abspath(source)), _resolved(os.path.abspath(target))
    return os.path.relpath(os.path.join(start, image), end)


@functools.lru_cache(maxsize=1024)
def _resolved(folder: str) -> str:
    """Kept, as it asks the disk about every part of the path, and rows share their folders."""
    return os.path.realpath(folder)


def moved(row: Any, source: Path, target: Path) -> Iterator[Any]:
    """A row that is one unit of work: as it is, but its image relocated."""
    yield row.model_copy(update={"image": relocate(row.image, source, target)})


def _with_flags(config: Config, options: CommandOptions) -> Config:
    """The flags win over the file."""
    flags = {
        "seed": options.seed,
        "budget_usd": options.max_cost,
        "max_error_rate": options.max_error_rate,
    }
    given = {name: value for name, value in flags.items() if value is not None}
    return config.model_copy(update={"run": config.run.model_copy(update=given)})
