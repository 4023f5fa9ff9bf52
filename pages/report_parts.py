"""What a report is made of, whatever it is written as: sections of tables, plots and samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

from pages.thumbnails import Thumbnail


@dataclass(frozen=True)
class Table:
    """Rows of texts. `words` are the columns of words; the others hold numbers."""

    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    title: str = ""
    note: str = ""
    words: Sequence[int] = (0,)
    kind: ClassVar[str] = "table"


def by_run(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    words: int,
    title: str = "",
    note: str = "",
) -> Table:
    """Rows that begin with the name of their run, which goes where there is only one.

    `words` is how many columns of words follow it.
    """
    first = len({row[0] for row in rows}) < 2
    shown = [row[first:] for row in rows]
    return Table(["run", *columns][first:], shown, title, note, range(words + 1 - first))


@dataclass(frozen=True)
class Figure:
    """A plot as a Vega-Lite chart, what it shows in words, and its numbers.

    `name` is that of its file.
    """

    name: str
    title: str
    chart: Any
    text: str
    table: Table
    kind: ClassVar[str] = "figure"


@dataclass(frozen=True)
class Card:
    """A number that people look for first."""

    label: str
    value: str
    detail: str = ""


@dataclass(frozen=True)
class Cards:
    """The numbers at the top of a section."""

    cards: Sequence[Card]
    kind: ClassVar[str] = "cards"


@dataclass(frozen=True)
class Note:
    """A paragraph."""

    text: str
    tone: Literal["plain", "warn"] = "plain"
    kind: ClassVar[str] = "note"


@dataclass(frozen=True)
class Item:
    """One row to look at. `view` names the macro that draws it from `data`.

    `flags` are what one filters by, and stand in the line that is seen while the item is closed.
    """

    id: str
    view: str
    flags: tuple[str, ...]
    line: str
    image: Thumbnail | None
    data: Any
    run: str = ""


@dataclass(frozen=True)
class Samples:
    """Some of the rows. `legend` names the macro that explains the marks."""

    title: str
    items: Sequence[Item]
    total: int
    legend: str = ""
    kind: ClassVar[str] = "samples"

    @property
    def flags(self) -> list[str]:
        """All flags of the items and, of several runs, their names. First flags come first."""
        runs = dict.fromkeys(item.run for item in self.items if item.run)
        names = runs if len(runs) > 1 else {}
        places = range(max((len(item.flags) for item in self.items), default=0))
        flags = (
            item.flags[place] for place in places for item in self.items if place < len(item.flags)
        )
        return [*names, *dict.fromkeys(flags)]


Block = Table | Figure | Cards | Note | Samples


@dataclass(frozen=True)
class Section:
    """A chapter of the report. `name` is its anchor."""

    name: str
    title: str
    blocks: list[Block] = field(default_factory=list)
    lead: str = ""


def percent(share: float | None) -> str:
    """`12.3`, or a dash where there is nothing to count."""
    return "–" if share is None else f"{100 * share:.1f}"


def interval(value: float | None, bounds: Sequence[float] | None) -> str:
    """`12.3 [10.0, 14.5]` in percent."""
    if value is None or bounds is None:
        return percent(value)
    low, high = bounds
    return f"{percent(value)} [{percent(low)}, {percent(high)}]"
