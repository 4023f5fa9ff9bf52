"""Feeds one target with hostile bytes and collects what should not have come of it."""

from __future__ import annotations

import os
import shutil
import tempfile
import traceback
from dataclasses import dataclass, field
from pathlib import Path

from hypothesis import HealthCheck, given, seed, settings

from tests.fuzz.guard import guarded
from tests.fuzz.mutations import hostile
from tests.fuzz.targets import ROOT, TYPED, Target

LONGEST_MESSAGE = 5_000
"""Characters of an error. Nobody reads more, and it goes to the terminal or into a file."""


@dataclass
class Tally:
    """How the cases of one target ended, and the shortest input of each defect."""

    cases: int = 0
    values: int = 0
    errors: int = 0
    defects: dict[str, bytes] = field(default_factory=dict)


def fuzz(target: Target, cases: int, start: int = 0) -> Tally:
    """Run `target` on `cases` inputs, the same ones for the same `start`."""
    tally = Tally()
    sandbox = Path(tempfile.mkdtemp(prefix="fuzz"))
    before = os.getcwd()
    os.chdir(sandbox)

    @seed(start)
    @settings(
        max_examples=cases,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(hostile(target.seeds))
    def run(data: bytes) -> None:
        _one_case(target, data, sandbox / "case", tally)

    try:
        run()
    finally:
        os.chdir(before)
        shutil.rmtree(sandbox)
    return tally


def _one_case(target: Target, data: bytes, folder: Path, tally: Tally) -> None:
    folder.mkdir()
    tally.cases += 1
    try:
        with guarded(folder):
            target.run(data, folder)
        tally.values += 1
    except TYPED as error:
        tally.errors += 1
        problem = _unusable(error)
        if problem:
            _note(tally, problem, data)
    except Exception as error:  # whatever it is: that is what is looked for
        _note(tally, _described(error), data)
    finally:
        shutil.rmtree(folder)
    if os.listdir(folder.parent):
        _note(tally, f"left behind: {os.listdir(folder.parent)}", data)


def _unusable(error: Exception) -> str:
    text = str(error)
    try:
        text.encode()
    except UnicodeEncodeError:
        return f"a message that cannot be written: {text[:80]!a}"
    return f"a message of more than {LONGEST_MESSAGE}" if len(text) > LONGEST_MESSAGE else ""


def _described(error: BaseException) -> str:
    """Its type and the last line of our own that it went through."""
    frames = [frame for frame in traceback.extract_tb(error.__traceback__)
              if frame.filename.startswith(str(ROOT))]  # fmt: skip
    where = f"{Path(frames[-1].filename).relative_to(ROOT)}:{frames[-1].lineno}" if frames else "?"
    return f"{type(error).__name__} at {where}: {str(error)[:100]!a}"


def _note(tally: Tally, what: str, data: bytes) -> None:
    # One defect is one place, whatever its message says of this input.
    key = next(
        (known for known in tally.defects if known.split(": ")[0] == what.split(": ")[0]), what
    )
    if key not in tally.defects or len(data) < len(tally.defects[key]):
        tally.defects[key] = data
