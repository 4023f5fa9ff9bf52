"""A table of ids that outgrows memory on a disk that is full."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from runtime.errors import ToolkitError
from runtime.scratch import scratch_table
from runtime.store import Outcome, OutcomeStore
from tests.full_disk import largest_file


@pytest.fixture(autouse=True)
def small_tables(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("runtime.scratch._CACHE_KIB", 16)


def test_a_full_disk_for_temporary_files_is_named() -> None:
    table = scratch_table("value TEXT")
    message = "cannot write the temporary table of ids"
    with largest_file(10_000), pytest.raises(ToolkitError, match=message) as caught:
        for number in range(10_000):
            table.execute("INSERT INTO records VALUES (?, 'x')", (str(number),))
    assert caught.value.kind == "prerequisite"
    assert "set TMPDIR" in caught.value.hint


def test_a_mistake_in_a_query_is_no_full_disk() -> None:
    with pytest.raises(sqlite3.OperationalError, match="no such table"):
        scratch_table("value TEXT").execute("SELECT * FROM other")


def test_an_outcome_without_room_for_its_place_stays_in_the_journal(tmp_path: Path) -> None:
    with OutcomeStore(tmp_path, {"run": 1}) as store:
        # Two kinds of full disk, one after the other, as with several records in flight.
        store._places.execute("PRAGMA query_only = ON")
        with pytest.raises(ToolkitError, match="temporary table"):
            store.append(Outcome(id="a", index=0, value={}))
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr("os.write", lambda *_: 0)
            with pytest.raises(ToolkitError, match="cannot write"):
                store.append(Outcome(id="b", index=1, value={}))
    with OutcomeStore(tmp_path, {"run": 1}) as store:
        assert store.done("a") and not store.done("b")
