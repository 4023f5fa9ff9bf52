"""The append-only journal of a run: each record ends in exactly one outcome, kill -9 or not."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from pydantic import BaseModel, Field, ValidationError, model_validator

from runtime.disk import no_room, open_own, room_for, writable
from runtime.errors import ErrorKind, ToolkitError
from runtime.files import partial_files, write_json
from runtime.scratch import scratch_table
from schemas.base import StrictModel

JOURNAL, HEADER = ".outcomes.jsonl", ".run.json"
_SYNC_SECONDS = 5.0
_SHOWN, _LONGEST = 8, 200  # differences, and characters of each


class Failure(StrictModel):
    """Why a record has no value, and what would help."""

    kind: ErrorKind
    reason: str
    hint: str = ""


class Outcome(StrictModel):
    """How one record ended: `value` or `failure`. `index` is its 0-based place in the input."""

    id: str
    index: int
    value: dict[str, Any] | None = None
    failure: Failure | None = None
    usage: dict[str, int | float] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _is_one_of_two(self) -> Self:
        if (self.value is None) == (self.failure is None):
            raise ValueError("an outcome is either a value or a failure")
        return self


class Tally(NamedTuple):
    """Number of records with a value, and of failures by kind (sorted by kind)."""

    done: int
    rejected: dict[str, int]


class _Header(BaseModel):
    """What `.run.json` says of the run that a directory belongs to."""

    fingerprint: dict[str, Any]
    outputs: list[str]


class OutcomeStore:
    """Outcomes of one run in one directory; use as a context manager.

    Where each stands in the journal is kept in a scratch table, so memory does not grow with the
    records. One process at a time may hold a directory.
    """

    def __init__(
        self,
        directory: Path,
        fingerprint: Mapping[str, Any],
        *,
        outputs: Sequence[str] = (),
        overwrite: bool = False,
        retry_rejected: bool = False,
    ) -> None:
        """Open a new run or continue the one that `directory` holds.

        `fingerprint` (plain JSON values) is all that can change results; `outputs` names the
        files the run will write there, so that a later `overwrite` can remove them. With
        `retry_rejected` failures count as not done. Raises ToolkitError("input") when the
        directory belongs to a different run, to something else, or to a running process.
        """
        self._directory = directory
        self._check_directory()
        self._places = scratch_table("offset INTEGER, length INTEGER, kind TEXT")
        self._descriptor = open_locked(directory / JOURNAL)
        self._synced = time.monotonic()
        try:
            self._claim(json.loads(json.dumps(fingerprint)), sorted(outputs), overwrite)
            self._load()
            if retry_rejected:
                self._places.execute("DELETE FROM records WHERE kind IS NOT NULL")
        except BaseException:
            os.close(self._descriptor)
            raise

    def done(self, record_id: str) -> bool:
        """Whether this record has its outcome."""
        return self._place(record_id) is not None

    def get(self, record_id: str) -> Outcome | None:
        """The outcome of a record, read back from disk."""
        place = self._place(record_id)
        if place is None:
            return None
        offset, length = place
        return Outcome.model_validate_json(os.pread(self._descriptor, length, offset))

    def iterate_in_order(self, record_ids: Iterable[str]) -> Iterator[Outcome]:
        """The outcomes of these records, in this order; records without one are left out."""
        return (outcome for key in record_ids if (outcome := self.get(key)) is not None)

    def append(self, outcome: Outcome) -> None:
        """Add an outcome; a later one for the same record wins.

        Raises ToolkitError("prerequisite") when the disk does not take it.
        """
        line = outcome.model_dump_json(exclude_defaults=True).encode() + b"\n"
        try:
            written = os.write(self._descriptor, line)
            if written != len(line):
                raise OSError(f"only {written} of {len(line)} bytes were written")
        except OSError as error:
            # Cut what was written, or the next line would be glued to half a line.
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self._end)
            raise no_room(self._directory / JOURNAL, error.strerror or error) from error
        kind = outcome.failure.kind if outcome.failure else None
        self._add_place(outcome.id, len(line), kind)
        if time.monotonic() - self._synced > _SYNC_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Make sure that all outcomes survive a power loss.

        Raises ToolkitError("prerequisite") when the disk is full.
        """
        with room_for(self._directory / JOURNAL):
            os.fsync(self._descriptor)
        self._synced = time.monotonic()

    def close(self) -> None:
        """Flush, and let other processes use the directory."""
        try:
            self.flush()
        finally:
            os.close(self._descriptor)
            self._places.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _place(self, record_id: str) -> tuple[int, int] | None:
        """Offset and length of a record's outcome in the journal."""
        query = "SELECT offset, length FROM records WHERE id = ?"
        found: tuple[int, int] | None = self._places.execute(query, (record_id,)).fetchone()
        return found

    def _add_place(self, record_id: str, length: int, kind: str | None) -> None:
        """The outcome of a record stands at the present end of the journal."""
        row = (record_id, self._end, length, kind)
        # First: where the table has no room for its place, the line still stands in the journal.
        self._end += length
        self._places.execute("INSERT OR REPLACE INTO records VALUES (?, ?, ?, ?)", row)

    def _check_directory(self) -> None:
        directory = self._directory
        try:
            directory.mkdir(parents=True, exist_ok=True)
            names = set(os.listdir(directory)) - {path.name for path in partial_files(directory)}
        except OSError as error:
            message = f"{directory}: {error.strerror or error}"
            raise ToolkitError("input", message, "choose another --output") from error
        is_new = not names or (names == {JOURNAL} and not (directory / JOURNAL).stat().st_size)
        if HEADER not in names and not is_new:
            message = f"{directory}: has files that no run of grainwise left there"
            raise ToolkitError("input", message, "choose another --output or an empty directory")

    def _claim(self, fingerprint: dict[str, Any], outputs: list[str], overwrite: bool) -> None:
        """Tie the directory to this run, or make sure that it already is."""
        for path in partial_files(self._directory):
            path.unlink()
        header = _read_header(self._directory)
        if header and overwrite:
            self._clear(header.outputs)
        elif header:
            check_fingerprint(self._directory, header.fingerprint, fingerprint)
            return
        content = {"fingerprint": fingerprint, "outputs": outputs}
        write_json(self._directory / HEADER, content)

    def _clear(self, outputs: Iterable[str]) -> None:
        for name in outputs:
            # Plain names only: a header from elsewhere must not remove files elsewhere.
            path = self._directory / Path(name).name
            try:
                path.unlink(missing_ok=True)
            except (OSError, ValueError) as error:  # a folder, or no name of a file at all
                message = f"{self._directory / HEADER}: cannot remove {name[:80]!a}: {error}"[:300]
                raise ToolkitError("input", message, "choose another --output") from None
        # The header stays until the new one replaces it: without one, a directory that holds files
        # is not ours. No outcome may be left by then, also after a power loss.
        os.ftruncate(self._descriptor, 0)
        self.flush()

    def _load(self) -> None:
        """Index the journal and cut a last line that a killed process left unfinished."""
        self._end = 0
        with (self._directory / JOURNAL).open("rb") as handle:
            for number, line in enumerate(handle, 1):
                outcome = _parse_line(line)
                if outcome is None:
                    if handle.read(1):
                        message = f"{self._directory / JOURNAL}:{number}: damaged line"
                        hint = "delete that line to redo its record, or start over with --overwrite"
                        raise ToolkitError("input", message, hint)
                    break
                kind = outcome.failure.kind if outcome.failure else None
                self._add_place(outcome.id, len(line), kind)
        os.ftruncate(self._descriptor, self._end)


