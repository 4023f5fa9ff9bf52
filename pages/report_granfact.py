"""Runs of `benchmarks.granfact`: the nine metrics by model, prompt style and domain."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from benchmarks.granfact import METRICS
from pages.plots import style_rank
from pages.report_claims import response_samples
from pages.report_parts import Section, Table, interval
from pages.report_runs import Run
from pages.report_tradeoff import tradeoff_section
from pages.samples import Sample
from schemas.judged import Metrics
from schemas.record import JudgedRecord


class MetricsRow(Metrics):
    """A row of `metrics.json`."""

    model: str
    style: str
    domain: str
    images: int
    intervals: dict[str, tuple[float, float]]


def granfact_sections(runs: Sequence[Run], size: int) -> Iterator[Section]:
    """The sections of these runs, with `size` samples of each."""
    rows = {run.name: run.value("metrics.json", list[MetricsRow]) for run in runs}
    named = [(_series(name, row, rows), row) for name, found in rows.items() for row in found]
    named.sort(key=lambda entry: (entry[0], style_rank(entry[1].style), entry[1].domain))
    whole = [(series, row) for series, row in named if row.domain == "all"]
    parts = [(series, row) for series, row in named if row.domain != "all"]
    yield Section(
        "metrics",
        "Metrics of GranFact",
        [_table("By model and prompt style", whole)],
        lead="Nine metrics in percent, with 95 % bootstrap intervals over images.",
    )
    yield from tradeoff_section(
        [
            {"series": series, "style": row.style, "metrics": row, "intervals": row.intervals}
            for series, row in whole
        ]
    )
    if parts:
        yield Section("domains", "By domain", [_table("", parts, domain=True)])
    yield response_samples(runs, judged_samples(runs, "judgements.jsonl", size))


def judged_samples(runs: Sequence[Run], file: str, size: int) -> dict[str, Sample[JudgedRecord]]:
    """Some of the judged responses of each run. Raises ToolkitError("input")."""
    drawn = {}
    for run in runs:
        drawn[run.name] = sample = Sample[JudgedRecord](size)
        for record in run.rows(file, JudgedRecord):
            sample.offer(record.id, record)
    return drawn


def _series(run: str, row: MetricsRow, runs: dict[str, list[MetricsRow]]) -> str:
    """The model; with its run where models of several runs are called alike."""
    alike = sum(any(other.model == row.model for other in found) for found in runs.values())
    return f"{run}, {row.model}" if alike > 1 else row.model


def _table(title: str, rows: Sequence[tuple[str, MetricsRow]], domain: bool = False) -> Table:
    columns = ["model", "style", *(["domain"] if domain else []), "responses", *METRICS]
    cells = [
        [series, row.style, *([row.domain] if domain else []), f"{row.examples:,}"]
        + [interval(getattr(row, name), row.intervals.get(name)) for name in METRICS]
        for series, row in rows
    ]
    return Table(columns, cells, title=title, words=(0, 1, 2) if domain else (0, 1))
