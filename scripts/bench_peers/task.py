"""The task that every library does: N short questions, each answered as a `Decision`.

A script of a library is called as `python NAME.py API_BASE N FOLDER` and keeps everything it wants
to find again in FOLDER. It prints the seconds of its run, without imports, as its last line.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel

IN_FLIGHT = int(os.environ.get("IN_FLIGHT", "64"))
INSTRUCTION = (
    "Decide whether the first thing is a kind of the second. Answer with a JSON object that has "
    'the one key "decision".'
)


class Decision(BaseModel):
    """The structured answer."""

    decision: Literal["is_a", "cannot_refer_to"]


def questions(count: int) -> list[str]:
    """The records: all different, so that no cache helps within a run."""
    return [f"first: cat number {number}; second: animal" for number in range(count)]


def main(run: Callable[[str, int, Path], Any]) -> None:
    """Call `run(api_base, n, folder)`, which returns how many answers it has."""
    os.environ.setdefault("OPENAI_API_KEY", "none")
    api_base, count, folder = sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])
    folder.mkdir(parents=True, exist_ok=True)
    answered = run(api_base, count, folder)
    if answered != count:
        sys.exit(f"{answered} answers of {count}")
