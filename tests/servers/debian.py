"""Programs of Debian packages, unpacked without installing them: that takes no root."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

CACHE = Path(__file__).parents[2] / ".cache/debian"


def unpacked(package: str) -> Path:
    """The root folder of a package and of what it needs beyond the installed ones.

    Skips the test where there is no Debian to download from.
    """
    target = CACHE / package
    if not target.exists():
        if not shutil.which("apt-get") or not shutil.which("dpkg-deb"):
            pytest.skip(f"{package} is not installed, and there is no apt-get to download it")
        CACHE.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=CACHE) as name:
            _unpack(package, Path(name))
            if not target.exists():  # another test process may have been faster
                os.rename(Path(name) / "root", target)
    return target


def _unpack(package: str, folder: Path) -> None:
    plan = _apt(package, folder, "-s", "install", "--no-install-recommends", package)
    wanted = re.findall(r"^Inst (\S+)", plan, re.MULTILINE)
    _apt(package, folder, "download", *wanted)
    for archive in folder.glob("*.deb"):
        command = ["dpkg-deb", "--extract", str(archive), str(folder / "root")]
        subprocess.run(command, check=True)


def _apt(package: str, folder: Path, *words: str) -> str:
    done = subprocess.run(["apt-get", *words], cwd=folder, capture_output=True, text=True)
    if done.returncode:
        pytest.skip(f"{package} cannot be downloaded from Debian: {done.stderr.strip()}")
    return done.stdout


def libraries(root: Path) -> str:
    """What LD_LIBRARY_PATH must be for a program of this root."""
    return ":".join(sorted({str(path.parent) for path in root.rglob("*.so*")}))
