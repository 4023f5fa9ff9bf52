"""What a model is asked in the published evaluation, and how its answer is read (spec 3.5).

Stands alone: the lmms-eval export copies this file into its `utils.py`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

PROMPT_VERSION = "1"
LETTERS = "ABCDE"
UNPARSED = -1


def prompt(question: str, choices: Sequence[str]) -> str:
    """The user message: that of the published evaluation, with as many letters as options.

    A question whose options are Yes and No is asked as it is, without letters.
    """
    if _is_yes_no(choices):
        return f"{question}\n\nPlease answer with Yes or No."
    letters = LETTERS[: len(choices)]
    options = "\n".join(f"({LETTERS[index]}) {text}" for index, text in enumerate(choices))
    among = ", ".join(letters[:-1]) + (", or " if len(letters) > 2 else " or ") + letters[-1]
    return (
        f"Select the best answer for the multiple-choice question.\n\n{question}\n\n{options}\n\n"
        f"Please answer with a single capital letter ({among}):"
    )


# A capital letter by itself, but not the article: "A cat is …" chooses nothing. It is much like
# that of agents.choice_probabilities, which a file that stands alone cannot share.
_LETTER = re.compile(r"(?<![\w'’-])([B-E]|A(?!\s+(?!(?:is|and|or|because)\b)[a-z]))(?![\w'’]|-\w)")
_LONE_LETTER = re.compile(r"\W*(?:(?i:option)\b\W*)?([A-Ea-e])\W*")
_ANSWER = re.compile(
    r"(?i:\banswer|\boption\s*(?:is|:))\s*(?i:is|:)?[\s(*:`\"']*(?:(?i:option)\b[\s(*`\"']*)?"
    r"([A-Ea-e])(?=[\s)*`\"']*(?:[.,;:)\n]|$))"
)
_DENIED = re.compile(r"\bnot(?:\s+option)?\b[\s(*`\"']*\Z", re.IGNORECASE)
_OR = re.compile(r"\W*(?:or|and|/)\W*[A-E]\b")
_YES_NO = re.compile(r"\b(yes|no)\b")


def chosen_option(text: str, choices: Sequence[str]) -> int:
    """Index of the option that an answer chooses, -1 (unparsed) where none can be told.

    What stands before "</think>" is left out. Then, in this order: the whole answer is the text of
    an option; it is one letter, or "option b"; what the last "answer: B" or "the answer is option
    b" says; the letter it begins with, as in "(B)", "B." or "**B**"; the only capital letter that
    stands by itself; the only option whose text stands in the answer. Of several letters none is
    chosen, and none by a letter beyond the options. Where the options are Yes and No, it is the
    first of these words. Case and spacing of texts do not matter.

    The published script takes the first a to e of either case, inside words too; answers that are
    just a letter are read alike.
    """
    text = text.rpartition("</think>")[2]
    if "<think>" in text:
        return UNPARSED  # cut off before the answer
    said, options = _plain(text), [_plain(choice) for choice in choices]
    if said in options:
        return options.index(said)
    if _is_yes_no(choices):
        word = _YES_NO.search(said)
        return options.index(word[1]) if word else UNPARSED
    letter = _letter(text)
    if letter:
        index = LETTERS.index(letter)
        return index if index < len(options) else UNPARSED
    found = [index for index, option in enumerate(options) if option in said]
    return found[0] if len(found) == 1 else UNPARSED


def _letter(text: str) -> str | None:
    """The letter that an answer settles on; None where it names several, or none."""
    lone = _LONE_LETTER.fullmatch(text)
    stated = [found[1] for found in _ANSWER.finditer(text)]
    named = [
        (found[1], found.start())
        for found in _LETTER.finditer(text)
        if not _DENIED.search(text, 0, found.start())
    ]
    if lone or stated:
        return (lone[1] if lone else stated[-1]).upper()
    leads = bool(named) and not text[: named[0][1]].strip(" \n(*`\"'[")
    if leads and not _OR.match(text, named[0][1] + 1):
        return named[0][0]
    return named[0][0] if len({letter for letter, _ in named}) == 1 else None


def _is_yes_no(choices: Sequence[str]) -> bool:
    return sorted(map(_plain, choices)) == ["no", "yes"]


def _plain(text: str) -> str:
    return " ".join(text.split()).strip(" .\"'*`").casefold()