def open_locked(path: Path) -> int:
    """A descriptor of the file, to append to; until it is closed, no other process gets one.

    Raises ToolkitError("input") where one has it, or the file cannot be written or is a link, and
    ("prerequisite") where the file system knows no locks.
    """
    with writable(path):
        path.parent.mkdir(parents=True, exist_ok=True)
    descriptor = open_own(path, os.O_APPEND)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        if isinstance(error, BlockingIOError):
            message = f"another run is writing to {path.parent}"
            raise ToolkitError("input", message, "wait for it or choose another --output") from None
        message = f"cannot lock {path}: {error.strerror or error}"
        raise ToolkitError("prerequisite", message, "put --output on a local disk") from error
    return descriptor


def _read_header(directory: Path) -> _Header | None:
    try:
        return _Header.model_validate_json((directory / HEADER).read_bytes())
    except FileNotFoundError:
        return None
    except (OSError, ValidationError):
        message = f"{directory / HEADER}: damaged"
        raise ToolkitError("input", message, "choose another --output") from None


def _parse_line(line: bytes) -> Outcome | None:
    if not line.endswith(b"\n"):
        return None
    try:
        return Outcome.model_validate_json(line)
    except ValidationError:
        return None


def check_fingerprint(directory: Path, was: Mapping[str, Any], now: Mapping[str, Any]) -> None:
    """Raises ToolkitError("input") that names what differs between two runs in one directory."""
    old, new = dict(_flatten(was)), dict(_flatten(now))
    changed = [key for key in sorted({*old, *new}) if old.get(key) != new.get(key)]
    if changed:
        shown = [
            f"{_short(key)}: {_short(old.get(key, 'absent'))} → {_short(new.get(key, 'absent'))}"
            for key in changed[:_SHOWN]
        ]
        more = [f"and {len(changed) - _SHOWN} more"] if len(changed) > _SHOWN else []
        message = f"{directory} holds a different run: {'; '.join(shown + more)}"
        hint = "choose another --output, or start over with --overwrite"
        raise ToolkitError("input", message, hint)


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _flatten(value: Any, prefix: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for key, item in value.items():
            yield from _flatten(item, f"{prefix}.{key}" if prefix else key)
    else:
        yield prefix, json.dumps(value, ensure_ascii=False)
