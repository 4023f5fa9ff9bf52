"""What tells one model from another, whatever its file is called."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

_SAMPLES, _SAMPLE_BYTES = 64, 65_536


def file_fingerprint(path: str | Path) -> str:
    """Hex sha256 of the size and of pieces from the whole file: quick for many gigabytes."""
    size = os.path.getsize(path)
    digest = hashlib.sha256(str(size).encode())
    with open(path, "rb") as file:
        for sample in range(_SAMPLES):
            file.seek(sample * size // _SAMPLES)
            digest.update(file.read(_SAMPLE_BYTES))
    return digest.hexdigest()


def folder_fingerprint(folder: Path) -> str:
    """Hex sha256 over the names and fingerprints of the files that lie in a folder."""
    files = sorted(path for path in folder.iterdir() if path.is_file())
    lines = [f"{path.name} {file_fingerprint(path)}" for path in files]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()
