"""Left modifiers of a noun: part of the category name, or a description of the thing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backends.rules import lexicon
from backends.rules.grammar import parse_number
from backends.rules.mention import Mention, noun_lemma

if TYPE_CHECKING:
    from spacy.tokens import Token


_SIZE = {
    "big", "small", "little", "large", "tall", "long", "short", "old", "young", "new", "older",
    "younger", "fresh", "dry", "wild", "wide", "broad", "heavy", "light", "dark", "free", "open",
    "closed", "round", "square", "flat", "full", "thick", "thin", "modern", "white-collar",
}  # fmt: skip


def is_category_word(token: Token, noun: Token) -> bool:
    """Whether a modifier belongs to the category name and not to the description."""
    lower, head = token.lower_, noun_lemma(noun)
    if parse_number(token.text) is not None:
        return _is_name_number(token)
    if lexicon.counted(lower) is not None or lexicon.listed("vague", lower):
        return False
    if token.text[:1].isupper() and not token.is_sent_start and token.pos_ != "DET":
        return True
    if token.pos_ == "PROPN" and not lexicon.listed("color", lower):
        return lower not in _SIZE
    if lexicon.listed("stative_participle", lower):
        return False
    if lower in _SIZE or (lexicon.is_person(head) and token.pos_ == "ADJ"):
        return False
    animate = lexicon.is_animate(head)
    if lexicon.listed("color", lower):
        living = animate or lexicon.is_kind_of(head, "plant") or lexicon.is_kind_of(head, "food")
        return living and lexicon.is_compound(lower, head)
    if lexicon.is_compound(lower, head) or _is_low_information(token, head):
        return True
    mistaken = token.pos_ == "ADJ" and not lexicon.is_adjective(lower) and "-" not in lower
    if token.pos_ == "NOUN" or (mistaken and lexicon.is_physical(lower, known_only=True)):
        return not lexicon.is_descriptive(lower) or (animate and lexicon.listed("material", lower))
    if "-" in lower:
        if any(lexicon.listed("color", part) for part in lower.split("-")):
            return False
        return not lower.endswith("ed") and lexicon.is_physical(lower, known_only=True)
    return token.tag_ == "VBG" and token.dep_ == "compound"


def add_adjective(mention: Mention, token: Token) -> None:
    """Collect an adjective; "black and white" and "brightly colored" stay one phrase."""
    if token.pos_ == "ADV" or token.lower_ in ("light", "dark", "bright", "deep", "pale", "very"):
        follower = token.nbor()
        if token.pos_ == "ADV" or lexicon.listed("color", follower.lower_):
            return
    start = token.i
    while start > 0 and _intensifies(token.doc[start - 1], token):
        start -= 1
    phrase = token.doc[start : token.i + 1].text
    before = token.doc[start - 1] if start > 0 else token
    colors = lexicon.listed("color", token.lower_) and before.lower_ == "and"
    if colors and mention.adjectives:
        last = mention.adjectives.pop()
        mention.adjectives.append(f"{last} and {phrase}")
    else:
        mention.adjectives.append(phrase if phrase.isupper() else phrase.lower())


def _intensifies(token: Token, adjective: Token) -> bool:
    if token.pos_ == "ADV" and token.head == adjective:
        return True
    shade = token.lower_ in ("light", "dark", "bright", "deep", "pale", "very")
    return shade and lexicon.listed("color", adjective.lower_)


def _is_low_information(token: Token, head: str) -> bool:
    """A wall or a surface is an object only with its material ("brick wall")."""
    return lexicon.listed("low_information", head) and lexicon.listed("material", token.lower_)


def _is_name_number(token: Token) -> bool:
    """A number inside a product name ("iPhone 15 Pro") or a model year ("2019 Toyota")."""
    before = token.nbor(-1) if token.i > 0 else token
    after = token.nbor() if token.i + 1 < len(token.doc) else token
    if before != token and before.pos_ == "PROPN" and before.head in (token.head, token):
        return True
    if before != token and before.text[:1].isalpha() and before.text != before.text.lower():
        return not before.is_sent_start
    year = len(token.text) == 4 and token.text[:2] in ("19", "20")
    return bool(year and after.text[:1].isupper())
