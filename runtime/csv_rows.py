"""Rows of a CSV file as records, and back: the first line names the fields."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Iterator
from typing import IO, Any, TypeVar

from pydantic import BaseModel, ValidationError

from runtime.errors import ToolkitError
from runtime.lines import MAX_LINE, check_columns, not_utf8, numbered_lines
from schemas.validation import describe_errors

Record = TypeVar("Record", bound=BaseModel)

_HINT = "correct the file and run again; nothing was written"


def csv_rows(file: IO[bytes], name: str, model: type[Record]) -> Iterator[tuple[int, Record]]:
    """The rows of a UTF-8 CSV file, each with its first line. An empty cell is an absent key.

    `name` is what messages call the file. Raises ToolkitError("input") that names file, line,
    field and expectation.
    """
    # A model's answer may be longer than the 131,072 characters that Python reads by default.
    csv.field_size_limit(MAX_LINE)
    reader = csv.reader(_utf8_lines(file, name), strict=True)
    header = _header(name, reader)
    while True:
        number = reader.line_num + 1  # a quoted cell may go over several lines
        cells = _cells(name, number, reader)
        if cells is None:
            return
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(header):
            message = f"{name}:{number}: {len(cells)} cells, but the header has {len(header)}"
            raise ToolkitError("input", message, _HINT)
        row = {key: cell for key, cell in zip(header, cells, strict=True) if cell}
        try:
            record = model.model_validate(row)
        except ValidationError as error:
            raise _bad_row(name, number, header, row, model, error) from None
        yield number, record


def csv_writer(file: IO[str], columns: Iterable[str]) -> Any:
    """A writer of the csv module, with the header written.

    Texts are quoted, as Python leaves a lone carriage return bare, which no reader takes.
    """
    writer = csv.writer(file, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC)
    writer.writerow(columns)
    return writer


def _utf8_lines(file: IO[bytes], name: str) -> Iterator[str]:
    for number, line in numbered_lines(file, name):
        try:
            yield line.decode("utf-8-sig" if number == 1 else "utf-8")
        except UnicodeDecodeError as error:
            raise not_utf8(f"{name}:{number}", error) from None


def _cells(name: str, number: int, reader: Iterator[list[str]]) -> list[str] | None:
    try:
        return next(reader, None)
    except csv.Error as error:
        raise ToolkitError("input", f"{name}:{number}: not valid CSV: {error}", _HINT) from None


def _header(name: str, reader: Iterator[list[str]]) -> list[str]:
    header = [cell.strip() for cell in _cells(name, 1, reader) or ()]
    check_columns(header, f"{name}:1")
    return header


def _bad_row(
    name: str,
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
        return ToolkitError("input", f"{name}:1: no {columns}", hint)
    return ToolkitError("input", f"{name}:{number}: {describe_errors(error, row, model)}", _HINT)
