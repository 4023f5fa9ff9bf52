"""Word tables of the caption parser: which adjective speaks of which dimension, and the like."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path
from typing import Any

from backends.rules import lexicon


@lru_cache(maxsize=1)
def _data() -> dict[str, Any]:
    path = Path(__file__).with_name("data") / "graph_words.json"
    data: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return data


@lru_cache(maxsize=32)
def _words(table: str) -> frozenset[str]:
    return frozenset(_data()[table])


@lru_cache(maxsize=1)
def _dimensions() -> dict[str, str]:
    return {word: name for name, words in _data()["dimensions"].items() for word in words}


def listed(table: str, word: str) -> bool:
    """Whether a lower-case word is in the named table."""
    return word in _words(table)


def mapped(table: str, word: str) -> str | None:
    """What the named table maps a lower-case word to."""
    found: str | None = _data()[table].get(word)
    return found


def dimension(word: str) -> str | None:
    """The dimension that an adjective speaks of: "color", "size", "posture", …"""
    parts = word.split("-")
    colors = all(lexicon.listed("color", part) for part in parts)
    if colors and word not in ("colorful", "colourful"):
        return "color"
    return _dimensions().get(word)
