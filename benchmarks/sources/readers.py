"""Rows of JSON lists, JSONL, Parquet and CSV files, one at a time, each with its place."""

from __future__ import annotations

import contextlib
import json
import math
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict

from benchmarks.sources.base import BadRow, Row
from runtime.csv_rows import csv_rows
from runtime.errors import ToolkitError
from runtime.lines import check_columns, not_utf8
from runtime.readers import batch_rows

_CHUNK = 1 << 20
_MAX_DIGITS = 600  # of a whole number; Python may be set to read no more than 640
_START = re.compile(r"\s*\[")
_BETWEEN = re.compile(r"[\s,]*")

Value = TypeVar("Value")


def _whole(digits: str) -> int | float:
    return int(digits) if len(digits) <= _MAX_DIGITS else math.inf


_Decoders = tuple[json.JSONDecoder, json.JSONDecoder]
_DECODERS: _Decoders = json.JSONDecoder(), json.JSONDecoder(parse_int=_whole)


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    """Raises ToolkitError("input") for what is wrong with a file as a whole."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise ToolkitError("input", f"{path}: {reason}", "check the path of the input") from error
    except UnicodeDecodeError as error:
        raise not_utf8(str(path), error) from None


def loads(text: str, without: str | None = None) -> Any:
    """The value of a JSON document; a number of more digits than Python reads is infinite.

    What stands under the key `without` is not kept, so that it takes no memory.
    """
    if without is None:
        return _tolerant(json.JSONDecoder.decode, text)

    def kept(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        return {key: value for key, value in pairs if key != without}

    decoders = (
        json.JSONDecoder(object_pairs_hook=kept),
        json.JSONDecoder(object_pairs_hook=kept, parse_int=_whole),
    )
    return _tolerant(json.JSONDecoder.decode, text, decoders=decoders)


def _tolerant(
    read: Callable[..., Value], *arguments: object, decoders: _Decoders = _DECODERS
) -> Value:
    """What a decoder reads. The second, slower one is only for files that need it."""
    try:
        return read(decoders[0], *arguments)
    except json.JSONDecodeError:
        raise
    except ValueError:
        return read(decoders[1], *arguments)


def json_list(path: Path) -> Iterator[Row]:
    """Items of the JSON list that a file consists of. Only a few are in memory at a time."""
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
                value, position = _tolerant(json.JSONDecoder.raw_decode, buffer, position)
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
                    yield f"line {number}", loads(line)
                except (ValueError, RecursionError) as error:
                    yield f"line {number}", BadRow(f"not valid JSON: {error}")


def table(path: Path) -> Iterator[Row]:
    """Rows of a `.parquet` or `.csv` file, or of a JSONL file of any other name."""
    readers = {".parquet": _parquet_rows, ".csv": _csv_rows}
    return readers.get(path.suffix.lower(), json_lines)(path)


class _Cells(BaseModel):
    model_config = ConfigDict(extra="allow")


def _csv_rows(path: Path) -> Iterator[Row]:
    with readable(path), path.open("rb") as file:
        for number, row in csv_rows(file, str(path), _Cells):
            yield f"line {number}", row.model_extra


def _parquet_rows(path: Path) -> Iterator[Row]:
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    with readable(path):
        number = 0
        try:
            with ParquetFile(path) as file:
                check_columns(file.schema_arrow.names, str(path))
                for batch in file.iter_batches(batch_size=1024):
                    for row in batch_rows(batch, str(path)):
                        number += 1
                        yield f"row {number}", row
        except ArrowException as error:
            message = f"{path}: not a Parquet file, or damaged after {number:,} rows: {error}"
            raise ToolkitError("input", message, "give the file as published") from None
