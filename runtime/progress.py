"""What a run is doing: a live bar on a terminal, else a line on stderr every few seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import TracebackType
from typing import TYPE_CHECKING, Self

from runtime.runner import RunSummary

if TYPE_CHECKING:
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

_LINE_SECONDS = 5.0


@dataclass(frozen=True)
class CallSnapshot:
    """Model calls so far: live ones, answers from the cache, tokens and US dollars paid."""

    live: int = 0
    cached: int = 0
    tokens: int = 0
    cost_usd: float = 0.0


class Progress:
    """Shows a run of `total` records; use as a context manager and pass `update` to the runner."""

    def __init__(
        self, title: str, total: int, calls: Callable[[], CallSnapshot] = CallSnapshot
    ) -> None:
        self._title = title
        self._total = total
        self._calls = calls
        self._started = self._printed = time.monotonic()
        self._bar: RichProgress | None = None
        self._task: TaskID | None = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            self._bar = _make_bar()
            self._task = self._bar.add_task(self._title, total=self._total, numbers="")
            self._bar.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._bar:
            self._bar.stop()

    def update(self, summary: RunSummary) -> None:
        """Show the present numbers; on a non-terminal at most once every five seconds."""
        finished = summary.finished
        if self._bar and self._task is not None:
            self._bar.update(self._task, completed=finished, numbers=self._numbers(summary))
            return
        now = time.monotonic()
        if now - self._printed >= _LINE_SECONDS:
            self._printed = now
            left = self._time_left(summary, finished)
            line = f"{self._title}: {finished}/{self._total} · {self._numbers(summary)}{left}"
            print(line, file=sys.stderr, flush=True)

    def _numbers(self, summary: RunSummary) -> str:
        calls = self._calls()
        rate = calls.live / max(time.monotonic() - self._started, 1e-9)
        return (
            f"{summary.rejected.total()} rejected · {calls.live} calls ({rate:.1f}/s) · "
            f"{calls.cached} cached · {calls.tokens:,} tokens · ${calls.cost_usd:.2f}"
        )

    def _time_left(self, summary: RunSummary, finished: int) -> str:
        here = finished - summary.resumed
        if not here:
            return ""
        seconds = (time.monotonic() - self._started) / here * (self._total - finished)
        return f" · {int(seconds) // 60}:{int(seconds) % 60:02d} left"


def _make_bar() -> RichProgress:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        TextColumn,
        TimeRemainingColumn,
    )
    from rich.progress import Progress as RichProgress

    return RichProgress(
        TextColumn("{task.description}"),
        BarColumn(bar_width=20),
        MofNCompleteColumn(),
        TextColumn("{task.fields[numbers]}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
    )
