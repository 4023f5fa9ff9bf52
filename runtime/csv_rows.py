"""Rows of a CSV file as records, and back: the first line names the fields."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO, Any, TypeVar

from pydantic import BaseModel, ValidationError

from runtime.errors import ToolkitError
from schemas.validation import describe_errors

Record = TypeVar("Record", bound=BaseModel)

# A model's answer may be longer than the 131,072 characters that Python reads by default.
_MAX_CELL = 2**31 - 1
_HINT = "correct the file and run again; nothing was written"


def csv_rows(path: Path, model: type[Record]) -> Iterator[tuple[int, Record]]:
    """The rows of a UTF-8 CSV file, each with its first line. An empty cell is an absent key.

    Raises ToolkitError("input") that names file, line, field and expectation.
    """
    csv.field_size_limit(_MAX_CELL)
    with path.open("rb") as handle:
        reader = csv.reader(_utf8_lines(path, handle), strict=True)
        header = _header(path, reader)
        while True:
            number = reader.line_num + 1  # a quoted cell may go over several lines
            cells = _cells(path, number, reader)
            if cells is None:
                return
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                message = f"{path}:{number}: {len(cells)} cells, but the header has {len(header)}"
                raise ToolkitError("input", message, _HINT)
            row = {key: cell for key, cell in zip(header, cells, strict=True) if cell}
            try:
                record = model.model_validate(row)
            except ValidationError as error:
                raise _bad_row(path, number, header, row, model, error) from None
            yield number, record


def csv_writer(file: IO[str], columns: Iterable[str]) -> Any:
    """A writer of the csv module, with the header written.

    Texts are quoted, as Python leaves a lone carriage return bare, which no reader takes.
    """
    writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(columns)
    return writer


def _utf8_lines(path: Path, handle: IO[bytes]) -> Iterator[str]:
    for number, line in enumerate(handle, 1):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            message = f"{path}:{number}: not UTF-8 text: {error.reason} at byte {error.start + 1}"
            raise ToolkitError("input", message, "save the file as UTF-8") from None


def _cells(path: Path, number: int, reader: Iterator[list[str]]) -> list[str] | None:
    try:
        return next(reader, None)
    except csv.Error as error:
        raise ToolkitError("input", f"{path}:{number}: not valid CSV: {error}", _HINT) from None


def _header(path: Path, reader: Iterator[list[str]]) -> list[str]:
    header = [name.strip() for name in _cells(path, 1, reader) or ()]
    for name, times in Counter(header).items():
        if times > 1:
            message = f"{path}:1: two columns are called {name[:100]!r}"
            raise ToolkitError("input", message, _HINT)
    return header


def _bad_row(
    path: Path,
    number: int,
    header: list[str],
    row: dict[str, str],
    model: type[BaseModel],
    error: ValidationError,
) -> ToolkitError:
    """What is wrong with every row is said of the header."""
    missing = [
        str(problem["loc"][0])
        for problem in error.errors(include_url=False)
        if problem["type"] == "missing" and problem["loc"][0] not in header
    ]
    if missing:
        columns = f"column{'s' if len(missing) > 1 else ''} {', '.join(missing)}"
        hint = "the first line names the columns; nothing was written"
        return ToolkitError("input", f"{path}:1: no {columns}", hint)
    return ToolkitError("input", f"{path}:{number}: {describe_errors(error, row, model)}", _HINT)
