"""Rows of JSON lists, JSONL, Parquet and CSV files, one at a time, each with its place."""

from __future__ import annotations

import contextlib
import csv
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.sources.base import BadRow
from runtime.errors import ToolkitError

_CHUNK = 1 << 20
_START = re.compile(r"\s*\[")
_BETWEEN = re.compile(r"[\s,]*")

Row = tuple[str, Any]


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    """Raises ToolkitError("input") for what is wrong with a file as a whole."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise ToolkitError("input", f"{path}: {reason}", "check the path of the input") from error
    except UnicodeDecodeError as error:
        message = f"{path}: not UTF-8 text: {error.reason} at byte {error.start + 1}"
        raise ToolkitError("input", message, "save the file as UTF-8") from None
    except csv.Error as error:
        raise ToolkitError("input", f"{path}: not valid CSV: {error}", "correct the file") from None


def json_list(path: Path) -> Iterator[Row]:
    """Items of the JSON list that a file consists of. Only a few are in memory at a time."""
    decode = json.JSONDecoder().raw_decode
    with readable(path), path.open(encoding="utf-8-sig") as file:
        buffer, size, number = file.read(_CHUNK), _CHUNK, 0
        start = _START.match(buffer)
        if start is None:
            raise ToolkitError("input", f"{path}: not a JSON list", "give the file as published")
        position = start.end()
        while True:
            between = _BETWEEN.match(buffer, position)
            position = between.end() if between else position
            if buffer.startswith("]", position):
                return
            try:
                value, position = decode(buffer, position)
            except (json.JSONDecodeError, RecursionError) as error:
                more = file.read(size)
                if not more:
                    message = f"{path}: not valid JSON after {number:,} items: {error}"
                    hint = "the file may be cut off: download it again"
                    raise ToolkitError("input", message, hint) from None
                # Twice as much each time, so that a huge item is not decoded over and over.
                buffer, position, size = buffer[position:] + more, 0, 2 * size
                continue
            number, size = number + 1, _CHUNK
            yield f"item {number}", value


def json_lines(path: Path) -> Iterator[Row]:
    """Lines of a JSONL file; in place of one that is not JSON stands a BadRow."""
    with readable(path), path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                try:
                    yield f"line {number}", json.loads(line)
                except (ValueError, RecursionError) as error:
                    yield f"line {number}", BadRow(f"not valid JSON: {error}")


def table(path: Path) -> Iterator[Row]:
    """Rows of a `.parquet` or `.csv` file, or of a JSONL file of any other name."""
    readers = {".parquet": _parquet_rows, ".csv": _csv_rows}
    return readers.get(path.suffix, json_lines)(path)


def _csv_rows(path: Path) -> Iterator[Row]:
    with readable(path), path.open(encoding="utf-8-sig", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), 1):
            yield f"row {number}", row


def _parquet_rows(path: Path) -> Iterator[Row]:
    from pyarrow import ArrowInvalid
    from pyarrow.parquet import ParquetFile

    with readable(path):
        try:
            file = ParquetFile(path)
        except ArrowInvalid as error:
            raise ToolkitError("input", f"{path}: not a Parquet file: {error}") from None
        number = 0
        with file:
            for batch in file.iter_batches(batch_size=1024):
                for row in batch.to_pylist():
                    number += 1
                    yield f"row {number}", row
