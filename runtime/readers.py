"""Rows of one file as records: JSONL, CSV or Parquet, the first two perhaps compressed."""

from __future__ import annotations

import contextlib
import gzip
import io
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from runtime.csv_rows import csv_rows
from runtime.errors import ToolkitError
from runtime.lines import check_columns, not_utf8, numbered_lines
from schemas.validation import describe_errors

if TYPE_CHECKING:
    from pyarrow import RecordBatch

Record = TypeVar("Record", bound=BaseModel)

COMPRESSIONS = (".gz", ".zst")
_HINT = "correct the file and run again; nothing was written"
_PARQUET_BUFFER = 2**16


def read_rows(path: Path, name: str, model: type[Record]) -> Iterator[tuple[int, Record]]:
    """The rows of a file, each with its line (of Parquet: row) from 1. Memory stays constant.

    The format follows the name, in small or capital letters: `.csv`, `.parquet`, else JSONL; `.gz`
    and `.zst` are unpacked while reading. `name` is what messages call the file. Raises
    ToolkitError("input") that names file, line, field and expectation.
    """
    inner = Path(path.stem) if _ending(path) in COMPRESSIONS else path
    with _readable(name):
        if _ending(inner) == ".parquet":
            yield from _parquet_rows(path, name, model)
            return
        with opened(path) as file:
            reader = csv_rows if _ending(inner) == ".csv" else _jsonl_rows
            yield from reader(file, name, model)


def opened(path: Path) -> IO[bytes]:
    """The bytes of a file, unpacked where its name ends in `.gz` or `.zst`. Raises OSError."""
    if _ending(path) == ".gz":
        return gzip.open(path, "rb")  # type: ignore[return-value]
    if _ending(path) == ".zst":
        from pyarrow import CompressedInputStream

        return io.BufferedReader(CompressedInputStream(path.open("rb"), "zstd"))
    return path.open("rb")


def _ending(path: Path) -> str:
    return path.suffix.lower()


@contextlib.contextmanager
def _readable(name: str) -> Iterator[None]:
    try:
        yield
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ToolkitError("input", f"{name}: {reason}", "check the path of the input") from error


def _jsonl_rows(file: IO[bytes], name: str, model: type[Record]) -> Iterator[tuple[int, Record]]:
    for number, line in numbered_lines(file, name):
        text = line.removeprefix(b"\xef\xbb\xbf").strip()
        if text:
            yield number, json_record(text, f"{name}:{number}", model)


def json_record(text: bytes, place: str, model: type[Record]) -> Record:
    """A line of JSON as a record. Raises ToolkitError("input") that names `place` and the field."""
    try:
        return model.model_validate_json(text)
    except ValidationError as error:
        raise _bad_json_line(place, text, model, error) from None


def _bad_json_line(
    place: str, text: bytes, model: type[BaseModel], error: ValidationError
) -> ToolkitError:
    try:
        text.decode()
        data = from_json(text)
    except UnicodeDecodeError as problem:
        return not_utf8(place, problem)
    except ValueError as problem:
        # One record is one line, so only the column of pydantic's position means something.
        reason = str(problem).replace(" at line 1 column ", " at column ")
        hint = "give one JSON object a line, or a .parquet or .csv file"
        return ToolkitError("input", f"{place}: not valid JSON: {reason}", hint)
    return ToolkitError("input", f"{place}: {describe_errors(error, data, model)}", _HINT)


def _parquet_rows(path: Path, name: str, model: type[Record]) -> Iterator[tuple[int, Record]]:
    for number, row in enumerate(_parquet_values(path, name), 1):
        data = _without_nulls(row)
        try:
            record = model.model_validate(data)
        except ValidationError as error:
            message = f"{name}:{number}: {describe_errors(error, data, model)}"
            raise ToolkitError("input", message, _HINT) from None
        yield number, record


def _parquet_values(path: Path, name: str) -> Iterator[dict[str, Any]]:
    """Read in pages, not in whole row groups: some writers put a whole file into one."""
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    read = 0
    try:
        with ParquetFile(path, buffer_size=_PARQUET_BUFFER, pre_buffer=False) as file:
            check_columns(file.schema_arrow.names, name)
            for batch in file.iter_batches(batch_size=1024):
                yield from batch_rows(batch, name)
                read += batch.num_rows
    except (ArrowException, UnicodeDecodeError) as error:
        what = f"damaged after row {read}" if read else "not a Parquet file"
        raise ToolkitError("input", f"{name}: {what}: {str(error)[:300]}", _HINT) from None


def batch_rows(batch: RecordBatch, name: str) -> list[dict[str, Any]]:
    """The rows of a part of a Parquet file.

    Raises ToolkitError("input") with the first column that has a value Python cannot hold: a date
    after the year 9999, a time zone nobody knows, two fields of one name, bytes that are no text.
    """
    # What pyarrow raises for it is of one of these types, its own being ValueErrors.
    bad = (ValueError, OverflowError, LookupError)
    try:
        rows: list[dict[str, Any]] = batch.to_pylist()
        return rows
    except bad as error:
        column, reason = "a column", error
        for field, values in zip(batch.schema, batch.columns, strict=True):
            try:
                values.to_pylist()
            except bad as problem:
                column, reason = f"column {field.name[:100]} ({str(field.type)[:100]})", problem
                break
    message = f"{name}: {column} has a value that cannot be read: {str(reason)[:200]}"
    raise ToolkitError("input", message, "write the column as text, or leave it out")


def _without_nulls(value: Any) -> Any:
    """A Parquet column is null where the row has no such key."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value
