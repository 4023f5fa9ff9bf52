"""The folder a training writes to: whose it is, and where an interrupted one goes on."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runtime.errors import ToolkitError
from runtime.files import write_json
from runtime.sources import Source, identity

_CLAIM = ".training.json"


def check_output(output: Path, fingerprint: Mapping[str, Any], overwrite: bool) -> None:
    """The folder is empty, or an unfinished training of the same method, config and data is in it.

    Raises ToolkitError (input) when it holds anything else.
    """
    ours = (output / _CLAIM).exists()
    if ours and overwrite:
        return
    hint = "give another --output, or --overwrite to discard it"
    if ours and (output / "manifest.json").exists():
        raise ToolkitError("input", f"{output}: holds a finished training", hint)
    if ours:
        before = json.loads((output / _CLAIM).read_text(encoding="utf-8"))
        changed = [key for key in fingerprint if before.get(key) != fingerprint[key]]
        if changed:
            message = f"{output}: holds a training with another {' and '.join(changed)}"
            raise ToolkitError("input", message, hint)
    elif output.exists() and (not output.is_dir() or any(output.iterdir())):
        message = f"{output}: is not an empty directory"
        raise ToolkitError("input", message, "give another --output")


def is_finished(output: Path, fingerprint: Mapping[str, Any]) -> bool:
    """Whether the folder holds the whole of this training."""
    if not (output / "manifest.json").exists() or not (output / _CLAIM).exists():
        return False
    return bool(json.loads((output / _CLAIM).read_text(encoding="utf-8")) == fingerprint)


def claim(output: Path, fingerprint: Mapping[str, Any], overwrite: bool) -> None:
    """Take the folder, after `check_output`; with `overwrite` discard the training in it."""
    if overwrite and (output / _CLAIM).exists():
        shutil.rmtree(output)
    write_json(output / _CLAIM, dict(fingerprint))


def last_checkpoint(output: Path) -> str | None:
    """The newest checkpoint of an interrupted training."""
    checkpoints = [
        (int(number), path)
        for path in output.glob("checkpoint-*")
        if (number := path.name.removeprefix("checkpoint-")).isdecimal()
    ]
    return str(max(checkpoints)[1]) if checkpoints else None


def read_hash(data: Path | Source) -> str:
    """Hex sha256 of a file, or of an input with the decisions on it.

    Raises ToolkitError (input) when it cannot be read.
    """
    source = Source.of(data) if isinstance(data, Path) else data
    path = source.shards[0].path
    try:
        return identity(source.digests())
    except OSError as error:
        message = f"{path}: {error.strerror or error}"
        raise ToolkitError("input", message, "check the path") from error
