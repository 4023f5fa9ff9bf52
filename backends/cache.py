"""Completions kept on disk or in a Redis server: JSON only, shared by processes."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Any, Protocol

import diskcache

from backends.base import Completion
from runtime.errors import ToolkitError

_RAW = 1  # diskcache's mode for a value that lies in the row itself
_INLINE = 2**30  # values below this many bytes stay in the row: sqlite's own limit
# Pages that sqlite keeps itself. With diskcache's 8,192 a put into a million entries takes half as
# long again; the system's page cache holds the file anyway.
_PAGES = 2**10


class Cache(Protocol):
    """Completions by key. Every method raises ToolkitError (prerequisite) when it cannot work."""

    def get(self, key: str) -> Completion | None:
        """The completion stored under `key`, or None; one that cannot be read counts as absent."""
        ...

    def put(self, key: str, completion: Completion) -> None:
        """Store `completion`; it is kept when this returns."""
        ...

    def close(self) -> None:
        """Release files and connections."""
        ...


def open_cache(location: str) -> Cache:
    """The cache at a directory, or at a `redis://` or `rediss://` URL.

    Raises ToolkitError: config for another URL, prerequisite when the cache cannot be used.
    """
    if "://" not in location:
        return ResponseCache(location)
    from backends.redis_cache import RedisCache

    return RedisCache(location)


def cache_folder(location: str) -> Path:
    """The directory of a cache for files; of one at a URL, the default one."""
    return Path(".cache/grainwise" if "://" in location else location)


class _BytesDisk(diskcache.Disk):  # type: ignore[misc]  # diskcache has no types
    """Stores `str` and `bytes` in the row; refuses pickle and side files both ways.

    Unpickling runs code, and a side file's name comes from the database, so whoever can write
    the file `cache.db` could otherwise run code or have any file read.
    """

    def put(self, key: Any) -> tuple[Any, bool]:
        if not isinstance(key, str):
            raise TypeError(f"a cache key is a str, not {type(key).__name__}")
        return key, True

    def get(self, key: Any, raw: bool) -> Any:
        if not raw:
            raise ValueError("pickled key refused")
        return key

    def store(self, value: Any, read: bool, key: Any = diskcache.UNKNOWN) -> Any:
        if read or not isinstance(value, str | bytes):
            raise TypeError(f"a cache value is str or bytes, not {type(value).__name__}")
        return 0, _RAW, None, sqlite3.Binary(value) if isinstance(value, bytes) else value

    def fetch(self, mode: int, filename: str | None, value: Any, read: bool) -> Any:
        if mode != _RAW or filename is not None or read:
            raise ValueError("pickled or external cache entry refused")
        return value

    def remove(self, file_path: str) -> None:
        """Nothing: no value lies in a file, so one that the database names is not ours."""


class ResponseCache:
    """Completions by key in a directory of mode 0700; it survives a kill at any moment.

    Nothing is ever evicted. An entry that cannot be read counts as absent and is written anew.
    Raises ToolkitError (prerequisite) when the directory or its database cannot be used.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)
        try:
            self.path.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.path.chmod(0o700)
            self._disk = diskcache.Cache(
                str(self.path),
                disk=_BytesDisk,
                eviction_policy="none",
                cull_limit=0,
                size_limit=2**50,
                disk_min_file_size=_INLINE,
                sqlite_cache_size=_PAGES,
            )
        # diskcache obeys the settings that stand in the database; of a damaged or planted one any
        # type of error may come.
        except Exception as error:
            raise self._unusable(error) from error

    def get(self, key: str) -> Completion | None:
        """The completion stored under `key`, or None."""
        try:
            text = self._disk.get(key, retry=True)
            return None if text is None else Completion.model_validate_json(text)
        except sqlite3.DatabaseError as error:
            if "decode" in str(error):
                return None  # the bytes of one value are damaged, not the database
            raise self._unusable(error) from error
        except (ValueError, TypeError):  # pydantic's ValidationError is a ValueError
            return None

    def put(self, key: str, completion: Completion) -> None:
        """Store `completion`; it is on disk when this returns."""
        text = completion.model_dump_json(exclude_defaults=True)
        try:
            self._disk.set(key, text, retry=True)
        except sqlite3.DatabaseError as error:
            raise self._unusable(error) from error

    def close(self) -> None:
        """Close the database file."""
        self._disk.close()

    def _unusable(self, error: Exception) -> ToolkitError:
        hint = "delete that directory or name another one as `run: {cache: …}`"
        if getattr(error, "sqlite_errorcode", 0) & 0xFF in (
            sqlite3.SQLITE_FULL,
            sqlite3.SQLITE_IOERR,
        ):
            hint = "free some disk space, then run the same command again"
        return ToolkitError("prerequisite", f"the cache {self.path} cannot be used: {error}", hint)
