"""From runs to the files of a report: the page, its Markdown twin, its plots."""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from pages.plots import svg
from pages.render import TEMPLATES, render
from pages.report_about import about, left_out, summary
from pages.report_finer import finer_sections
from pages.report_granfact import granfact_sections
from pages.report_graphs import discriminator_sections, graph_sections, negative_sections
from pages.report_markdown import markdown
from pages.report_others import (
    build_sections,
    judged_sections,
    other_sections,
    tuning_sections,
)
from pages.report_parts import Block, Figure, Section
from pages.report_rectifier import rectifier_sections
from pages.report_responses import rsr_sections
from pages.report_runs import Run
from runtime.errors import ToolkitError
from runtime.files import atomic_writer

SAMPLES = 60
"""Rows to look at of each kind, of all runs together."""
MARK = "made by grainwise report"
"""Stands in every report, so that one is replaced by the next and no other file is."""

View = Callable[[Sequence[Run], int], Iterator[Section]]
"""Makes the sections of runs of one agent, with this many samples of each run."""
VIEWS: Mapping[str, View] = {
    "rsr": rsr_sections,
    "granfact": granfact_sections,
    "category_judge": judged_sections,
    "attribute_judge": judged_sections,
    "caption_parser": graph_sections,
    "negative_generator": negative_sections,
    "discriminator": discriminator_sections,
    "finer_build": build_sections,
    "finer": finer_sections,
    "finer_tuning": tuning_sections,
    "rectifier": rectifier_sections,
}


def write_report(page: Path, runs: Sequence[Run]) -> None:
    """Write the page, its Markdown twin and the plots.

    Raises ToolkitError for a damaged run, and for a file in the way that is no report. Then
    nothing is written.
    """
    for path in (page, page.with_suffix(".md")):
        _check_replaceable(path)
    report = list(sections(runs))
    figures = [block for part in report for block in part.blocks if isinstance(block, Figure)]
    plots = {figure.name: svg(figure.chart, figure.name) for figure in figures}
    title = ", ".join(run.name for run in runs) if len(runs) < 4 else f"{len(runs)} runs"
    names = [f"{run.name}: " if len(runs) > 1 else "" for run in runs]
    about_runs = [name + summary(run) for name, run in zip(names, runs, strict=True)]
    lines = [*about_runs, f"Made {datetime.now(UTC):%Y-%m-%d %H:%M} UTC"]
    folder = page.with_name(f"{page.stem}-plots")
    text = f"<!-- {MARK} -->\n" + markdown(title, lines, report, folder.name)
    html = render_page(title, lines, report, plots)
    drawn = [(folder / f"{name}.svg", drawing) for name, drawing in plots.items()]
    for path, content in (*drawn, (page.with_suffix(".md"), text), (page, html)):
        with atomic_writer(path) as file:
            file.write(content)


def _check_replaceable(path: Path) -> None:
    """Raises ToolkitError("input") for a file that is no report."""
    hint = "choose another --output"
    try:
        with path.open("rb") as file:
            known = MARK.encode() in file.read(500)
    except FileNotFoundError:
        return
    except OSError as error:
        raise ToolkitError("input", f"{path}: {error.strerror or error}", hint) from error
    if not known:
        raise ToolkitError("input", f"{path}: is there, and is no report", hint)


def sections(runs: Sequence[Run]) -> Iterator[Section]:
    """All chapters: those of each kind of run, what was left out, and what was run.

    Anchors and the names of plots are made unique.
    """
    size = max(1, SAMPLES // len(runs))
    groups: dict[str, list[Run]] = {}
    for run in runs:
        groups.setdefault(run.manifest.agent, []).append(run)
    views = [(VIEWS.get(agent, other_sections), group) for agent, group in groups.items()]
    parts = [part for view, group in views for part in view(group, size)]
    anchors, figures = Counter[str](), Counter[str]()
    for section in (*parts, *left_out(runs), about(runs)):
        blocks = [_renamed(block, figures) for block in section.blocks]
        yield replace(section, name=_unique(section.name, anchors), blocks=blocks)


def _renamed(block: Block, used: Counter[str]) -> Block:
    return replace(block, name=_unique(block.name, used)) if isinstance(block, Figure) else block


def _unique(name: str, used: Counter[str]) -> str:
    used[name] += 1
    return name if used[name] == 1 else f"{name}-{used[name]}"


def render_page(
    title: str, lines: Sequence[str], report: Sequence[Section], plots: Mapping[str, str]
) -> str:
    """The page as HTML. Its one script is named by hash in its content security policy."""
    script = (TEMPLATES / "report.js").read_text(encoding="utf-8")
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    styles = [
        (TEMPLATES / f"{name}.css").read_text(encoding="utf-8") for name in ("theme", "report")
    ]
    return render(
        "report.html",
        mark=MARK,
        title=title,
        lines=lines,
        sections=report,
        plots=plots,
        script=script,
        script_hash=f"sha256-{digest}",
        styles="\n".join(styles),
    )
