"""A report as Markdown: every number in tables, plots as links, a few of the samples as text."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from pages.report_parts import Cards, Figure, Item, Note, Samples, Section, Table

SHOWN = 10
"""Samples of each kind; the page has more, with images."""
_SPECIAL = re.compile(r"([\\`*_{}\[\]<>#|~!&$])")
_LONGEST = 500


def markdown(title: str, lines: Sequence[str], report: Sequence[Section], plots: str) -> str:
    """The whole text, `lines` below its title; `plots` is the folder of the plots beside it."""
    text = [f"# {escape(title)}", "", *(f"- {escape(line)}" for line in lines), ""]
    for section in report:
        text += [f"## {section.title}", ""]
        if section.lead:
            text += [section.lead, ""]
        for block in section.blocks:
            text += [*_block(block, plots), ""]
    return "\n".join(text)


def escape(text: str) -> str:
    """Foreign text as one line that means nothing to Markdown or HTML."""
    return (
        _SPECIAL.sub(r"\\\1", " ".join(text.split())).replace("\\<", "&lt;").replace("\\>", "&gt;")
    )


def _block(block: object, plots: str) -> Iterator[str]:
    match block:
        case Cards():
            for card in block.cards:
                detail = f" ({escape(card.detail)})" if card.detail else ""
                yield f"- {escape(card.label)}: **{escape(card.value)}**{detail}"
        case Table():
            yield from _table(block)
        case Figure():
            yield f"### {escape(block.title)}"
            yield ""
            yield f"![{escape(block.text)}]({plots}/{block.name}.svg)"
            yield ""
            yield from _table(block.table)
        case Note():
            yield escape(block.text)
        case Samples():
            shown = block.items[:SHOWN]
            yield f"### {escape(block.title)}: {len(shown)} of {block.total:,}"
            yield ""
            yield from (_item(item) for item in shown)


def _table(table: Table) -> Iterator[str]:
    if table.title:
        yield f"### {escape(table.title)}"
        yield ""
    marks = ("---" if place in table.words else "--:" for place in range(len(table.columns)))
    yield f"| {' | '.join(map(escape, table.columns))} |"
    yield f"|{'|'.join(marks)}|"
    for row in table.rows:
        yield f"| {' | '.join(map(escape, row))} |"
    if table.note:
        yield ""
        yield escape(table.note)


def _item(item: Item) -> str:
    names = " · ".join(escape(part) for part in (item.run, item.id, *item.flags) if part)
    text = item.line if len(item.line) <= _LONGEST else item.line[: _LONGEST - 1] + "…"
    return f"- {names}{': ' if text else ''}{escape(text)}"
