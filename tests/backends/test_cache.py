"""The cache on disk: what it refuses, who may read it, and that it outlives a kill."""

from __future__ import annotations

import os
import pickle
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import diskcache
import pytest

from backends.base import Completion, TokenLogprob, TokenUsage
from backends.cache import ResponseCache
from runtime.errors import ToolkitError

ANSWER = Completion(
    text='{"decision": "is_a", "note": "\U0001f6cb"}',
    model="m",
    usage=TokenUsage(prompt_tokens=3, completion_tokens=4, cost_usd=0.5),
    logprobs=(TokenLogprob(token="a", logprob=-0.5, top={"b": -1.0}),),
)


class Bomb:
    def __reduce__(self) -> tuple[object, tuple[str]]:
        return os.mkdir, ("exploded",)


def test_round_trip_also_for_large_answers(cache: ResponseCache) -> None:
    large = ANSWER.model_copy(update={"text": "x" * 1_000_000})
    cache.put("a", ANSWER)
    cache.put("b", large)
    assert (cache.get("a"), cache.get("b"), cache.get("c")) == (ANSWER, large, None)
    assert not list(cache.path.rglob("*.val"))


def test_directory_is_private_even_if_it_was_there(tmp_path: Path) -> None:
    open_folder = tmp_path / "shared"
    open_folder.mkdir(mode=0o755)
    for folder in (open_folder, tmp_path / "new" / "deep"):
        ResponseCache(folder).close()
        assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("value", [Bomb(), ("tuple",), 1, None])
def test_anything_but_text_is_refused_on_store(cache: ResponseCache, value: object) -> None:
    with pytest.raises(TypeError):
        cache._disk.set("key", value)
    with pytest.raises(TypeError):
        cache._disk.set(("key",), "value")


@pytest.mark.parametrize("min_file_size", [0, 2**20])
def test_pickle_planted_in_the_database_is_not_loaded(
    cache: ResponseCache, min_file_size: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with diskcache.Cache(str(cache.path), disk_min_file_size=min_file_size) as plain:
        plain.set("key", Bomb())
    assert pickle.PROTO in _stored(cache) or list(cache.path.rglob("*.val"))
    assert cache.get("key") is None
    with pytest.raises(ValueError, match="refused"):
        cache._disk.get("key")
    assert not (tmp_path / "exploded").exists()


def _stored(cache: ResponseCache) -> bytes:
    with sqlite3.connect(cache.path / "cache.db") as database:
        return b"".join(
            bytes(value or b"") for (value,) in database.execute("SELECT value FROM Cache")
        )


def test_entry_that_points_at_a_file_is_not_followed(cache: ResponseCache, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text(ANSWER.model_dump_json())
    cache.put("key", ANSWER)
    with sqlite3.connect(cache.path / "cache.db") as database:
        database.execute("UPDATE Cache SET mode = 3, value = NULL, filename = ?", (str(secret),))
    assert cache.get("key") is None


@pytest.mark.parametrize("damage", ["", "{", "[1]", '{"text": 1}', '{"text": "a"}', "\x00", "NaN"])
def test_damaged_entry_is_a_miss_and_is_replaced(cache: ResponseCache, damage: str) -> None:
    cache._disk.set("key", damage)
    assert cache.get("key") is None
    cache.put("key", ANSWER)
    assert cache.get("key") == ANSWER


def test_entry_that_is_no_text_is_a_miss_and_is_replaced(cache: ResponseCache) -> None:
    cache.put("key", ANSWER)
    with sqlite3.connect(cache.path / "cache.db") as database:
        database.execute("UPDATE Cache SET value = CAST(x'7bff' AS TEXT)")
    assert cache.get("key") is None
    cache.put("key", ANSWER)
    assert cache.get("key") == ANSWER


def test_full_disk_is_no_reason_to_delete_what_was_paid_for(cache: ResponseCache) -> None:
    pages = cache._disk._sql("PRAGMA page_count").fetchone()[0]
    cache._disk._sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(ToolkitError, match="free some disk space") as raised:
        cache.put("key", ANSWER.model_copy(update={"text": "x" * 100_000}))
    assert raised.value.kind == "prerequisite"


def test_unusable_directory_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "cache.db").write_bytes(b"not a database" * 1000)
    for path in (tmp_path / "file", tmp_path / "cache"):
        with pytest.raises(ToolkitError, match="delete that directory") as raised:
            ResponseCache(path)
        assert raised.value.kind == "prerequisite"


WRITER = """
import sys
from backends.base import Completion
from backends.cache import ResponseCache
cache = ResponseCache(sys.argv[1])
for number in range(100_000):
    key = f"{sys.argv[2]}-{number}"
    cache.put(key, Completion(text=key, model="m"))
    print(number, flush=True)
"""


def test_two_writers_killed_lose_nothing_that_was_stored(tmp_path: Path) -> None:
    folder = str(tmp_path / "cache")
    writers = [
        subprocess.Popen([sys.executable, "-c", WRITER, folder, name], stdout=subprocess.PIPE)
        for name in ("a", "b")
    ]
    seen = []
    for writer in writers:
        assert writer.stdout is not None
        for _ in range(50):
            writer.stdout.readline()
    for writer in writers:
        writer.send_signal(signal.SIGKILL)
        assert writer.stdout is not None
        rest = writer.stdout.read().split()
        seen.append(int(rest[-1]) if rest else 49)
        writer.stdout.close()
        writer.wait()
    cache = ResponseCache(folder)
    for name, last in zip("ab", seen, strict=True):
        for number in range(last + 1):
            stored = cache.get(f"{name}-{number}")
            assert stored is not None and stored.text == f"{name}-{number}"
    cache.close()
