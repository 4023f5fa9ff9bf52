"""What a run has paid each of its backends, over all its sessions; no kill loses it."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Self

from pydantic import TypeAdapter, ValidationError

from schemas.base import StrictModel

SPEND = ".spend.json"


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
        """Open the ledger of the directory. One that cannot be read counts as new."""
        self._descriptor = os.open(directory / SPEND, os.O_RDWR | os.O_CREAT, 0o644)
        self._length = os.fstat(self._descriptor).st_size
        self.spends = _read(os.pread(self._descriptor, self._length, 0))
        self.is_new = not self.spends

    @property
    def cost_usd(self) -> float:
        """US dollars in all."""
        return sum(spend.cost_usd for spend in self.spends.values())

    @property
    def tokens(self) -> int:
        """Tokens in all, of prompts and of answers."""
        return sum(s.prompt_tokens + s.completion_tokens for s in self.spends.values())

    def add(self, backend: str, prompt_tokens: int, completion_tokens: int, cost: float) -> None:
        """Write down one answer of `backend` that cost `cost` US dollars."""
        was = self.spends.get(backend, Spend())
        self.spends[backend] = Spend(
            answers=was.answers + 1,
            prompt_tokens=was.prompt_tokens + prompt_tokens,
            completion_tokens=was.completion_tokens + completion_tokens,
            cost_usd=was.cost_usd + cost,
        )
        # Padded, so that a shorter text leaves nothing of the longer one before it.
        text = _SPENDS.dump_json(self.spends).ljust(self._length)
        self._length = os.pwrite(self._descriptor, text, 0)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.close(self._descriptor)


def _read(text: bytes) -> dict[str, Spend]:
    try:
        return _SPENDS.validate_json(text)
    except ValidationError:
        return {}
