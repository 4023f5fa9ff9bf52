"""Functions of the lmms-eval tasks in this folder: prompt, reading of answers, paired accuracy.

Needs nothing but Python, as lmms-eval loads this file by itself.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

LETTERS = "ABCDE"

# A capital letter by itself, but not the article: "A cat is …" chooses nothing.
_LETTER = re.compile(r"(?<![\w'’-])([B-E]|A(?!\s+(?!(?:is|and|or|because)\b)[a-z]))(?![\w'’]|-\w)")
_LONE_LETTER = re.compile(r"\W*([A-Ea-e])\W*")
_ANSWER = re.compile(
    r"(?i:\banswer)\s*(?i:is|:)?[\s(*:`\"']*([A-Ea-e])(?=[\s)*`\"']*(?:[.,;:)\n]|$))"
)
_DENIED = re.compile(r"\bnot[\s(*`\"']*\Z", re.IGNORECASE)
_OR = re.compile(r"\W*(?:or|and|/)\W*[A-E]\b")
_YES_NO = re.compile(r"\b(yes|no)\b")


def doc_to_visual(doc: dict[str, Any]) -> list[Any]:
    """The image of a question."""
    return [doc["image"].convert("RGB")]


def doc_to_text(doc: dict[str, Any], lmms_eval_specific_kwargs: Any = None) -> str:
    """The prompt of the published evaluation; questions of Yes and No are asked as they are."""
    question, choices = doc["question"], doc["choices"]
    if _is_yes_no(choices):
        return f"{question}\n\nPlease answer with Yes or No."
    letters = LETTERS[: len(choices)]
    options = "\n".join(f"({LETTERS[index]}) {text}" for index, text in enumerate(choices))
    among = ", ".join(letters[:-1]) + (", or " if len(letters) > 2 else " or ") + letters[-1]
    return (
        f"Select the best answer for the multiple-choice question.\n\n{question}\n\n{options}\n\n"
        f"Please answer with a single capital letter ({among}):"
    )


def doc_to_target(doc: dict[str, Any]) -> str:
    """The text of the right option."""
    return str(doc["choices"][doc["gt_index"]])


def chosen_option(text: str, choices: Sequence[str]) -> int | None:
    """Index of the option that an answer chooses, None where it cannot be told."""
    text = text.rpartition("</think>")[2]
    if "<think>" in text:
        return None  # cut off before the answer
    said, options = _plain(text), [_plain(choice) for choice in choices]
    if said in options:
        return options.index(said)
    if _is_yes_no(choices):
        word = _YES_NO.search(said)
        return options.index(word[1]) if word else None
    letter = _letter(text)
    if letter:
        index = LETTERS.index(letter)
        return index if index < len(options) else None
    found = [index for index, option in enumerate(options) if option in said]
    return found[0] if len(found) == 1 else None


def process_results(doc: dict[str, Any], results: Sequence[str]) -> dict[str, Any]:
    """What one answer adds to the metrics of its setting."""
    chosen = chosen_option(results[0], doc["choices"])
    right = chosen == doc["gt_index"]
    return {
        "paired_accuracy": {"pair": doc["pair"], "right": right},
        "accuracy": float(right),
        "unparsed": float(chosen is None),
    }


def process_level_results(doc: dict[str, Any], results: Sequence[str]) -> dict[str, float]:
    """What one answer adds to the metrics of the seven-level study."""
    chosen = chosen_option(results[0], doc["choices"])
    right = float(chosen == doc["gt_index"])
    return {doc["qtype"]: right, "accuracy": right, "unparsed": float(chosen is None)}


def paired_accuracy(items: Sequence[dict[str, Any]]) -> float:
    """Share of pairs with both answers right; a pair of which one was not asked is left out."""
    pairs: dict[int, list[bool]] = {}
    for item in items:
        pairs.setdefault(item["pair"], []).append(item["right"])
    asked = [all(answers) for answers in pairs.values() if len(answers) == 2]
    return sum(asked) / len(asked) if asked else 0.0


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
