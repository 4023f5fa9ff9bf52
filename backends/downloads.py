"""Images of the web: fetched once into the cache, and kept only when they are images."""

from __future__ import annotations

import hashlib
import http.client
import os
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

from runtime.errors import ToolkitError

MAX_BYTES = 100_000_000
_SILENCE_S, _FETCH_S = 20, 60
_CHUNK = 2**16
_SCHEMES = ("http://", "https://")


def fetched(url: str, downloads: Path | None, check: Callable[[bytes], object]) -> Path:
    """The file in `downloads` that holds what `url` answers, fetched where it is not there yet.

    `check` raises ToolkitError (image) for bytes that are no image; these are not kept. Raises
    ToolkitError (image) also for a URL that may not be fetched (no `downloads`, not http), is
    not answered in a minute or has more than 100 MB, and (prerequisite) for a full disk.
    """
    if downloads is None or not url.lower().startswith(_SCHEMES):
        hint = "allow it with --allow-remote-images, or download the images first"
        if downloads is not None:
            hint = "only http and https are; download the images first"
        raise ToolkitError("image", f"{url}: remote images are not fetched", hint)
    path = downloads / hashlib.sha256(url.encode("utf-8", "replace")).hexdigest()
    if path.exists():
        return path
    try:
        data = _read(url)
        check(data)
    except ToolkitError as error:
        raise ToolkitError("image", f"{url}: {error.message}", error.hint) from error
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise ToolkitError("image", f"{url}: {error}", "check the URL or remove the row") from error
    _keep(path, data)
    return path


class _WebOnly(urllib.request.HTTPRedirectHandler):
    """Follows a redirect to the web only: urllib would go to ftp as well."""

    def redirect_request(self, request: Any, *rest: Any) -> urllib.request.Request | None:
        target = str(rest[-1])
        if not target.lower().startswith(_SCHEMES):
            raise ToolkitError("image", f"redirected to {target}", "download the image first")
        return super().redirect_request(request, *rest)


def _read(url: str) -> bytes:
    """Raises ToolkitError (image), OSError, ValueError, HTTPException."""
    deadline = time.monotonic() + _FETCH_S
    chunks, size = [], 0
    with urllib.request.build_opener(_WebOnly).open(url, timeout=_SILENCE_S) as response:
        # Piece by piece: a server that sends a byte now and then keeps within any pause allowed.
        while chunk := response.read1(_CHUNK):
            chunks.append(chunk)
            size += len(chunk)
            if size > MAX_BYTES:
                raise ToolkitError("image", f"larger than {MAX_BYTES:,} bytes", "make it smaller")
            if time.monotonic() > deadline:
                hint = "check the URL or remove the row"
                raise ToolkitError("image", f"not complete after {_FETCH_S} s", hint)
        expected = response.headers.get("Content-Length", "")
        if expected.isdecimal() and size < int(expected):
            hint = "run the command again with --retry-rejected"
            raise ToolkitError("image", f"only {size:,} of {expected} bytes came", hint)
    return b"".join(chunks)


def _keep(path: Path, data: bytes) -> None:
    # Records of one image are worked on at the same time, in threads.
    partial = path.with_name(f"{path.name}.{os.getpid()}.{threading.get_ident()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        partial.write_bytes(data)
        partial.replace(path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        message = f"cannot write {path}: {error.strerror or error}"
        raise ToolkitError(
            "prerequisite", message, "free some disk space, or move the cache"
        ) from error
