"""A table of ids that does not live in memory: what a run must know of every record."""

from __future__ import annotations

import sqlite3
from typing import Any

from runtime.disk import no_room

_REFUSED = {
    sqlite3.SQLITE_FULL,
    sqlite3.SQLITE_IOERR,
    sqlite3.SQLITE_CANTOPEN,
    sqlite3.SQLITE_READONLY,
}
_CACHE_KIB = 32 * 1024


def scratch_table(columns: str) -> sqlite3.Connection:
    """A private, empty table `records` with the key `id` and these columns.

    It is in memory up to 32 MiB, beyond that in a temporary file without a name, and goes with
    the connection. Its `execute` raises ToolkitError("prerequisite") when there is no room for
    that file.
    """
    table = sqlite3.connect("", isolation_level=None, check_same_thread=False, factory=_Table)
    # Nothing of it has to survive, so nothing is journalled or committed.
    for pragma in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{_CACHE_KIB}"):
        table.execute(f"PRAGMA {pragma}")
    table.execute(f"CREATE TABLE records (id TEXT PRIMARY KEY, {columns}) WITHOUT ROWID")
    table.execute("BEGIN")
    return table


class _Table(sqlite3.Connection):
    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        try:
            return super().execute(sql, parameters)
        except sqlite3.OperationalError as error:
            # The low byte of a code is its kind, the others say more of it.
            if error.sqlite_errorcode & 0xFF not in _REFUSED:
                raise
            cure = "free space in the folder for temporary files, or set TMPDIR to another one"
            raise no_room("the temporary table of ids", error, cure) from error
