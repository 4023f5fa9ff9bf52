"""The plots of a report, drawn once when it is made: plain SVG, no script.

Colours are the theme's variables, with a light one to fall back on where a plot stands alone. What
colour says is also said by shape, dash, place or words.
"""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Mapping, Sequence
from typing import Any
from xml.etree import ElementTree

import altair as alt
import vl_convert

Chart = alt.Chart | alt.LayerChart | alt.FacetChart
Rows = Sequence[Mapping[str, Any]]

INK, MUTED, LINE = "var(--ink, #1c2126)", "var(--muted, #59626c)", "var(--line, #d5dae0)"
PAPER, BAD = "var(--paper, #ffffff)", "var(--bad, #a83a00)"
SERIES = tuple(
    f"var(--series-{number}, {colour})"
    for number, colour in enumerate(
        ("#0072b2", "#c44e00", "#008a64", "#a8478a", "#9a6a00", "#2b7fb0", "#59626c", "#6a5acd"), 1
    )
)
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
_STYLE_SHAPES = ("circle", "square", "diamond", "cross", "triangle-down")
_ARROW = "M0,-1L.6,.9L0,.4L-.6,.9Z"
DASHES = ((1, 0), (6, 3), (2, 2), (8, 3, 2, 3))
STYLES = ("conservative", "neutral", "aggressive")
"""In this order a model is asked for ever more detail (GranFact section 6.1)."""

WIDTH, HEIGHT, _TALL = 350, 230, 280
"""Of the plotting area. So small that a plot is still read where it shrinks to a telephone."""
_SVG = "http://www.w3.org/2000/svg"
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]")
_LONGEST = 40


def label(text: str) -> str:
    """A name as it may stand in a plot: without what XML forbids, and not too long.

    It is cut in its middle: models and folders are told apart by how their names end.
    """
    clean = _CONTROL.sub("�", text)
    return clean if len(clean) <= _LONGEST else f"{clean[:13]}…{clean[14 - _LONGEST :]}"


def tradeoff(rows: Rows, metric: str) -> Chart:
    """Granularity against reliability, an arrow for each series from style to style.

    Rows have `series`, `style`, `granularity` and `reliability`, shares from 0 to 1.
    """
    series = list(dict.fromkeys(row["series"] for row in rows))
    styles = sorted({row["style"] for row in rows}, key=style_rank)
    across, up = (_domain([row[key] for row in rows]) for key in ("granularity", "reliability"))
    x = alt.X("granularity:Q", title="granularity G", **_shares(across))
    y = alt.Y("reliability:Q", title=f"reliability {metric}", **_shares(up))
    line = _legend(series, symbolType="stroke", symbolSize=400)
    colour = alt.Color("series:N", scale=_scale(series, SERIES), legend=line)
    dash = alt.StrokeDash("series:N", scale=_scale(series, DASHES), legend=line)
    legend = alt.Legend(title=None, orient="top", columns=3, symbolFillColor=MUTED)
    shape = alt.Shape("style:N", scale=_scale(styles, _STYLE_SHAPES), legend=legend)
    points = alt.Chart(_data(rows)).mark_point(size=90, filled=True, opacity=1)
    steps, heads = _arrows(rows, WIDTH / (across[1] - across[0]), _TALL / (up[1] - up[0]))
    lines = alt.Chart(_data(steps)).mark_line(strokeWidth=1.5, aria=False)
    tips = alt.Chart(_data(heads)).mark_point(
        shape=_ARROW, size=260, filled=True, opacity=1, aria=False
    )
    layered = alt.layer(
        lines.encode(x=x, y=y, color=colour, strokeDash=dash, detail="step:N"),
        tips.encode(x=x, y=y, color=colour, angle=alt.Angle("angle:Q", scale=None)),
        points.encode(x=x, y=y, color=colour, shape=shape),
    )
    return layered.properties(width=WIDTH, height=_TALL)


def _domain(values: Sequence[float]) -> tuple[float, float]:
    """Whole tenths with all values well between them, within 0 and 1."""
    low, high = min(values) - 0.03, max(values) + 0.03
    return max(0.0, math.floor(low * 10) / 10), min(1.0, math.ceil(high * 10) / 10)


def _shares(domain: tuple[float, float]) -> dict[str, Any]:
    return {"scale": alt.Scale(domain=domain, nice=False), "axis": _percent_axis()}


def style_rank(style: str) -> tuple[int, str]:
    """Orders the prompt styles as STYLES has them, others behind."""
    return (STYLES.index(style) if style in STYLES else len(STYLES), style)


def _arrows(
    rows: Rows, width: float, height: float
) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """The ends of all lines, and arrow heads in their middles, turned the way they go.

    `width` and `height` are those of the whole range from 0 to 1, in pixels.
    """
    steps: list[dict[str, Any]] = []
    heads: list[dict[str, Any]] = []
    for series in dict.fromkeys(row["series"] for row in rows):
        known = [row for row in rows if row["series"] == series and row["style"] in STYLES]
        known.sort(key=lambda row: style_rank(row["style"]))
        for start, end in itertools.pairwise(known):
            right = (end["granularity"] - start["granularity"]) * width
            up = (end["reliability"] - start["reliability"]) * height
            if not right and not up:
                continue
            name = f"{series}: {start['style']} to {end['style']}"
            steps += [{**side, "step": name} for side in (start, end)]
            middle = {key: (start[key] + end[key]) / 2 for key in ("granularity", "reliability")}
            angle = math.degrees(math.atan2(right, up))
            heads.append({**middle, "series": series, "angle": angle})
    return steps, heads


