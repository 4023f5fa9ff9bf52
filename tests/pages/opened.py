"""Pages in headless Chromium, and what must hold of each that opens from a file."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

WIDTHS = (1280, 390)
SCHEMES = ("light", "dark")


@contextmanager
def opened(
    browser: Browser, path: Path, *, width: int = 1280, scheme: str = "light", script: bool = True
) -> Iterator[Page]:
    """The page; fails when it complains or asks for anything but itself."""
    context = browser.new_context(
        viewport={"width": width, "height": 900},
        color_scheme=scheme,  # type: ignore[arg-type]
        java_script_enabled=script,
    )
    complaints: list[str] = []
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    page = context.new_page()
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("dialog", lambda dialog: complaints.append(dialog.message))
    page.goto(path.resolve().as_uri())
    try:
        yield page
        assert complaints == []
        assert [url for url in asked if not url.startswith("data:")] == [path.resolve().as_uri()]
    finally:
        context.close()


def check_layout(page: Page, width: int) -> None:
    """Nothing but boxes of their own scrolls sideways; every plot and picture is there to see.

    No heading skips a level.
    """
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    for plot in page.locator("figure.plot").all():
        box = plot.locator("svg").bounding_box()
        assert box and box["width"] > 200 and box["height"] > 60, plot.inner_text()
        marks = plot.locator(".role-mark > path, .role-mark > line")
        sizes = marks.evaluate_all(
            "marks => marks.map(m => m.getBoundingClientRect()).map(b => b.width + b.height)"
        )
        assert any(size > 3 for size in sizes), plot.inner_text()
    words = page.locator("figure.plot svg text").evaluate_all(
        "all => all.map(one => one.getAttribute('fill'))"
    )
    assert all(colour.startswith("var(") for colour in words)  # or it is not seen in the dark
    for picture in page.locator("img").all():
        assert picture.get_attribute("alt")
    headings = page.locator("h1, h2, h3, h4").evaluate_all("all => all.map(one => +one.tagName[1])")
    assert all(after <= before + 1 for before, after in itertools.pairwise(headings))
    widths = page.locator("img").evaluate_all("all => all.map(one => one.naturalWidth)")
    assert all(widths)


def reached_by_tab(page: Page, presses: int) -> list[str]:
    """What the tab key comes by, each as its tag and text."""
    describe = "() => { const e = document.activeElement; return e.tagName + ' ' + e.innerText; }"
    found = []
    for _ in range(presses):
        page.keyboard.press("Tab")
        found.append(str(page.evaluate(describe)))
    return found
