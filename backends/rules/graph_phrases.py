"""Adjectives and parts as attribute phrases that read after "the NAME with" (spec 3.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backends.rules import lexicon
from backends.rules.grammar import article, parse_number
from backends.rules.graph_words import dimension, listed, mapped
from backends.rules.mention import Mention

if TYPE_CHECKING:
    from spacy.tokens import Token

_COMPARING = {
    "more", "most", "less", "least", "so", "too", "rather", "quite", "very", "extremely",
    "prominently", "beautifully", "clearly", "currently", "also", "typically",
}  # fmt: skip
_COVERS = {"coat", "fur", "mane", "plumage", "skin", "feather"}


def adjective_phrase(words: str) -> str | None:
    """ "dark green" as "a dark green color", "wooden" as "made of wood".

    None for a word without a dimension, such as a judgement ("beautiful").
    """
    text = " ".join(word for word in words.lower().split() if word not in _COMPARING)
    if mapped("special", text):
        return mapped("special", text)
    last = text.split()[-1] if text else ""
    if " and " in text and not all(dimension(word.split()[-1]) for word in text.split(" and ")):
        return None
    material = mapped("material", text)
    if material:
        return f"made of {material}"
    if "-" in last and dimension(last) is None:
        return _hyphenated(last)
    kind = dimension(last)
    if kind is None:
        return None
    return with_article(f"{text} {kind}")


def shaded(adjectives: list[str]) -> list[str]:
    """ "vivid" and "pink" side by side are one colour, and so are "golden" and "brown"."""
    found: list[str] = []
    for words in adjectives:
        colored = dimension(words.split()[-1]) == "color" if words else False
        if found and colored and dimension(found[-1].split()[-1]) == "color":
            found[-1] = f"{found[-1]} {words}"
        else:
            found.append(words)
    return found


def _hyphenated(word: str) -> str | None:
    """ "light-colored", "long-haired", "snow-covered"."""
    first, _, last = word.rpartition("-")
    pattern = mapped("hyphens", last)
    if pattern is None or first in ("well", "ill", "over", "re"):
        return None
    first = first.replace("-", " ") if last in ("colored", "coloured") else first
    if not pattern.startswith("a "):
        return pattern.format(first)
    if parse_number(first) is not None:
        return None
    return with_article(pattern.removeprefix("a ").format(first))


def with_article(phrase: str) -> str:
    """A singular noun phrase with its indefinite article."""
    return f"{article(phrase)} {phrase}"


def look_phrase(noun: Token, adjectives: list[str], category: list[Token]) -> str | None:
    """A noun that says how a thing looks ("a floral pattern"), if something describes it."""
    said = [text for text in map(part_adjective, adjectives) if text]
    names = [token.text.lower() for token in category]
    if not said and len(names) < 2:
        return None
    return counted(noun, " ".join([*said, *names]))


def part_adjective(words: str) -> str | None:
    """The words of an adjective phrase that state a look, not a judgement."""
    kept = [word for word in words.replace(",", " ").split() if word not in _COMPARING]
    last = kept[-1] if kept else ""
    known = (
        listed("part_words", last)
        or dimension(last) is not None
        or mapped("material", last) is not None
        or (_hyphenated(last) is not None if "-" in last else False)
    )
    return " ".join(kept) if known else None


def counted(noun: Token, phrase: str) -> str:
    """The phrase with an article where its noun takes one."""
    plural = noun.tag_ in ("NNS", "NNPS") or noun.lower_.endswith("feet")
    if plural or listed("mass", noun.lower_) or phrase.split()[0] in ("two", "three", "four"):
        return phrase
    return with_article(phrase)


def part_phrase(mention: Mention, looks: list[str], state: str | None, owner: str) -> str | None:
    """A part as an attribute of its owner: "long floppy ears", "its head turned to the side".

    `looks` are adjectives that a predicate adds, `state` is a participle phrase, and `owner` the
    possessive that speaks of the owner.
    """
    adjectives = [text for text in map(part_adjective, [*mention.adjectives, *looks]) if text]
    adjectives = list(dict.fromkeys(adjectives))
    names = [
        token.text if token.pos_ == "PROPN" and token.is_title else token.text.lower()
        for token in mention.category
    ]
    if listed("vague_parts", mention.lemma):
        return None
    body = listed("body", mention.noun.lower_) or listed("body", mention.lemma)
    numbers = [token.text.lower() for token in mention.count]
    if state and body and mention.lemma not in _COVERS:
        first = " ".join(numbers) or owner
        return f"{first} {' '.join([*adjectives, *names])} {state}"
    count = [number for number in numbers if number != "one"]
    bare = not adjectives and len(names) == 1
    if (body and not adjectives) or (bare and not _is_introduced(mention)):
        return None
    if bare and listed("plain_look", mention.lemma):
        return None
    return counted(mention.noun, " ".join([*count, *adjectives, *names]))


def _is_introduced(mention: Mention) -> bool:
    """ "with a logo", "has a handle": what the text takes for worth telling."""
    top = mention.top
    while top.dep_ == "conj":
        top = top.head
    return top.head.lower_ == "with" or top.head.lemma_ in ("have", "feature")


def plain_name(mention: Mention) -> tuple[str, list[str]]:
    """The category without leading adjectives, and these adjectives ("vintage doll")."""
    words = mention.text.split()
    described: list[str] = []
    while len(words) > 1 and _describes(words[0].lower(), words[1].lower()):
        described.append(words.pop(0).lower())
    return " ".join(words), described


def _describes(word: str, noun: str) -> bool:
    if lexicon.is_compound(word, noun):
        return False
    return (
        mapped("material", word) is not None
        or dimension(word) is not None
        or word in ("individual", "various", "different")
    )
