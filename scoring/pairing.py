"""Which rows of a file of questions belong together (FINER section 2.4, spec 3.5)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import TypeVar

from schemas.finer import QuestionRow

Row = TypeVar("Row", bound=QuestionRow)

_SIDED = re.compile(r".+_(pos|neg)")
_COUNTED = re.compile(r"(.+)_(\d+)")
_LEVEL = re.compile(r"level_\d+")


class PairingError(ValueError):
    """A row without its partner; `place` is what the row came with."""

    def __init__(self, place: object, message: str) -> None:
        super().__init__(message)
        self.place = place


def pair_rows(rows: Iterable[tuple[object, Row]]) -> Iterator[tuple[Row, ...]]:
    """Group rows that come with their place: `(row, row)` for a pair, `(row,)` for a level.

    A pair is two consecutive rows of one image and one stem, one `_pos` and one `_neg` in either
    order. Raises PairingError for a row that is in no pair and of no level.
    """
    first: tuple[object, Row] | None = None
    for place, row in rows:
        if first is not None:
            _check_partner(first[1], place, row)
            yield first[1], row
            first = None
        elif _LEVEL.fullmatch(row.qtype):
            yield (row,)
        elif _SIDED.fullmatch(row.qtype):
            first = place, row
        else:
            expected = "expected one that ends in _pos or _neg, or level_N"
            raise PairingError(place, f"qtype: {expected}, got {row.qtype!r}")
    if first is not None:
        raise PairingError(first[0], f"expected {_partner(first[1])} after this row, got the end")


def split_stem(qtype: str) -> tuple[str, int | None]:
    """Setting and number of elements of a `qtype`: `multi_obj_3_neg` → `("multi_obj", 3)`.

    The number is None where the stem does not end in one.
    """
    stem = qtype.removesuffix("_pos").removesuffix("_neg")
    found = _COUNTED.fullmatch(stem)
    return (found[1], int(found[2])) if found else (stem, None)


def _check_partner(first: QuestionRow, place: object, row: QuestionRow) -> None:
    for field, wanted in (("image", first.image), ("qtype", _partner_type(first))):
        got = getattr(row, field)
        if got != wanted:
            raise PairingError(place, f"{field}: expected {_partner(first)} here, got {got!r}")


def _partner(row: QuestionRow) -> str:
    return f"the other row of the pair ({_partner_type(row)} of {row.image})"


def _partner_type(row: QuestionRow) -> str:
    stem, side = row.qtype[:-4], row.qtype[-4:]
    return stem + {"_pos": "_neg", "_neg": "_pos"}[side]
