"""What a run is doing: a live display on a terminal, else a line on stderr every few seconds."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import timedelta
from math import inf
from types import TracebackType
from typing import TYPE_CHECKING, Self

from runtime.runner import RunSummary

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.live import Live

_LINE_SECONDS = 5.0
_SAMPLE_SECONDS = 1.0
_CALL_WINDOW, _RECORD_WINDOW = 10.0, 60.0
_BETWEEN = " · "
_LONGEST_ERROR = 300
_SHORTEST_BAR, _LONGEST_BAR = 4, 40


@dataclass(frozen=True)
class CallSnapshot:
    """Model calls so far. `live` and `cached` (answered from the cache) are those of this process,
    tokens and US dollars what the run has paid in all its sessions."""

    live: int = 0
    cached: int = 0
    tokens: int = 0
    cost_usd: float = 0.0


@dataclass(frozen=True)
class _Sample:
    """Calls and records of this process up to a time, or in so many seconds."""

    time: float
    calls: int
    records: int


class Progress:
    """Shows a run of `total` records, `earlier` of which had their outcome before it started.

    Use as a context manager and pass `update` to the runner.
    """

    def __init__(
        self,
        title: str,
        total: int,
        calls: Callable[[], CallSnapshot] = CallSnapshot,
        *,
        earlier: int = 0,
        budget_usd: float | None = None,
    ) -> None:
        self._title, self._total, self._earlier = title, total, earlier
        self._budget_usd = budget_usd
        self._calls = calls
        self._summary, self._snapshot = RunSummary(), calls()
        self._samples: tuple[_Sample, ...] = ()
        self._printed, self._failures_printed = time.monotonic(), 0
        self._live: Live | None = None

    def __enter__(self) -> Self:
        if sys.stderr.isatty():
            self._live = _live(self)
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._live:
            self._live.stop()

    def update(self, summary: RunSummary) -> None:
        """Take the present numbers; on a non-terminal print them at most every five seconds."""
        self._summary, self._snapshot = summary, self._calls()
        now = time.monotonic()
        start, recent = self._samples[:1], self._samples[1:]
        if len(recent) > 1 and now - recent[-2].time < _SAMPLE_SECONDS:
            recent = recent[:-1]  # one of a second is enough, and it is the last one
        # A new tuple each time: the display reads the old one from its own thread.
        self._samples = (*start, *_since(recent, now - _RECORD_WINDOW), self._present(now))
        if self._live is None and now - self._printed >= _LINE_SECONDS:
            self._printed = now
            print(self._line(), file=sys.stderr, flush=True)

    def _present(self, now: float) -> _Sample:
        return _Sample(now, self._snapshot.live, self._here)

    @property
    def _here(self) -> int:
        """Records that got their outcome in this process."""
        return self._summary.done + self._summary.rejected.total()

    def _line(self) -> str:
        items = (self._count(), *self._of_records(), *self._of_calls())
        line = f"{self._title}: {_BETWEEN.join(items)}"
        failures = self._summary.rejected.total()
        if failures > self._failures_printed:
            self._failures_printed = failures
            line += f"{_BETWEEN}last error: {shown(self._summary.last_failures[-1])}"
        return line

    def _count(self) -> str:
        return f"{self._earlier + self._here:,}/{self._total:,}"

    def _of_records(self) -> Iterator[str]:
        summary = self._summary
        yield f"{summary.done:,} done"
        yield f"{summary.rejected.total():,} rejected"
        if summary.running:
            yield f"{summary.running:,} running"
        if summary.pending:
            yield f"{summary.pending:,} wait for a batch"
        if self._earlier:
            yield f"{self._earlier:,} earlier"
        left = self._total - self._earlier - self._here - summary.pending
        # Where nothing was finished lately, the mean is the better guess.
        pace = self._last(_RECORD_WINDOW)
        pace = pace if pace.records else self._last(inf)
        if left > 0 and pace.records:
            yield f"{timedelta(seconds=round(left * pace.time / pace.records))} left"

    def _of_calls(self) -> Iterator[str]:
        calls, recent = self._snapshot, self._last(_CALL_WINDOW)
        yield f"{calls.live:,} calls ({recent.calls / recent.time:.1f}/s)"
        yield f"{calls.cached:,} cached"
        yield f"{calls.tokens:,} tokens"
        budget = f" of {_dollars(self._budget_usd).removesuffix('.00')}" if self._budget_usd else ""
        yield f"{_dollars(calls.cost_usd)}{budget}"

    def _last(self, seconds: float) -> _Sample:
        """What was done in the last `seconds`, or since the start where that is less."""
        now = self._present(time.monotonic())
        then = next(iter(_since(self._samples, now.time - seconds)), now)
        passed = max(now.time - then.time, _SAMPLE_SECONDS)
        return _Sample(passed, now.calls - then.calls, now.records - then.records)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        from rich.progress_bar import ProgressBar
        from rich.table import Table
        from rich.text import Text

        width, count = options.max_width, self._count()
        title = Text(self._title, style="bold", no_wrap=True, overflow="ellipsis")
        title.truncate(max(1, width - len(count) - _SHORTEST_BAR - 2))
        room = width - len(title) - len(count) - 2
        bar = ProgressBar(
            self._total, self._earlier + self._here, width=max(1, min(_LONGEST_BAR, room))
        )
        head = Table.grid(padding=(0, 1))
        head.add_row(title, bar, count)
        yield head
        yield from map(Text, _packed(self._of_records(), width))
        yield from map(Text, _packed(self._of_calls(), width))
        for failure in tuple(self._summary.last_failures):
            text = f"✗ {shown(failure)}"
            yield Text(text, style="red", no_wrap=True, overflow="ellipsis")


def shown(text: str) -> str:
    """A text of anybody in one line, with what a terminal would obey spelled out."""
    words = " ".join(text[:_LONGEST_ERROR].split())
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in words)


def _since(samples: tuple[_Sample, ...], start: float) -> tuple[_Sample, ...]:
    """The samples from `start` on, with the last one before it."""
    before = sum(sample.time <= start for sample in samples)
    return samples[max(0, before - 1) :]


def _dollars(amount: float) -> str:
    return f"${amount:,.2f}"


def _packed(items: Iterable[str], width: int) -> Iterator[str]:
    """Lines of whole items, as many in each as fit."""
    line = ""
    for item in items:
        longer = f"{line}{_BETWEEN}{item}" if line else item
        if line and len(longer) > width:
            yield line
            longer = item
        line = longer
    yield line


def _live(progress: Progress) -> Live | None:
    """A display that is drawn anew four times a second; None where the cursor cannot move."""
    from rich.console import Console
    from rich.live import Live

    console = Console(stderr=True)
    if console.is_dumb_terminal:
        return None
    return Live(
        get_renderable=lambda: progress,
        console=console,
        # What a command prints to a file or a pipe must get there.
        redirect_stdout=sys.stdout.isatty(),
    )
