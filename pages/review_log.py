"""`reviews.jsonl` as it grows: lines are added to it, and no line is ever changed."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from runtime.errors import ToolkitError
from runtime.reviews import REVIEWS, parse_reviews
from schemas.review import Review


class ReviewLog:
    """The decisions of one run. Several processes may add to it and see each other's lines."""

    def __init__(self, folder: Path) -> None:
        """Raises ToolkitError("input") when it cannot be written."""
        self._path = folder / REVIEWS
        self._read = self._lines = 0
        try:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        except OSError as error:
            raise self._unwritable(error) from error

    def append(self, review: Review) -> None:
        """Add a line; it is on the disk when this returns.

        Raises ToolkitError("input") when the disk does not take it, or the file is another one.
        """
        line = review.model_dump_json(exclude_defaults=True).encode() + b"\n"
        try:
            with self._locked():
                self._check()
                end = self._whole()
                try:
                    if os.write(self._descriptor, line) != len(line):
                        raise OSError("the disk is full")
                    os.fsync(self._descriptor)
                except OSError:
                    os.ftruncate(self._descriptor, end)
                    raise
        except OSError as error:
            raise self._unwritable(error) from error

    def fresh(self) -> list[Review]:
        """The whole lines that were not read before, whoever added them.

        Raises ToolkitError("input") with the line for a bad one, which leaves all of them unread,
        and when the file was replaced or shortened.
        """
        size = self._check()
        data = os.pread(self._descriptor, size - self._read, self._read)
        whole = data[: data.rfind(b"\n") + 1]
        reviews = list(parse_reviews(whole, str(self._path), self._lines))
        self._read += len(whole)
        self._lines += whole.count(b"\n")
        return reviews

    def _check(self) -> int:
        """The size of the file, while it is still the one whose lines were read."""
        here = os.fstat(self._descriptor)
        try:
            is_same = os.path.samestat(here, self._path.stat())
        except OSError:
            is_same = False
        if not is_same or here.st_size < self._read:
            hint = "stop the page and start it again; what is in the file now holds"
            raise ToolkitError("input", f"{self._path}: was replaced or shortened", hint)
        return here.st_size

    @contextmanager
    def _locked(self) -> Iterator[None]:
        fcntl.flock(self._descriptor, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)

    def _whole(self) -> int:
        """The size of the file, once what a killed process left of a line is cut off."""
        size = end = os.fstat(self._descriptor).st_size
        while end and os.pread(self._descriptor, 1, end - 1) != b"\n":
            end -= 1
        if end < size:
            os.ftruncate(self._descriptor, end)
        return end

    def _unwritable(self, error: OSError) -> ToolkitError:
        message = f"cannot write {self._path}: {error.strerror or error}"
        return ToolkitError("input", message, "free some space, or make the folder writable")
