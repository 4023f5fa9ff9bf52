"""Reward functions of a user's own, as a config names them."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from runtime.errors import ToolkitError


def ascending(completions: Sequence[Any], wanted: Sequence[str], **_: Any) -> list[float | None]:
    """0, 1, … and None for the third, if the column of the row came along."""
    assert wanted == ["cats"] * len(completions)
    rewards: list[float | None] = [float(number) for number in range(len(completions))]
    rewards[2] = None
    return rewards


@contextmanager
def stops_on_second_process(config: Path, rows: Any) -> Iterator[Callable[..., list[float]]]:
    """One of two processes says in its second batch that the training must stop."""
    calls = 0

    def reward(completions: Sequence[Any], **_: Any) -> list[float]:
        nonlocal calls
        calls += 1
        if calls == 2 and os.environ["RANK"] == "1":
            raise ToolkitError("budget", "the second process has no money", "earn some")
        return [float(len(completion[0]["content"])) for completion in completions]

    yield reward
