"""Colours that are read: contrast of texts and of plots, by WCAG 2's formula."""

from __future__ import annotations

import re

import pytest

from pages.render import TEMPLATES

LIGHT, DARK = (TEMPLATES / "theme.css").read_text(encoding="utf-8").split("@media")
BACKS = ("paper", "panel", "good-back", "warn-back", "bad-back", "odd-back")


def luminance(colour: str) -> float:
    shares = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (s / 12.92 if s <= 0.04045 else ((s + 0.055) / 1.055) ** 2.4 for s in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def test_no_text_is_faded() -> None:
    """It would have less contrast than its colour; what is behind a text or off may be."""
    for path in TEMPLATES.glob("*.css"):
        for rule in re.findall(r"([^{}]+){[^{}]*opacity:", path.read_text(encoding="utf-8")):
            assert rule.strip() in (".probability span", "button:disabled"), f"{path.name}: {rule}"


@pytest.mark.parametrize("scheme", [LIGHT, DARK], ids=["light", "dark"])
def test_texts_and_plots_stand_out(scheme: str) -> None:
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", scheme))
    texts = [(text, back) for text in ("ink", "muted", "link") for back in BACKS]
    texts += [(kind, back) for kind in ("good", "warn", "bad", "odd")
              for back in ("paper", "panel", f"{kind}-back")]  # fmt: skip
    lines = [(f"series-{number}", "paper") for number in range(1, 9)]
    lines += [("focus", "paper"), ("focus", "panel"), ("bad", "paper")]
    for pairs, least in ((texts, 4.5), (lines, 3.0)):
        for front, back in pairs:
            assert contrast(colours[front], colours[back]) >= least, f"{front} on {back}"
