"""Lines of a byte stream, none of them longer than memory can hold."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
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
