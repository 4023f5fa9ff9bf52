from __future__ import annotations

import io
import os
import pty
import re
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import pytest
from rich.console import Console

from runtime.progress import CallSnapshot, Progress, shown
from runtime.runner import RunSummary
from tests.e2e.commands import EXAMPLE, ROOT, run, server, write_config

HOSTILE = "fig: [red]no[/red] \x1b[2J\x07\nanswer \u202eto it\x00"
PLAIN = r"fig: [red]no[/red] \x1b[2J\x07 answer \u202eto it\x00"


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


class Calls:
    """Counters that a test moves."""

    now = CallSnapshot()

    def __call__(self) -> CallSnapshot:
        return self.now


def summary_of(
    done: int = 0, *failures: str, pending: int = 0, running: int = 0, resumed: int = 0
) -> RunSummary:
    summary = RunSummary(done, resumed, pending, running, Counter(refused=len(failures)))
    summary.last_failures.extend(failures)
    return summary


def drawn(progress: Progress, width: int) -> list[str]:
    console = Console(width=width, file=io.StringIO(), record=True, force_terminal=True)
    console.print(progress)
    return [line.rstrip() for line in console.export_text().splitlines()]


def test_a_line_every_five_seconds_and_an_error_only_when_it_is_new(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    calls = Calls()
    summary = summary_of(running=8)
    with Progress("rsr", 65, calls, earlier=10, budget_usd=25) as progress:
        progress.update(summary)
        summary.done, summary.rejected["refused"] = 3, 2
        summary.last_failures.extend(["cat: no", HOSTILE])
        calls.now = CallSnapshot(live=30, cached=7, tokens=12_345, cost_usd=1.2)
        for seconds in range(1, 13):
            clock.now = 100.0 + seconds
            progress.update(summary)
    first, second = capsys.readouterr().err.splitlines()
    assert first == (
        "rsr: 15/65 · 3 done · 2 rejected · 8 running · 10 earlier · 0:00:50 left · "
        f"30 calls (6.0/s) · 7 cached · 12,345 tokens · $1.20 of $25 · last error: {PLAIN}"
    )
    assert "0:01:40 left" in second
    assert second.endswith("30 calls (3.0/s) · 7 cached · 12,345 tokens · $1.20 of $25")


def test_calls_a_second_are_those_of_the_last_ten_seconds(clock: Clock) -> None:
    calls = Calls()
    with Progress("rsr", 65, calls) as progress:
        for second in range(40):
            clock.now = 100.0 + second
            calls.now = CallSnapshot(live=min(second, 20) * 50)
            progress.update(RunSummary())
            if second == 15:
                assert "750 calls (50.0/s)" in drawn(progress, 80)[2]
    assert "1,000 calls (0.0/s)" in drawn(progress, 80)[2]


def test_a_block_that_comes_at_once_is_spread_over_the_time_it_took(clock: Clock) -> None:
    calls = Calls()
    with Progress("rsr", 640, calls) as progress:
        progress.update(RunSummary())
        for block in range(1, 4):
            clock.now = 100.0 + 32 * block
            for number in range(64):
                done = 64 * (block - 1) + number + 1
                calls.now = CallSnapshot(live=done)
                progress.update(summary_of(done))
    _, records, asked = drawn(progress, 80)
    assert "192 calls (2.0/s)" in asked
    assert records.endswith("0:03:44 left")


def test_what_was_done_earlier_speeds_nothing_up(clock: Clock) -> None:
    with Progress("rsr", 1000, earlier=900) as progress:
        progress.update(summary_of())
        assert "left" not in drawn(progress, 80)[1], "nothing to guess by"
        clock.now += 10
        progress.update(summary_of(10, resumed=500))
    head, records, _ = drawn(progress, 80)
    assert head.endswith("910/1,000")
    assert records == "10 done · 0 rejected · 900 earlier · 0:01:30 left"


def test_the_time_left_follows_the_last_minute_and_else_the_mean(clock: Clock) -> None:
    with Progress("rsr", 1000) as progress:
        for second in range(300):
            clock.now = 100.0 + second
            progress.update(summary_of(second if second < 100 else 100 + (second - 100) // 10))
        assert drawn(progress, 80)[1].endswith("2:26:50 left"), "six in the last minute"
        clock.now += 99
        progress.update(summary_of(119))
        assert drawn(progress, 80)[1].endswith("0:49:07 left"), "119 in 398 seconds"


def test_what_waits_for_a_batch_is_not_waited_for(clock: Clock) -> None:
    collected = CallSnapshot(live=4000)
    with Progress("rsr", 100, lambda: collected) as progress:
        progress.update(RunSummary())
        clock.now += 10
        progress.update(summary_of(20, pending=60))
    _, records, asked = drawn(progress, 80)
    assert records == "20 done · 0 rejected · 60 wait for a batch · 0:00:10 left"
    assert asked.startswith("4,000 calls (0.0/s)"), "they were not made in these seconds"


@pytest.mark.parametrize("width", [120, 80, 40, 24])
def test_the_display_fits_the_terminal(clock: Clock, width: int) -> None:
    calls = Calls()
    calls.now = CallSnapshot(123_456, 1_059, 12_345_678, 1234.5)
    title = "negative_generator"
    with Progress(title, 1_000_000, calls, earlier=500_000, budget_usd=2500.5) as progress:
        progress.update(summary_of(running=64))
        clock.now += 60
        progress.update(summary_of(50_000, "one: a", "two: " + "b" * 9999, HOSTILE, running=64))
    lines = drawn(progress, width)
    assert max(map(len, lines)) <= width
    assert [line[:6] for line in lines if line[0] == "✗"] == ["✗ one:", "✗ two:", "✗ fig:"]
    text = " ".join(lines)
    for item in (
        "50,000 done", "3 rejected", "64 running", "500,000 earlier", "0:09:00 left",
        "123,456 calls (0.0/s)", "1,059 cached", "12,345,678 tokens", "$1,234.50 of $2,500.50",
    ):  # fmt: skip
        assert item in text
    assert width < 60 or "[red]no[/red]" in text
    assert lines[0].endswith("━ 550,003/1,000,000")


def test_text_of_strangers_is_one_line_without_commands() -> None:
    assert shown(HOSTILE) == PLAIN
    assert shown("naïve 猫 🐈") == "naïve 猫 🐈"
    assert shown("\ud800") == r"\ud800"


def test_a_terminal_that_cannot_move_its_cursor_gets_lines(
    monkeypatch: pytest.MonkeyPatch, clock: Clock
) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    monkeypatch.setenv("TERM", "dumb")
    with Progress("rsr", 4) as progress:
        clock.now += 6
        progress.update(summary_of(3, "a: b"))
    assert terminal.getvalue().startswith("rsr: 4/4 · 3 done · 1 rejected · ")
    assert "\x1b" not in terminal.getvalue()


def in_terminal(*command: object) -> tuple[int, str]:
    """Exit code and all that a command wrote to a terminal of 80 columns."""
    ours, its = pty.openpty()
    child = subprocess.Popen(
        [sys.executable, "-m", *map(str, command)],
        cwd=ROOT,
        stdin=its,
        stdout=its,
        stderr=its,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "80", "LINES": "24"},
    )
    os.close(its)
    written = b""
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # how Linux says that the last writer has left
            break
        if not part:
            break
        written += part
    os.close(ours)
    return child.wait(), written.decode()


@pytest.mark.slow
def test_the_real_command_on_a_terminal_and_in_a_pipe(tmp_path: Path) -> None:
    arguments = ("--answers", "rules", "--latency-ms", 400, "--faults", '{"refusal": 0.1}')
    with server(tmp_path, *arguments) as address:
        config = write_config(tmp_path, address, max_parallel=4, price={"input": 30, "output": 0})
        command = ("agents.response_parser", EXAMPLE, "--config", config, "--max-cost", "25")
        code, seen = in_terminal(*command, "--output", tmp_path / "seen")
        piped = run(*command, "--output", tmp_path / "piped")
    assert code == 0, seen
    shown_lines = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", seen).replace("\r", "\n").splitlines()
    live = [line for line in shown_lines if "━" in line or " · " in line or "✗" in line]
    assert max(map(len, live)) <= 80
    text = "\n".join(shown_lines)
    assert len(set(re.findall(r"response_parser [━╸╺]+ (\d+)/36", text))) > 3, "it moved"
    assert re.search(r"\d+ done · \d+ rejected · \d+ running · 0:00:\d\d left", text)
    assert re.search(r"\d+ calls \([1-9]\d*\.\d/s\) · 0 cached · [\d,]+ tokens · \$", text)
    assert re.search(r"\$\d\.\d\d of \$25", text)
    assert re.search(r"✗ \w+#\d: the model refused", text)
    assert text.rstrip().endswith(f"wrote {tmp_path / 'seen'}"), "the last word is the command's"
    assert piped.returncode == 0
    assert not re.search(r"[\x00-\x09\x0b-\x1f]", piped.stdout + piped.stderr)
