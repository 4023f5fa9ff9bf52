"""What a run has paid each of its backends, over all its sessions; no kill loses it."""

from __future__ import annotations

import contextlib
import errno
import os
from pathlib import Path
from typing import Self

from pydantic import TypeAdapter, ValidationError

from runtime.disk import open_own, writable
from schemas.base import StrictModel

SPEND = ".spend.json"
# Bytes that are taken before anything is paid, so that a disk that fills up later still has room
# for the sums of some twenty backends.
_ROOM = 4096


class Spend(StrictModel):
    """Answers of one backend that were paid for: tokens and US dollars."""

    answers: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0


_SPENDS = TypeAdapter(dict[str, Spend])


class SpendLedger:
    """The file `.spend.json` of an output directory; use as a context manager.

    It is up to date with every answer before that is used. Outcomes cannot tell this sum: an
    answer whose record was cut off by a kill is in the cache, and free the next time.
    """

    def __init__(self, directory: Path) -> None:
        """Open the ledger of the directory. One that cannot be read counts as new.

        Raises ToolkitError("prerequisite") when the disk is full, and what `open_own` raises.
        """
        self._path = directory / SPEND
        self._descriptor = open_own(self._path)
        try:
            size = os.fstat(self._descriptor).st_size
            self._text = os.pread(self._descriptor, size, 0)
            self.spends = _read(self._text)
            self.is_new = not self.spends
            if size < _ROOM:
                self._write(self._text.ljust(_ROOM))
        except BaseException:
            os.close(self._descriptor)
            raise

    @property
    def cost_usd(self) -> float:
        """US dollars in all."""
        return sum(spend.cost_usd for spend in self.spends.values())

    @property
    def tokens(self) -> int:
        """Tokens in all, of prompts and of answers."""
        return sum(s.prompt_tokens + s.completion_tokens for s in self.spends.values())

    def add(
        self,
        backend: str,
        prompt_tokens: int,
        completion_tokens: int,
        cost: float,
        answers: int = 1,
    ) -> None:
        """Write down an answer of `backend`, or several, that cost `cost` US dollars in all.

        Raises ToolkitError("prerequisite") when the disk is full; the sum is kept in memory then,
        and the file is as it was.
        """
        was = self.spends.get(backend, Spend())
        self.spends[backend] = Spend(
            answers=was.answers + answers,
            prompt_tokens=was.prompt_tokens + prompt_tokens,
            completion_tokens=was.completion_tokens + completion_tokens,
            cost_usd=was.cost_usd + cost,
        )
        # Padded, so that a shorter text leaves nothing of the longer one before it.
        self._write(_SPENDS.dump_json(self.spends).ljust(len(self._text)))

    def _write(self, text: bytes) -> None:
        with writable(self._path):
            try:
                if os.pwrite(self._descriptor, text, 0) < len(text):
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError:
                # Half of a sum would count as none; the one before needs no room that it has not.
                with contextlib.suppress(OSError):
                    os.pwrite(self._descriptor, self._text, 0)
                    os.ftruncate(self._descriptor, len(self._text))
                raise
        self._text = text

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def _read(text: bytes) -> dict[str, Spend]:
    try:
        return _SPENDS.validate_json(text)
    except ValidationError:
        return {}
