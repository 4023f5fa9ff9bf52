"""Word tables of noun phrases and attribute phrases: mass nouns, prepositions, participles."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path


@lru_cache(maxsize=1)
def _tables() -> dict[str, frozenset[str]]:
    path = Path(__file__).with_name("data") / "english_words.json"
    tables = json.loads(path.read_text(encoding="utf-8"))
    return {name: frozenset(words) for name, words in tables.items()}


def listed(table: str, word: str) -> bool:
    """Whether a lower-case word is in the named table."""
    return word in _tables()[table]
