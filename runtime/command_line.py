"""The flags every agent command shares, and how a command ends. Imports nothing heavy."""

from __future__ import annotations

import argparse
import functools
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path

from runtime.errors import EXIT_INPUT, EXIT_INTERRUPTED, ToolkitError
from runtime.sources import Source

# What a shell reports for a program that died writing to a closed pipe (128 + SIGPIPE).
_EXIT_BROKEN_PIPE = 141

Main = Callable[[Sequence[str] | None], int]


@dataclass(frozen=True)
class CommandOptions:
    """The parsed flags; None where the config decides."""

    input: Source
    output: Path
    config: Path | None
    backends: tuple[str, ...]
    limit: int | None
    seed: int | None
    concurrency: int
    engine: str
    dry_run: bool
    batch: bool
    max_cost: float | None
    max_error_rate: float | None
    retry_rejected: bool
    overwrite: bool
    allow_remote_images: bool
    reviewed_only: bool
    own: argparse.Namespace
    """Flags that only this command has."""


def parse_options(
    prog: str,
    description: str,
    argv: Sequence[str] | None = None,
    add_own: Callable[[argparse.ArgumentParser], None] | None = None,
) -> CommandOptions:
    """Parse the shared flags and those that `add_own` declares.

    argparse exits with 2 on a bad command line, 0 on `--help`.
    """
    parser = build_parser(prog, description)
    if add_own:
        add_own(parser)
    given = vars(parser.parse_args(argv))
    shared = {f.name: given.pop(f.name) for f in fields(CommandOptions) if f.name != "own"}
    shared["input"] = Source(tuple(shared["input"]))
    shared["backends"] = tuple(shared["backends"])
    return CommandOptions(**shared, own=argparse.Namespace(**given))


def build_parser(prog: str, description: str) -> argparse.ArgumentParser:
    """The parser behind `parse_options`."""
    parser = argparse.ArgumentParser(
        prog=prog,
        description=description,
        epilog="The same command on the same output directory continues it.",
    )
    add = parser.add_argument
    add("input", metavar="INPUT", nargs="+",
        help="JSONL, Parquet or CSV, a record a row: files, 'shards/*.jsonl.gz', URLs")  # fmt: skip
    add("--output", metavar="DIR", type=Path, required=True, help="directory for the results")
    add("--config", metavar="FILE", type=Path, help="YAML file: backends, agents, run")
    add("--backend", metavar="NAME|AGENT=NAME", dest="backends", action="append", default=[],
        help="backend of all agents or of one; may be given several times")  # fmt: skip
    add("--limit", metavar="N", type=positive_int, help="use only the first N records")
    add("--seed", metavar="N", type=whole_number, help="seed of everything random")
    add("--concurrency", metavar="N", type=positive_int, default=64,
        help="records in flight (default: 64)")  # fmt: skip
    add("--engine", choices=("local", "ray"), default="local",
        help="ray: on the cluster of RAY_ADDRESS or a local one (default: local)")  # fmt: skip
    add("--dry-run", action="store_true", help="check everything, count the calls, make none")
    add("--batch", action="store_true",
        help="hand calls in as batches, at half the price; again to collect (exit 75)")  # fmt: skip
    add("--max-cost", metavar="USD", type=_positive_float, help="stop when this much is spent")
    add("--max-error-rate", metavar="X", type=share,
        help="stop when more than this share of the records fails, 0 to 1")  # fmt: skip
    add("--retry-rejected", action="store_true", help="run the rejected records again")
    add("--allow-remote-images", action="store_true",
        help="fetch images that are given as URLs, where an agent looks at them")  # fmt: skip
    add_reviewed_only(parser)
    add("--overwrite", action="store_true", help="discard the run that DIR holds")
    return parser


def add_reviewed_only(parser: argparse.ArgumentParser) -> None:
    """The flag of every command that reads what can be reviewed."""
    parser.add_argument(
        "--reviewed-only", action="store_true",
        help="use only what was accepted in `grainwise review`, with its edits",
    )  # fmt: skip


def exit_on_error(main: Main) -> Main:
    """Turn what a command raises into its exit code and a plain message on stderr."""

    @functools.wraps(main)
    def guarded(argv: Sequence[str] | None = None) -> int:
        try:
            return main(argv)
        except ToolkitError as error:
            hint = f"\n  → {error.hint}" if error.hint else ""
            print(f"error: {error.message}{hint}", file=sys.stderr)
            return EXIT_INPUT if error.exit_code is None else error.exit_code
        except KeyboardInterrupt:
            print("interrupted; run the same command again to continue", file=sys.stderr)
            return EXIT_INTERRUPTED
        except BrokenPipeError:
            # The reader left; keep the interpreter from complaining when it flushes at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return _EXIT_BROKEN_PIPE

    return guarded


def positive_int(text: str) -> int:
    """An argparse type: a whole number above 0."""
    value = int(text) if text.isdecimal() else 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0, got {text!r}")
    return min(value, sys.maxsize)  # nobody has more of anything, and islice takes no more


def whole_number(text: str) -> int:
    """An argparse type: a whole number from 0 on, as numpy takes no other seed."""
    if not text.isdecimal():
        raise argparse.ArgumentTypeError(f"expected a whole number from 0 on, got {text!r}")
    return int(text)


def _positive_float(text: str) -> float:
    value = _float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"expected a number above 0, got {text!r}")
    return value


def share(text: str) -> float:
    """An argparse type: a number from 0 to 1."""
    value = _float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"expected a number from 0 to 1, got {text!r}")
    return value


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return float("nan")
