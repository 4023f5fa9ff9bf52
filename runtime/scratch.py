"""A table of ids that does not live in memory: what a run must know of every record."""

from __future__ import annotations

import sqlite3

_CACHE_KIB = 32 * 1024


def scratch_table(columns: str) -> sqlite3.Connection:
    """A private, empty table `records` with the key `id` and these columns.

    It is in memory up to 32 MiB, beyond that in a temporary file without a name, and goes with
    the connection.
    """
    table = sqlite3.connect("", isolation_level=None, check_same_thread=False)
    # Nothing of it has to survive, so nothing is journalled or committed.
    for pragma in ("journal_mode = OFF", "synchronous = OFF", f"cache_size = -{_CACHE_KIB}"):
        table.execute(f"PRAGMA {pragma}")
    table.execute(f"CREATE TABLE records (id TEXT PRIMARY KEY, {columns}) WITHOUT ROWID")
    table.execute("BEGIN")
    return table
