"""`python -m pages.report RUN [RUN …]`: one page about finished runs, to read and to pass on.

RUN is the output directory of any command. The page is one HTML file that loads nothing, with a
Markdown twin and its plots beside it. Several runs stand side by side.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from pages.render import missing_extra
from runtime.command_line import exit_on_error
from runtime.errors import ToolkitError


def main(argv: Sequence[str] | None = None) -> int:
    """Write a report. Exit code 2 for a RUN that is none, 3 without the extra `review`."""
    return exit_on_error(_main)(argv)


def _main(argv: Sequence[str] | None) -> int:
    options = _parser().parse_args(argv)
    page = options.output or _default(options.runs)
    if page.suffix != ".html":
        raise ToolkitError("config", f"{page}: expected a name that ends in .html", "rename it")
    from pages.report_runs import open_runs

    try:
        from pages.report_page import write_report
    except ImportError as error:
        raise missing_extra(error) from None

    write_report(page, open_runs(options.runs))
    print(f"wrote {page} and {page.with_suffix('.md')}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m pages.report",
        description="Write one page about finished runs: what was run, scores, plots, samples.",
    )
    add = parser.add_argument
    add("runs", metavar="RUN", type=Path, nargs="+", help="output directory of a finished run")
    add("--output", metavar="FILE.html", type=Path,
        help="default: report/report.html in RUN, or in this folder for several")  # fmt: skip
    return parser


def _default(folders: Sequence[Path]) -> Path:
    """In a folder of its own: a run may have files that are called report."""
    return (folders[0] if len(folders) == 1 else Path()) / "report/report.html"


if __name__ == "__main__":
    sys.exit(main())
