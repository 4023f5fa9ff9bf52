"""What a disk refuses, as errors that name the cure."""

from __future__ import annotations

import contextlib
import errno
import os
from collections.abc import Iterator
from pathlib import Path

from runtime.errors import ToolkitError

# No space, no quota, and no more of this file: a limit of the process or of the file system.
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def no_room(place: object, reason: object, cure: str = "free some disk space") -> ToolkitError:
    """The error of a disk that does not take what has to be written to `place`."""
    hint = f"{cure}, then run the same command again"
    return ToolkitError("prerequisite", f"cannot write {place}: {reason}", hint)


@contextlib.contextmanager
def room_for(path: Path) -> Iterator[None]:
    """Raises ToolkitError("prerequisite") for an OSError that says that the disk is full."""
    try:
        yield
    except OSError as error:
        if error.errno not in _FULL:
            raise
        raise no_room(path, error.strerror) from error


@contextlib.contextmanager
def writable(path: Path) -> Iterator[None]:
    """Raises ToolkitError("input") for an OSError: the path cannot be written.

    Raises ToolkitError("prerequisite") where another path on that disk would not do either.
    """
    try:
        with room_for(path):
            yield
    except OSError as error:
        message = f"cannot write {path}: {error.strerror or error}"
        raise ToolkitError("input", message, "choose another place for the result") from error


def open_own(path: Path, flags: int = 0) -> int:
    """A descriptor of a file that a run keeps for itself, made where there is none.

    Raises ToolkitError("input") where the file cannot be written or is a symbolic link: one in a
    directory from somebody else would have a file elsewhere changed.
    """
    flags |= os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW
    with writable(path):
        try:
            return os.open(path, flags, 0o644)
        except OSError:
            if not path.is_symlink():
                raise
    hint = "remove the link, or choose another --output"
    raise ToolkitError("input", f"{path}: is a symbolic link", hint)