def lines(
    rows: Rows, x: str, y: str, *, guessing: float | None = None, most: int | None = None
) -> Chart:
    """A line for each series with 95 % intervals; panels side by side where rows have `panel`.

    Rows have `series`, `x` (whole numbers), `y`, and perhaps `low` and `high`: shares from 0 to 1,
    or counts up to `most` where this is given. `guessing` is what chance alone would give.
    """
    series = list(dict.fromkeys(row["series"] for row in rows))
    spread = {name: (place - (len(series) - 1) / 2) for place, name in enumerate(series)}
    step = min(0.12, 0.6 / len(series))
    placed = [{**row, "place": row["x"] + step * spread[row["series"]]} for row in rows]
    numbers = sorted({int(row["x"]) for row in rows})
    ends = (numbers[0] - 0.5, numbers[-1] + 0.5)
    axis = alt.Axis(values=numbers, format="d", grid=False)
    across = alt.X("place:Q", title=x, axis=axis, scale=alt.Scale(domain=ends, nice=False))
    counts = {"scale": alt.Scale(domain=(0, most)), "axis": _count_axis()}
    up = alt.Y("y:Q", title=y, **(counts if most else _shares((0, 1))))
    base = alt.Chart().encode(x=across, color=_colour("series", series))
    shape = alt.Shape("series:N", title=None, scale=_scale(series, SHAPES), legend=_legend(series))
    dash = alt.StrokeDash("series:N", scale=_scale(series, DASHES), legend=None)
    layers = [
        base.mark_line(strokeWidth=2).encode(y=up, strokeDash=dash),
        base.mark_rule(strokeWidth=1.5, aria=False)
        .encode(y=alt.Y("low:Q"), y2="high:Q")
        .transform_filter("isValid(datum.low)"),
        base.mark_point(size=70, filled=True, opacity=1).encode(y=up, shape=shape),
    ]
    if guessing is not None:
        chance = alt.Chart(_data([{}])).mark_rule(strokeDash=[4, 4], color=MUTED, aria=False)
        layers.insert(0, chance.encode(y=alt.datum(guessing)))
    panels = list(dict.fromkeys(row["panel"] for row in rows if "panel" in row))
    chart = alt.layer(*layers, data=_data(placed))
    if len(panels) < 2:
        return chart.properties(width=WIDTH, height=HEIGHT, title="".join(panels))
    header = alt.Header(title=None, labelFontWeight="bold")
    return chart.properties(width=WIDTH / 2 - 20, height=150).facet(
        alt.Facet("panel:N", sort=panels, header=header, title=None), columns=2, spacing=18
    )


def histogram(rows: Rows, x: str, width: float, *, threshold: float | None = None) -> Chart:
    """Counts in bins of `width`, one panel below the other; colours where rows have `group`.

    Rows have `panel`, `low` (where the bin begins), `count`, and `group`.
    """
    groups = list(dict.fromkeys(row["group"] for row in rows))
    panels = list(dict.fromkeys(row["panel"] for row in rows))
    placed = [{**row, "high": row["low"] + width} for row in rows]
    bars = (
        alt.Chart()
        .mark_bar(stroke=PAPER, strokeWidth=1)
        .encode(
            x=alt.X("low:Q", title=x, bin="binned", axis=alt.Axis(grid=False)),
            x2="high:Q",
            y=alt.Y("count:Q", title="number", stack=True, axis=_count_axis()),
            color=_colour("group", groups),
        )
    )
    layers: list[Any] = [bars]
    if threshold is not None:
        rule = alt.Chart(_data([{}])).mark_rule(color=BAD, strokeWidth=2, strokeDash=[5, 3])
        layers.append(rule.encode(x=alt.datum(threshold)))
    height = HEIGHT - 60 if len(panels) == 1 else 110
    chart = alt.layer(*layers, data=_data(placed)).properties(width=WIDTH, height=height)
    if len(panels) == 1:
        return chart
    header = alt.Header(title=None, labelFontWeight="bold", labelOrient="top", labelAnchor="start")
    row = alt.Row("panel:N", sort=panels, header=header, title=None)
    faceted: Chart = chart.facet(row=row, spacing=12).resolve_scale(y="independent")
    return faceted


