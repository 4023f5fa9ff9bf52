"""Reliability against granularity, as GranFact's figure 2 shows it: a series for each model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pages.plots import label, style_rank, tradeoff
from pages.report_parts import Figure, Section, Table, interval

NAMES = {
    "IRR": "Reliable responses (IRR) against granularity",
    "P": "Precision (P) against granularity",
}


def tradeoff_section(rows: Sequence[Mapping[str, Any]]) -> Iterator[Section]:
    """Plots of both kinds of reliability, where there is anything to plot.

    Rows have `series`, `style`, `metrics` (an object with IRR, P and G) and perhaps `intervals`.
    """
    if not rows:
        return
    series = list(dict.fromkeys(row["series"] for row in rows))
    rows = sorted(rows, key=lambda row: (series.index(row["series"]), style_rank(row["style"])))
    section = Section(
        "tradeoff",
        "Reliability against granularity",
        lead="Asked for more detail, models say finer things and more of them are wrong. Up and "
        "to the right is better; arrows go from the conservative prompt over the neutral to the "
        "aggressive one.",
    )
    table = _table(rows)
    for name, title in NAMES.items():
        points = [
            {
                "series": label(row["series"]),
                "style": label(row["style"]),
                "granularity": row["metrics"].G,
                "reliability": getattr(row["metrics"], name),
            }
            for row in rows
        ]
        text = f"{name} against G for each series and prompt style, joined by arrows."
        chart = tradeoff(points, name)
        section.blocks.append(Figure(f"tradeoff-{name}", title, chart, text, table))
    yield section


def _table(rows: Sequence[Mapping[str, Any]]) -> Table:
    return Table(
        ["responses", "style", "G", *NAMES],
        [
            [row["series"], row["style"]]
            + [
                interval(getattr(row["metrics"], name), row.get("intervals", {}).get(name))
                for name in ("G", *NAMES)
            ]
            for row in rows
        ],
        words=(0, 1),
    )
