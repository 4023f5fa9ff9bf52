from __future__ import annotations

import io
import sys
import time
from collections import Counter

import pytest

from runtime.progress import CallSnapshot, Progress
from runtime.runner import RunSummary


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


def test_one_line_every_five_seconds(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    def calls() -> CallSnapshot:
        return CallSnapshot(live=30, cached=7, tokens=12_345, cost_usd=1.5)

    summary = RunSummary(done=3, resumed=10, rejected=Counter(refused=1, server=1))
    with Progress("rsr", 65, calls) as progress:
        for seconds in range(1, 13):
            clock.now = 100.0 + seconds
            progress.update(summary)
    first, second = capsys.readouterr().err.splitlines()
    assert first == (
        "rsr: 15/65 · 2 rejected · 30 calls (6.0/s) · 7 cached · 12,345 tokens · $1.50 · 0:50 left"
    )
    assert "(3.0/s)" in second and second.endswith("1:40 left")


def test_no_time_left_is_guessed_before_the_first_record(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    with Progress("rsr", 65) as progress:
        clock.now = 106.0
        progress.update(RunSummary(resumed=10))
    assert capsys.readouterr().err == (
        "rsr: 10/65 · 0 rejected · 0 calls (0.0/s) · 0 cached · 0 tokens · $0.00\n"
    )


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("TERM", "xterm")
    with Progress("rsr", 4) as progress:
        progress.update(RunSummary(done=3, rejected=Counter(refused=1)))
    assert "4/4" in terminal.getvalue()
    assert "1 rejected" in terminal.getvalue()
