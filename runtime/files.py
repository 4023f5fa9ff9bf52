"""Record files: rows in from any `Source`, JSONL out. Memory does not grow with rows."""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import IO, Any, NamedTuple, TypeVar

from pydantic import BaseModel

from runtime.disk import room_for, writable
from runtime.errors import ToolkitError
from runtime.readers import read_rows
from runtime.reviews import accepted_rows
from runtime.scratch import scratch_table
from runtime.sources import Place, Shard, Source, identity

Record = TypeVar("Record", bound=BaseModel)

_PARTIAL = ".partial"


class InputFile(NamedTuple):
    """An input whose rows are all valid: how many are used, its hex sha256, and each file's."""

    records: int
    sha256: str
    files: Mapping[str, str]


def read_records(
    source: Path | Source, model: type[Record], *, limit: int | None = None
) -> Iterator[Record]:
    """Yield the rows of a file, or of all files of an input, as `model`s, at most `limit`.

    Raises ToolkitError("input") that names file, line, field and expectation, on the first row
    that does not validate or whose `id` has been used before.
    """
    return (record for _, record in _unique(read_placed(source, model, limit=limit)))


def read_numbered(
    path: Path, model: type[Record], *, limit: int | None = None
) -> Iterator[tuple[int, Record]]:
    """The rows of a file as `read_records` yields them, each with its line (of Parquet: row)."""
    rows = _unique(read_placed(path, model, limit=limit))
    return ((place.number, record) for place, record in rows)


def read_placed(
    source: Path | Source, model: type[Record], *, limit: int | None = None
) -> Iterator[tuple[Place, Record]]:
    """The rows, each with its place. An `id` is not checked, as `validate_all` has done that."""
    return islice(_placed(source, model), limit)


def validate_all(
    source: Path | Source,
    model: type[Record],
    *,
    limit: int | None = None,
    visit: Callable[[Place, Record], object] = lambda place, record: None,
) -> InputFile:
    """Read every row once before anything is written or paid for; `visit` gets it with its place.

    Raises ToolkitError("input") as `read_records` does, and when there is no row at all.
    """
    source = Source.of(source) if isinstance(source, Path) else source
    for shard in source.shards:
        # Those of Path raise what stands in their way; reading the rows puts that into words.
        if os.path.exists(shard.path) and not os.path.isfile(shard.path):
            # Rows are read several times, which a pipe does not allow.
            hint = "give a JSONL, .parquet or .csv file; for those of a folder: 'FOLDER/*.jsonl'"
            raise ToolkitError("input", f"{shard.name}: not a file", hint)
    records = 0
    for place, record in _unique(read_placed(source, model, limit=limit)):
        visit(place, record)
        records += 1
    if records == 0:
        hint = "give a file with at least one row"
        if source.reviews:
            hint = "reviewers accepted none of them: go on with `grainwise review`"
        raise ToolkitError("input", f"{source}: has no records", hint)
    digests = source.digests()
    return InputFile(records, identity(digests), digests)


@contextlib.contextmanager
def atomic_writer(path: Path) -> Iterator[IO[str]]:
    """Open a text file that appears under its name only when complete and on disk.

    On an error the temporary file is removed and an older file of that name stays as it was.
    Raises ToolkitError("prerequisite") when the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}{_PARTIAL}") if path.name else path
    with writable(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = temporary.open("w", encoding="utf-8", newline="\n")
    try:
        # The folder: the writer that ran out of room may be another one, around this one.
        with room_for(path.parent), handle:
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
        with writable(path):
            temporary.replace(path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise


def refuse_input(path: Path, inputs: Iterable[Path]) -> None:
    """Raises ToolkitError("input") when a result would be written over what it is made of.

    Links to an input count as it.
    """
    exists = os.path.exists
    if exists(path) and any(exists(source) and path.samefile(source) for source in inputs):
        hint = "give the result another name"
        raise ToolkitError("input", f"{path}: is an input of this command", hint)


def refuse_inside(path: Path, name: str, output: Path) -> None:
    """Raises ToolkitError("input") for an input, called `name`, in the directory of the results."""
    # Not Path.resolve, which raises RuntimeError for a link to itself; writing there names it.
    if os.path.dirname(os.path.realpath(path)) == os.path.realpath(output):
        message = f"{name} stands in the output directory"
        raise ToolkitError("input", message, "choose another --output")


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


def _placed(source: Path | Source, model: type[Record]) -> Iterator[tuple[Place, Record]]:
    source = Source.of(source) if isinstance(source, Path) else source
    for shard in source.shards:
        decisions = source.reviews.get(shard.path.parent)
        if decisions is None:
            rows = read_rows(shard.path, shard.name, model)
        else:
            rows = accepted_rows(shard.path, shard.name, model, decisions)
        for number, record in rows:
            yield Place(shard, number), record


def _unique(rows: Iterator[tuple[Place, Record]]) -> Iterator[tuple[Place, Record]]:
    """The rows as they are. Raises ToolkitError("input") for a second row of one `id`."""
    with closing(scratch_table("shard INTEGER, number INTEGER")) as seen:
        shards: list[Shard] = []
        for place, record in rows:
            if place.shard not in shards[-1:]:
                shards.append(place.shard)
            identifier = getattr(record, "id", None)
            if identifier is not None:
                key = (str(identifier), len(shards) - 1, place.number)
                added = seen.execute("INSERT OR IGNORE INTO records VALUES (?, ?, ?)", key)
                if not added.rowcount:
                    query = "SELECT shard, number FROM records WHERE id = ?"
                    shard, number = seen.execute(query, key[:1]).fetchone()
                    first = Place(shards[shard], number).seen_from(place)
                    message = f"{place}: id: {identifier!r} was already used in {first}"
                    hint = "give every record its own id; nothing was written"
                    raise ToolkitError("input", message, hint)
            yield place, record
