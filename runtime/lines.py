"""Lines of a byte stream, none longer than memory can hold, and what files of rows may not be."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import IO

from runtime.errors import ToolkitError

MAX_LINE = 32 * 2**20
"""Bytes. The longest record there can be, 64 responses of 20,000 characters, is far below."""


def numbered_lines(file: IO[bytes], name: str) -> Iterator[tuple[int, bytes]]:
    """The lines of `file`, with their ends, from 1. `name` is what messages call it.

    Raises ToolkitError("input") for a line of more than MAX_LINE bytes, as a small compressed
    file may unpack to, and for a compressed file that is cut off or damaged.
    """
    number = 0
    while True:
        number += 1
        try:
            line = file.readline(MAX_LINE + 1)
        except (EOFError, OSError, zlib.error) as error:
            message = f"{name}:{number}: cannot be read from here on: {error}"
            raise ToolkitError("input", message, "make or copy the file again") from None
        if not line:
            return
        if len(line) > MAX_LINE:
            message = f"{name}:{number}: a line of more than {MAX_LINE:,} bytes"
            raise ToolkitError("input", message, "give one record a line")
        yield number, line


def not_utf8(place: str, error: UnicodeDecodeError) -> ToolkitError:
    """What is wrong with a text at `place` that was saved in another encoding."""
    message = f"{place}: not UTF-8 text: {error.reason} at byte {error.start + 1}"
    return ToolkitError("input", message, "save the file as UTF-8")


def check_columns(columns: Iterable[str], place: str) -> None:
    """Raises ToolkitError("input") for two columns of one name, as a row could keep one only."""
    for column, times in Counter(columns).items():
        if times > 1:
            message = f"{place}: two columns are called {column[:100]!r}"
            raise ToolkitError("input", message, "rename or remove one of them")
