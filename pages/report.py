"""`python -m pages.report RUN [RUN …]`: one page about finished runs, to read and to pass on.

RUN is the output directory of any command. The page is one HTML file that loads nothing, with a
Markdown twin and its plots beside it. Several runs stand side by side.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from pages.render import TEMPLATES, render
from runtime.command_line import exit_on_error
from runtime.errors import ToolkitError
from runtime.files import atomic_writer

if TYPE_CHECKING:
    from pages.report_parts import Section
    from pages.report_runs import Run

SAMPLES = 60
"""Rows to look at of each kind, of all runs together."""
MARK = "made by grainwise report"
"""Stands in every report, so that one is replaced by the next and no other file is."""


def main(argv: Sequence[str] | None = None) -> int:
    """Write a report. Exit code 2 for a RUN that is none, 3 without the extra `review`."""
    return exit_on_error(_main)(argv)


def _main(argv: Sequence[str] | None) -> int:
    options = _parser().parse_args(argv)
    page = options.output or _default(options.runs)
    if page.suffix != ".html":
        raise ToolkitError("config", f"{page}: expected a name that ends in .html", "rename it")
    from pages.report_runs import open_runs

    runs = open_runs(options.runs)
    for path in (page, page.with_suffix(".md")):
        _check_replaceable(path)
    write_report(page, runs)
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
        help="the page (default: report/report.html in RUN; of several, in this folder)")  # fmt: skip
    return parser


def _default(folders: Sequence[Path]) -> Path:
    """In a folder of its own: a run may have files that are called report."""
    return (folders[0] if len(folders) == 1 else Path()) / "report/report.html"


def _check_replaceable(path: Path) -> None:
    """Raises ToolkitError("input") for a file that is no report."""
    try:
        with path.open("rb") as file:
            known = MARK.encode() in file.read(500)
    except FileNotFoundError:
        return
    except OSError as error:
        message = f"{path}: {error.strerror or error}"
        raise ToolkitError("input", message, "choose another --output") from error
    if not known:
        raise ToolkitError("input", f"{path}: is there, and no report", "choose another --output")


def write_report(page: Path, runs: Sequence[Run]) -> None:
    """Write the page, its Markdown twin and the plots. Raises ToolkitError; then nothing is."""
    from pages.plots import svg
    from pages.report_markdown import markdown
    from pages.report_parts import Figure

    report = list(sections(runs))
    plots = {
        block.name: svg(block.chart, block.name)
        for section in report
        for block in section.blocks
        if isinstance(block, Figure)
    }
    title = ", ".join(run.name for run in runs) if len(runs) < 4 else f"{len(runs)} runs"
    made = f"{datetime.now(UTC):%Y-%m-%d %H:%M UTC}"
    folder = page.with_name(f"{page.stem}-plots")
    html = render_page(title, made, report, plots)
    text = markdown(title, made, report, folder.name)
    for name, drawing in plots.items():
        with atomic_writer(folder / f"{name}.svg") as file:
            file.write(drawing)
    for path, content in ((page.with_suffix(".md"), text), (page, html)):
        with atomic_writer(path) as file:
            file.write(content)


def sections(runs: Sequence[Run]) -> Iterator[Section]:
    """All chapters: what was run, those of each kind of run, and what was left out.

    Anchors and the names of plots are made unique.
    """
    from pages.report_about import about, left_out

    size = max(1, SAMPLES // len(runs))
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.manifest.agent, []).append(run)
    parts = [part for agent, group in groups.items() for part in _view(agent)(group, size)]
    rejected = left_out(runs)
    used: Counter[str] = Counter()
    for section in [*parts, *([rejected] if rejected else []), about(runs)]:
        blocks = [
            replace(block, name=_unique(block.name, used)) if block.kind == "figure" else block  # type: ignore[call-arg,union-attr]
            for block in section.blocks
        ]
        yield replace(section, name=_unique(section.name, used), blocks=blocks)


def _unique(name: str, used: Counter[str]) -> str:
    used[name] += 1
    return name if used[name] == 1 else f"{name}-{used[name]}"


def _view(agent: str) -> Callable[[Sequence[Run], int], Iterator[Section]]:
    """What makes the sections of this agent's runs."""
    from pages import report_finer, report_granfact, report_graphs, report_others, report_responses

    views: Mapping[str, Callable[[Sequence[Run], int], Iterator[Section]]] = {
        "rsr": report_responses.rsr_sections,
        "granfact": report_granfact.granfact_sections,
        "category_judge": report_others.judged_sections,
        "attribute_judge": report_others.judged_sections,
        "caption_parser": report_graphs.graph_sections,
        "negative_generator": report_graphs.negative_sections,
        "discriminator": report_graphs.discriminator_sections,
        "finer_build": report_others.build_sections,
        "finer": report_finer.finer_sections,
        "finer_tuning": report_others.tuning_sections,
        "rectifier": report_others.rectifier_sections,
    }
    return views.get(agent, report_others.other_sections)


def render_page(title: str, made: str, report: Sequence[Section], plots: Mapping[str, str]) -> str:
    """The page as HTML. Its one script is named by hash in its content security policy."""
    script = (TEMPLATES / "report.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    styles = [
        (TEMPLATES / name).read_text(encoding="utf-8") for name in ("theme.css", "report.css")
    ]
    return render(
        "report.html",
        mark=MARK,
        title=title,
        made=made,
        sections=report,
        plots=plots,
        script=script,
        script_hash=f"sha256-{digest}",
        styles="\n".join(styles),
    )


if __name__ == "__main__":
    sys.exit(main())
