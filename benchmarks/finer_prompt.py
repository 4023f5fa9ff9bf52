"""What a model is asked in the published evaluation, and how its answer is read (spec 3.5)."""

from __future__ import annotations

import re
from collections.abc import Sequence

from schemas.finer import QuestionRow

PROMPT_VERSION = "1"
LETTERS = "ABCDE"
UNPARSED = -1


def prompt(row: QuestionRow) -> str:
    """The user message: that of the published evaluation, with as many letters as options.

    A question whose options are Yes and No is asked as it is, without letters.
    """
    if _is_yes_no(row.choices):
        return f"{row.question}\n\nPlease answer with Yes or No."
    letters = LETTERS[: len(row.choices)]
    options = [f"({letter}) {text}" for letter, text in zip(letters, row.choices, strict=True)]
    among = ", ".join(letters[:-1]) + (", or " if len(letters) > 2 else " or ") + letters[-1]
    return "\n".join(
        [
            "Select the best answer for the multiple-choice question.",
            "",
            row.question,
            "",
            *options,
            "",
            f"Please answer with a single capital letter ({among}):",
        ]
    )


# A capital letter by itself, but not the article: "A cat is …" chooses nothing.
_LETTER = re.compile(r"(?<![\w'’-])([B-E]|A(?!\s+(?!(?:is|and|or|because)\b)[a-z]))(?![\w'’]|-\w)")
_LONE_LETTER = re.compile(r"\W*([A-Ea-e])\W*")
_YES_NO = re.compile(r"\b(yes|no)\b")


def chosen_option(text: str, choices: Sequence[str]) -> int:
    """Index of the option that an answer chooses, -1 (unparsed) where none can be told.

    In this order: the whole answer is the text of an option; it is one letter; the first capital
    letter that stands by itself, as in "(B)", "B.", "Answer: B" or "**B**"; the only option whose
    text stands in the answer. A letter beyond the options chooses none. Where the options are Yes
    and No, it is the first of these words. Case and spacing of texts do not matter.

    The published script takes the first a to e of either case, inside words too; answers that are
    just a letter are read alike.
    """
    said, options = _plain(text), [_plain(choice) for choice in choices]
    if said in options:
        return options.index(said)
    if _is_yes_no(choices):
        word = _YES_NO.search(said)
        return options.index(word[1]) if word else UNPARSED
    letter = _LONE_LETTER.fullmatch(text) or _LETTER.search(text)
    if letter:
        index = LETTERS.index(letter[1].upper())
        return index if index < len(options) else UNPARSED
    found = [index for index, option in enumerate(options) if option in said]
    return found[0] if len(found) == 1 else UNPARSED


def _is_yes_no(choices: Sequence[str]) -> bool:
    return sorted(map(_plain, choices)) == ["no", "yes"]


def _plain(text: str) -> str:
    return " ".join(text.split()).strip(" .\"'*`").casefold()
