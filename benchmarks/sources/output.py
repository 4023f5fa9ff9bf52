"""Where an import may write: never over its input, another run's files or anything else."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from runtime.errors import ToolkitError
from runtime.files import partial_files

CAPTIONS, GRAPHS, REGIONS = "captions.jsonl", "scene_graphs.jsonl", "regions.jsonl"
REJECTED, MANIFEST = "rejected.jsonl", "manifest.json"
FILES = {CAPTIONS, GRAPHS, REGIONS, REJECTED, MANIFEST}


def check_output(directory: Path, sources: Sequence[Path], overwrite: bool) -> None:
    """Raises ToolkitError("input") unless an import of `sources` may write its files there.

    What killed imports left half-written is removed.
    """
    try:
        _check(directory, sources, overwrite)
    except OSError as error:
        message = f"{directory}: {error.strerror or error}"
        raise ToolkitError("input", message, "choose another --output") from error


def _check(directory: Path, sources: Sequence[Path], overwrite: bool) -> None:
    if os.path.lexists(directory) and not directory.is_dir():
        raise ToolkitError("input", f"{directory}: not a directory", "choose another --output")
    names = {path.name for path in directory.iterdir()} if directory.exists() else set()
    for name in sorted(names & FILES):
        if any(path.exists() and path.samefile(directory / name) for path in sources):
            message = f"{directory / name}: is the input, and would be overwritten"
            raise ToolkitError("input", message, "choose another --output")
    unfinished = [
        path
        for path in partial_files(directory)
        if any(path.name.startswith(f".{name}.") for name in FILES)
    ]
    kept = names - {path.name for path in unfinished}
    if kept - FILES:
        message = f"{directory}: has files that no import left there, such as {min(kept - FILES)}"
        raise ToolkitError("input", message, "choose another --output or an empty directory")
    if kept and not overwrite:
        hint = "choose another --output, or replace it with --overwrite"
        raise ToolkitError("input", f"{directory}: already holds an import", hint)
    for path in unfinished:
        path.unlink()
