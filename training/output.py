"""The folder a training writes to: whose it is, and where an interrupted one goes on."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from runtime.errors import ToolkitError
from runtime.files import write_json

_CLAIM = ".training.json"


def claim(output: Path, fingerprint: Mapping[str, Any], overwrite: bool) -> None:
    """Take the folder for this training, or for going on with the same one.

    Raises ToolkitError (input) when it holds another training, a finished one, or other files.
    """
    if overwrite and (output / _CLAIM).exists():
        shutil.rmtree(output)
    if (output / "manifest.json").exists():
        hint = "give another --output, or --overwrite to discard it"
        raise ToolkitError("input", f"{output}: holds a finished training or run", hint)
    if (output / _CLAIM).exists():
        before = json.loads((output / _CLAIM).read_text(encoding="utf-8"))
        changed = [key for key in fingerprint if before.get(key) != fingerprint[key]]
        if changed:
            message = f"{output}: holds a training with another {' and '.join(changed)}"
            hint = "give another --output, or --overwrite to discard it"
            raise ToolkitError("input", message, hint)
    elif output.exists() and (not output.is_dir() or any(output.iterdir())):
        message = f"{output}: is not an empty directory"
        raise ToolkitError("input", message, "give another --output")
    write_json(output / _CLAIM, dict(fingerprint))


def last_checkpoint(output: Path) -> str | None:
    """The newest checkpoint of an interrupted training."""
    checkpoints = [
        (int(number), path)
        for path in output.glob("checkpoint-*")
        if (number := path.name.removeprefix("checkpoint-")).isdecimal()
    ]
    return str(max(checkpoints)[1]) if checkpoints else None


def file_sha256(path: Path) -> str:
    """Hex sha256 of a file."""
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()
