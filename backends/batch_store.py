"""Requests that go out in batches, and where they are; one sqlite file, safe against kills."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

STORE = ".batches.sqlite"
FILES = (STORE, f"{STORE}-wal", f"{STORE}-shm")

_SCHEMA = """
CREATE TABLE IF NOT EXISTS batches (
    id INTEGER PRIMARY KEY, backend TEXT NOT NULL, token TEXT NOT NULL, provider_id TEXT,
    ended INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS requests (
    key TEXT PRIMARY KEY, backend TEXT NOT NULL, arguments TEXT, worst_usd REAL NOT NULL,
    batch INTEGER, tries INTEGER NOT NULL DEFAULT 0, status INTEGER, answer TEXT,
    paid INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS by_batch ON requests (batch, backend);
"""


class Answered(NamedTuple):
    """What came back for a request: `status` as of HTTP, and the provider's own JSON."""

    key: str
    status: int
    answer: Any


class Row(NamedTuple):
    """A request that is known. `status` is None until it is answered."""

    status: int | None
    answer: Any
    tries: int


class Queued(NamedTuple):
    """A request that is in no batch yet: the arguments of its chat completion."""

    key: str
    arguments: dict[str, Any]
    worst_usd: float


class Batch(NamedTuple):
    """A batch that has not ended. `provider_id` is None where a kill came in between."""

    id: int
    backend: str
    token: str
    provider_id: str | None


class BatchStore:
    """The file in a run's output directory. Every change is kept at once."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / STORE
        self._db = sqlite3.connect(self._path, isolation_level=None)
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=NORMAL")
        self._db.executescript(_SCHEMA)

    def find(self, key: str) -> Row | None:
        """What is known about a request."""
        row = self._db.execute(
            "SELECT status, answer, tries FROM requests WHERE key = ?", (key,)
        ).fetchone()
        if row is None:
            return None
        return Row(row[0], None if row[1] is None else json.loads(row[1]), row[2])

    def queue(self, key: str, backend: str, arguments: dict[str, Any], worst_usd: float) -> None:
        """Put a request, new or failed, among those that wait for a batch."""
        self._db.execute(
            "INSERT INTO requests (key, backend, arguments, worst_usd) VALUES (?, ?, ?, ?) "
            "ON CONFLICT (key) DO UPDATE SET arguments = excluded.arguments, batch = NULL, "
            "status = NULL, answer = NULL",
            (key, backend, json.dumps(arguments, ensure_ascii=False), worst_usd),
        )

    def refuse(self, key: str, answer: Any) -> None:
        """Answer a request with HTTP 400: it cannot be put to the provider."""
        self._db.execute(
            "UPDATE requests SET status = 400, answer = ?, batch = 0 WHERE key = ?",
            (json.dumps(answer), key),
        )

    def unpaid(self, backend: str) -> Iterator[tuple[str, Any]]:
        """Answers of a backend that have not been counted, each with its key."""
        query = "SELECT key FROM requests WHERE status = 200 AND NOT paid AND backend = ?"
        for (key,) in self._db.execute(query, (backend,)).fetchall():
            found = self.find(key)
            if found is not None:
                yield key, found.answer

    def mark_paid(self, key: str) -> None:
        """The answer has been counted."""
        self._db.execute("UPDATE requests SET paid = 1 WHERE key = ?", (key,))

    def queued(self, backend: str) -> Iterator[Queued]:
        """Requests of a backend that are in no batch, oldest first."""
        rows = self._db.execute(
            "SELECT key, arguments, worst_usd FROM requests "
            "WHERE batch IS NULL AND backend = ? ORDER BY rowid",
            (backend,),
        )
        for key, arguments, worst_usd in rows:
            yield Queued(key, json.loads(arguments), worst_usd)

    def count_queued(self) -> int:
        """Number of requests that are in no batch."""
        return int(self._number("SELECT COUNT(*) FROM requests WHERE batch IS NULL"))

    def count_submitted(self) -> int:
        """Number of requests in batches that have not ended."""
        return int(
            self._number("SELECT COUNT(*) FROM requests WHERE batch IS NOT NULL AND status IS NULL")
        )

    def reserved_usd(self) -> float:
        """What the requests in batches that have not ended cost at most."""
        return self._number(
            "SELECT TOTAL(worst_usd) FROM requests WHERE batch IS NOT NULL AND status IS NULL"
        )

    def open_batches(self) -> list[Batch]:
        """Batches whose answers are not here yet."""
        rows = self._db.execute(
            "SELECT id, backend, token, provider_id FROM batches WHERE NOT ended ORDER BY id"
        )
        return [Batch(*row) for row in rows]

    def begin(self, backend: str, token: str, keys: Sequence[str]) -> int:
        """Note that a batch is about to be handed in; returns its number here."""
        with self._transaction():
            cursor = self._db.execute(
                "INSERT INTO batches (backend, token) VALUES (?, ?)", (backend, token)
            )
            number = int(cursor.lastrowid or 0)
            self._db.executemany(
                "UPDATE requests SET batch = ?, tries = tries + 1 WHERE key = ?",
                [(number, key) for key in keys],
            )
        self._sync()
        return number

    def submitted(self, number: int, provider_id: str) -> None:
        """The provider has the batch; its requests need not be kept."""
        with self._transaction():
            self._db.execute(
                "UPDATE batches SET provider_id = ? WHERE id = ?", (provider_id, number)
            )
            self._db.execute("UPDATE requests SET arguments = NULL WHERE batch = ?", (number,))
        self._sync()

    def not_submitted(self, number: int) -> None:
        """The provider does not have the batch: its requests wait again."""
        with self._transaction():
            self._db.execute("DELETE FROM batches WHERE id = ?", (number,))
            self._db.execute(
                "UPDATE requests SET batch = NULL, tries = tries - 1 WHERE batch = ?", (number,)
            )

    def ended(self, number: int, answers: Sequence[Answered], missing: Answered) -> None:
        """Keep what came back; requests without an answer of their own get that of `missing`."""
        with self._transaction():
            self._db.executemany(
                "UPDATE requests SET status = ?, answer = ? WHERE key = ? AND batch = ?",
                [(a.status, json.dumps(a.answer), a.key, number) for a in answers],
            )
            self._db.execute(
                "UPDATE requests SET status = ?, answer = ? WHERE batch = ? AND status IS NULL",
                (missing.status, json.dumps(missing.answer), number),
            )
            self._db.execute("UPDATE batches SET ended = 1 WHERE id = ?", (number,))
        self._sync()

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    def remove(self) -> None:
        """Close and delete the file: the run is complete."""
        self.close()
        for name in FILES:
            (self._path.parent / name).unlink(missing_ok=True)

    def _number(self, query: str) -> float:
        return float(self._db.execute(query).fetchone()[0])

    def _transaction(self) -> sqlite3.Connection:
        self._db.execute("BEGIN")
        return self._db  # as a context manager it commits, or rolls back on an error

    def _sync(self) -> None:
        """To the disk, also for a power loss."""
        self._db.execute("PRAGMA wal_checkpoint(FULL)").fetchall()