def bars(rows: Rows, title: str) -> Chart:
    """Horizontal bars with their numbers, side by side for each series.

    Rows have `name`, `series` and `count`.
    """
    series = list(dict.fromkeys(row["series"] for row in rows))
    names = list(dict.fromkeys(row["name"] for row in rows))
    most = max((row["count"] for row in rows), default=0) or 1
    across = alt.Scale(domain=(0, most * 1.15))  # room for the numbers
    base = alt.Chart(_data(rows)).encode(
        x=alt.X("count:Q", title=title, axis=_count_axis(), scale=across),
        y=alt.Y("name:N", title=None, sort=names, axis=alt.Axis(labelLimit=150)),
        yOffset=alt.YOffset("series:N", sort=series),
    )
    numbers = base.mark_text(align="left", dx=4, color=INK, fontSize=11, aria=False)
    layered = alt.layer(
        base.mark_bar(cornerRadiusEnd=2).encode(color=_colour("series", series)),
        numbers.encode(text=alt.Text("count:Q", format=",")),
    )
    return layered.properties(width=WIDTH - 60, height=alt.Step(max(18, 30 // len(series))))


def intervals(rows: Rows) -> Chart:
    """A dot with its 95 % interval for each metric and series.

    Rows have `name`, `series`, `value`, and perhaps `low` and `high`, shares from 0 to 1.
    """
    series = list(dict.fromkeys(row["series"] for row in rows))
    names = list(dict.fromkeys(row["name"] for row in rows))
    axis = alt.Axis(title=None, grid=True, gridDash=[1, 3])
    base = alt.Chart(_data(rows)).encode(
        y=alt.Y("name:N", sort=names, axis=axis),
        yOffset=alt.YOffset("series:N", sort=series),
        color=_colour("series", series),
    )
    across = alt.X("value:Q", title=None, **_shares((0, 1)))
    shape = alt.Shape("series:N", title=None, scale=_scale(series, SHAPES), legend=_legend(series))
    layered = alt.layer(
        base.mark_rule(strokeWidth=2, aria=False)
        .encode(x=alt.X("low:Q"), x2="high:Q")
        .transform_filter("isValid(datum.low)"),
        base.mark_point(size=70, filled=True, opacity=1).encode(x=across, shape=shape),
    )
    return layered.properties(width=WIDTH, height=alt.Step(max(12, 26 // len(series))))


def svg(chart: Chart, name: str) -> str:
    """The plot as SVG that fits its box and needs nothing else. `name` is unique in the page.

    The names of its marks become titles, which a pointer shows.
    """
    drawn = _styled(chart).to_dict()
    root = ElementTree.fromstring(vl_convert.vegalite_to_svg(drawn))
    for element in root.iter():
        for key, value in element.attrib.items():
            if "clip" in value or key == "id":  # ids are the page's, not the plot's
                element.set(key, re.sub(r"\bclip", f"{name}-clip", value))
        named = element.get("aria-label")
        if named and element.get("aria-roledescription") not in ("axis", "legend"):
            title = ElementTree.SubElement(element, f"{{{_SVG}}}title")
            title.text = named
    root.set("style", f"max-width:{root.get('width')}px")
    root.attrib.pop("width", None)
    root.attrib.pop("height", None)
    ElementTree.register_namespace("", _SVG)
    return ElementTree.tostring(root, encoding="unicode")


def _styled(chart: Chart) -> Any:
    # Vega measures texts in a font of its own: a page's font may be wider, so there is room.
    room = {"left": 12, "right": 12, "top": 6, "bottom": 6}
    return (
        chart.configure(background="transparent", font="sans-serif", padding=room)
        .configure_view(stroke=None)
        .configure_axis(
            labelColor=MUTED, titleColor=INK, gridColor=LINE, domainColor=MUTED, tickColor=MUTED,
            labelFontSize=12, titleFontSize=12, titleFontWeight="normal", titlePadding=8,
        )
        .configure_legend(
            labelColor=INK, titleColor=INK, labelFontSize=12, labelLimit=180, orient="bottom",
            columns=2, symbolSize=80, symbolStrokeWidth=2, title=None, offset=10, columnPadding=20,
        )
        .configure_header(labelColor=INK, labelFontSize=12)
        .configure_title(color=INK, fontSize=12)
    )  # fmt: skip


def _colour(field: str, names: Sequence[str]) -> Any:
    """A legend only where there is something to tell apart."""
    legend = _legend(names) if len(names) > 1 else None
    return alt.Color(f"{field}:N", title=None, scale=_scale(names, SERIES), legend=legend)


def _legend(names: Sequence[str], **symbol: Any) -> Any:
    """Long names stand below each other, so that they are seen whole."""
    look: dict[str, Any] = symbol or {"symbolDash": [1, 0]}
    if any(len(name) > _LONGEST // 2 for name in names):
        look |= {"columns": 1, "labelLimit": WIDTH}
    return alt.Legend(title=None, **look)


def _scale(names: Sequence[str], values: Sequence[Any]) -> Any:
    chosen = [values[place % len(values)] for place in range(len(names))]
    return alt.Scale(domain=list(names), range=chosen)


def _percent_axis() -> Any:
    return alt.Axis(format=".0%", tickCount=5, gridDash=[1, 3])


def _count_axis() -> Any:
    return alt.Axis(format=",d", tickCount=4, tickMinStep=1)


def _data(rows: Rows) -> Any:
    return alt.InlineData(values=[dict(row) for row in rows])
