"""Number and article of a noun phrase: "a puppy", "an hourglass", "grass", "dogs", "the sky"."""

from __future__ import annotations

import re
from functools import lru_cache

from backends.rules import lexicon
from backends.rules.english_words import listed
from backends.rules.grammar import article, singular

_CACHED = 16_384

_INNER = re.compile(r" (?:of|with|in|on|for|from|at|to|by|made|wearing|holding) ")
_LEADING = re.compile(r"^(?:an?|the) (?=\S)", re.IGNORECASE)
_COUNTED = re.compile(
    r"^(?:\d+|two|three|four|five|six|seven|eight|nine|ten|several|many|some|few|both|various|"
    r"multiple|numerous|his|her|its|their|another|each|every|no) ", re.IGNORECASE
)  # fmt: skip


def words(text: str) -> list[str]:
    """The words of a text, at least one: control characters alone are a word too."""
    return text.split() or [text]


@lru_cache(_CACHED)
def bare(name: str) -> str:
    """A name on one line, without an article that it came with and without a final stop."""
    return _LEADING.sub("", " ".join(words(name)).rstrip(".!?;, ")) or name


@lru_cache(_CACHED)
def head(name: str) -> str:
    """Lower-case head noun: "statue" of "statue of a laughing Buddha"."""
    return words(_INNER.split(f"{bare(name)} ", maxsplit=1)[0])[-1].lower()


@lru_cache(_CACHED)
def is_plural(name: str) -> bool:
    """Whether a verb after the name takes its plural: "dogs", "people", "sunglasses"."""
    noun = head(name)
    if listed("plural", noun) or lexicon.listed("plurale_tantum", noun):
        return True
    return not listed("singular", noun) and singular(noun) != noun


@lru_cache(_CACHED)
def is_proper(name: str) -> bool:
    """A name of its own, such as "Big Ben"; not "TV", "Boeing 747" or "American flag"."""
    *modifiers, last = words(bare(name))
    if not all(word.istitle() and word.isalpha() for word in (*modifiers, last)):
        return False
    if modifiers:
        known = lexicon.is_compound(" ".join(modifiers).lower(), last.lower())
        return not known and not listed("landmarks", last.lower())
    return not lexicon.is_known(last.lower())


@lru_cache(_CACHED)
def indefinite(name: str) -> str:
    """A name with its indefinite article, where it takes one: "a puppy", "grass", "the sky"."""
    text, noun = bare(name), head(name)
    first, *rest = words(text)
    if _is_unique(text, noun, first.lower() if rest else ""):
        return f"the {text}"
    if _COUNTED.match(text) or is_plural(name) or is_proper(name):
        return text
    if listed("mass", noun) or lexicon.listed("mass", noun) or noun.endswith(("ware", "wear")):
        return text
    return f"{article(text)} {text}"


@lru_cache(_CACHED)
def definite(name: str) -> str:
    """A name with "the", where it is not a name of its own: "the puppy", "Big Ben"."""
    text = bare(name)
    return text if is_proper(name) else f"the {text}"


def _is_unique(text: str, noun: str, first: str) -> bool:
    """Whether there is one such thing: the sky, the night sky, the second dahlia."""
    if listed("unique", text.lower()) or (listed("unique_heads", noun) and text.endswith(noun)):
        return True
    if listed("order", first) or (first.endswith("est") and not listed("not_superlative", first)):
        return not is_plural(text) or first.endswith("est")
    return text.istitle() and " " in text and listed("landmarks", noun)
