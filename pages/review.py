"""`grainwise review RUN`: a page on which a person judges what a run made.

Decisions go into `RUN/reviews.jsonl`, line by line, as they are made. Commands that read the
files of the run honour them under `--reviewed-only`. The page serves this machine only, and the
address with its random token is printed.
"""

from __future__ import annotations

import argparse
import getpass
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from threading import Thread
from typing import Any

from runtime.command_line import exit_on_error, positive_int, whole_number
from schemas.config import RunConfig


def main(argv: Sequence[str] | None = None) -> int:
    """Serve the page until interrupted; exit code 2 for a run that cannot be reviewed."""
    return exit_on_error(_main)(argv)


def _main(argv: Sequence[str] | None) -> int:
    options = _parser().parse_args(argv)
    from pages.render import render
    from pages.review_board import Board
    from pages.review_files import open_run
    from pages.review_server import ReviewServer, Setup
    from runtime.config import load_config

    render("theme.css")  # says what is missing before anything is read
    if options.config:
        load_config(options.config)
    files = open_run(options.run, options.sample, options.seed)
    board = Board(options.run, files)
    images = options.images or options.run
    setup = Setup(options.run, images, options.config, options.reviewer)
    server = ReviewServer(board, setup, options.port or 0)
    listed = ", ".join(f"{name} ({len(file):,} items)" for name, file in files.items())
    with suppress(KeyboardInterrupt):  # that is how it ends
        print(f"{options.run}: {listed}")
        print(f"review at {server.url}\nstop with Ctrl-C; every decision is kept", flush=True)
        if options.browser:
            import webbrowser

            # One of a terminal comes back only when it is closed, and wants an answer before that.
            Thread(target=webbrowser.open, args=(server.url,), daemon=True).start()
        server.run()
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="grainwise review",
        description="Judge what a run made, on a page in the browser: accept, reject, edit.",
    )
    add: Callable[..., Any] = parser.add_argument
    add("run", metavar="RUN", type=Path, help="output directory of a command")
    add("--reviewer", metavar="NAME", type=_reviewer, default=_login(),
        help="whose decisions these are (default: %(default)s)")  # fmt: skip
    add("--port", metavar="N", type=positive_int, help="port of 127.0.0.1 (default: any free one)")
    add(
        "--sample",
        metavar="N",
        type=positive_int,
        help="show N items of each file, drawn at random",
    )
    add("--seed", metavar="N", type=whole_number, default=RunConfig().seed,
        help="seed of the sample (default: %(default)s)")  # fmt: skip
    add("--images", metavar="DIR", type=Path,
        help="where the images are (default: relative to RUN)")  # fmt: skip
    add("--config", metavar="FILE", type=Path,
        help="config into which a threshold can be written")  # fmt: skip
    add("--no-browser", dest="browser", action="store_false", help="only print the address")
    return parser


def _login() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a user without a name, as in some containers
        return "reviewer"


def _reviewer(text: str) -> str:
    name = text.strip()
    if not 0 < len(name) <= 100:
        raise argparse.ArgumentTypeError(f"expected 1 to 100 characters, got {text[:100]!r}")
    return name


if __name__ == "__main__":
    sys.exit(main())
