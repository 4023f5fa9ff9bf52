"""Headless Chromium under Playwright: the installed one, else Debian's, unpacked here."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING

from tests.servers.debian import libraries, unpacked

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# /dev/shm is small in containers.
OPTIONS = ["--disable-dev-shm-usage", "--disable-gpu"]


@lru_cache(maxsize=1)
def program() -> tuple[str, dict[str, str]]:
    """Chromium's path and the environment it needs; skips the test where there is none."""
    if found := shutil.which("chromium") or shutil.which("google-chrome"):
        return found, {}
    root = unpacked("chromium")
    return str(root / "usr/lib/chromium/chromium"), {"LD_LIBRARY_PATH": libraries(root)}


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser; make pages by `browser.new_page(viewport=…, color_scheme=…)`."""
    from playwright.sync_api import sync_playwright

    path, environment = program()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=path, args=OPTIONS, env={**os.environ, **environment}
        )
        try:
            yield browser
        finally:
            browser.close()
