"""Record files: JSONL, Parquet or CSV in, JSONL out. Streams; memory does not grow with rows."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from runtime.csv_rows import csv_rows
from runtime.errors import ToolkitError
from schemas.validation import describe_errors

Record = TypeVar("Record", bound=BaseModel)

_PARTIAL = ".partial"
_HINT = "correct the file and run again; nothing was written"


class InputFile(NamedTuple):
    """A file whose rows are all valid: how many are used, and the hex sha256 of its bytes."""

    records: int
    sha256: str


def read_records(path: Path, model: type[Record], *, limit: int | None = None) -> Iterator[Record]:
    """Yield the rows of a JSONL, `.parquet` or `.csv` file as `model`s, at most `limit` of them.

    Raises ToolkitError("input") that names file, line, field and expectation, on the first row
    that does not validate or whose `id` has been used before.
    """
    return (record for _, record in read_numbered(path, model, limit=limit))


def read_numbered(
    path: Path, model: type[Record], *, limit: int | None = None
) -> Iterator[tuple[int, Record]]:
    """The rows as `read_records` yields them, each with its line (of Parquet: row) from 1."""
    rows = _READERS.get(path.suffix, _jsonl_rows)
    lines: dict[bytes, int] = {}
    with _readable(path):
        for number, record in islice(rows(path, model), limit):
            identifier = getattr(record, "id", None)
            if identifier is not None:
                _check_unique(path, str(identifier), number, lines)
            yield number, record


def validate_all(
    path: Path,
    model: type[Record],
    *,
    limit: int | None = None,
    visit: Callable[[int, Record], object] = lambda number, record: None,
) -> InputFile:
    """Read every row once before anything is written or paid for; `visit` gets it with its line.

    Raises ToolkitError("input") as `read_records` does, and when there is no row at all.
    """
    if path.exists() and not path.is_file():
        # Rows are read several times, which a pipe does not allow.
        raise ToolkitError("input", f"{path}: not a file", "give a JSONL, .parquet or .csv file")
    records = 0
    for number, record in read_numbered(path, model, limit=limit):
        visit(number, record)
        records += 1
    if records == 0:
        raise ToolkitError("input", f"{path}: has no records", "give a file with at least one row")
    with path.open("rb") as handle:
        return InputFile(records, hashlib.file_digest(handle, "sha256").hexdigest())


@contextlib.contextmanager
def atomic_writer(path: Path) -> Iterator[IO[str]]:
    """Open a text file that appears under its name only when complete and on disk.

    On an error the temporary file is removed and an older file of that name stays as it was.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}{_PARTIAL}") if path.name else path
    with writable(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = temporary.open("w", encoding="utf-8", newline="\n")
    try:
        with handle:
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
        with writable(path):
            temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


@contextlib.contextmanager
def writable(path: Path) -> Iterator[None]:
    """Raises ToolkitError("input") for an OSError: the path cannot be written."""
    try:
        yield
    except OSError as error:
        message = f"cannot write {path}: {error.strerror or error}"
        raise ToolkitError("input", message, "choose another place for the result") from error


def refuse_input(path: Path, inputs: Iterable[Path]) -> None:
    """Raises ToolkitError("input") when a result would be written over what it is made of.

    Links to an input count as it.
    """
    exists = os.path.exists
    if exists(path) and any(exists(source) and path.samefile(source) for source in inputs):
        hint = "give the result another name"
        raise ToolkitError("input", f"{path}: is an input of this command", hint)


def partial_files(directory: Path) -> list[Path]:
    """What killed processes left of files they were writing with `atomic_writer`."""
    return list(directory.glob(f".*{_PARTIAL}"))


def is_running(process: int) -> bool:
    """Whether a process of this number is alive."""
    try:
        os.kill(process, 0)
    except (ProcessLookupError, OverflowError):
        return False
    except PermissionError:
        pass
    return process > 0


def write_jsonl(path: Path, rows: Iterable[BaseModel | Mapping[str, Any]]) -> int:
    """Write one JSON object a line, atomically; returns the number of rows."""
    count = 0
    with atomic_writer(path) as handle:
        for row in rows:
            plain = row.model_dump(mode="json") if isinstance(row, BaseModel) else row
            handle.write(json.dumps(plain, ensure_ascii=False) + "\n")
            count += 1
    return count


def write_json(path: Path, value: Any) -> None:
    """Write one JSON document, indented and with sorted keys, atomically."""
    with atomic_writer(path) as handle:
        json.dump(value, handle, ensure_ascii=False, indent=2, sort_keys=True)
        handle.write("\n")


@contextlib.contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        raise ToolkitError("input", f"{path}: {reason}", "check the path of the input") from error


def _jsonl_rows(path: Path, model: type[Record]) -> Iterator[tuple[int, Record]]:
    with path.open("rb") as handle:
        for number, line in enumerate(handle, 1):
            text = line.removeprefix(b"\xef\xbb\xbf").strip()
            if text:
                try:
                    record = model.model_validate_json(text)
                except ValidationError as error:
                    raise _bad_json_line(f"{path}:{number}", text, model, error) from None
                yield number, record


def _bad_json_line(
    place: str, text: bytes, model: type[BaseModel], error: ValidationError
) -> ToolkitError:
    try:
        data = from_json(text)
    except ValueError as problem:
        # One record is one line, so only the column of pydantic's position means something.
        reason = str(problem).replace(" at line 1 column ", " at column ")
        hint = "give one JSON object a line, or a .parquet or .csv file"
        return ToolkitError("input", f"{place}: not valid JSON: {reason}", hint)
    return ToolkitError("input", f"{place}: {describe_errors(error, data, model)}", _HINT)


def _parquet_rows(path: Path, model: type[Record]) -> Iterator[tuple[int, Record]]:
    for number, row in enumerate(_parquet_values(path), 1):
        data = _without_nulls(row)
        try:
            record = model.model_validate(data)
        except ValidationError as error:
            message = f"{path}:{number}: {describe_errors(error, data, model)}"
            raise ToolkitError("input", message, _HINT) from None
        yield number, record


def _parquet_values(path: Path) -> Iterator[dict[str, Any]]:
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    read = 0
    try:
        with ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=1024):
                yield from batch.to_pylist()
                read += batch.num_rows
    except (ArrowException, UnicodeDecodeError) as error:
        what = f"damaged after row {read}" if read else "not a Parquet file"
        message = f"{path}: {what}: {str(error)[:300]}"
        raise ToolkitError("input", message, _HINT) from None


def _without_nulls(value: Any) -> Any:
    """A Parquet column is null where the row has no such key."""
    if isinstance(value, dict):
        return {key: _without_nulls(item) for key, item in value.items() if item is not None}
    if isinstance(value, list):
        return [_without_nulls(item) for item in value]
    return value


def _check_unique(path: Path, identifier: str, number: int, lines: dict[bytes, int]) -> None:
    digest = hashlib.blake2b(identifier.encode(), digest_size=16).digest()
    first = lines.setdefault(digest, number)
    if first != number:
        message = f"{path}:{number}: id: {identifier!r} was already used in line {first}"
        raise ToolkitError("input", message, "give every record its own id; nothing was written")


_READERS = {".parquet": _parquet_rows, ".csv": csv_rows}
