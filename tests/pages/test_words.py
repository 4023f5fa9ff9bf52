"""Word-level differences: both texts can be read off them, whatever they are."""

from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st

from pages.words import Passage, word_diff

TEXTS = st.text(alphabet="ab c.,\n\u202e<", max_size=60)


def side(found: list[Passage], other: str) -> str:
    return "".join(text for change, text in found if change != other)


def test_one_word_is_one_word() -> None:
    assert word_diff("A Persian cat, asleep.", "A cat, asleep.") == [
        ("same", "A "),
        ("deleted", "Persian "),
        ("same", "cat, asleep."),
    ]
    assert word_diff("two dogs", "two cats") == [
        ("same", "two "),
        ("deleted", "dogs"),
        ("inserted", "cats"),
    ]


def test_a_word_before_another_mark_is_the_same_word() -> None:
    found = word_diff("A helmet rests, and she smiles.", "A helmet rests.")
    assert found[0] == ("same", "A helmet rests")
    assert side(found, "inserted") == "A helmet rests, and she smiles."


def test_what_is_deleted_at_the_end_does_not_stick_to_what_is_kept() -> None:
    assert side(word_diff("a cat asleep", "a cat"), "inserted") == "a cat asleep"


@given(TEXTS, TEXTS)
def test_both_texts_are_in_it(before: str, after: str) -> None:
    found = word_diff(before, after)
    assert side(found, "deleted") == after
    assert "".join(side(found, "inserted").split()) == "".join(before.split())
    assert all(text for _, text in found)


@given(TEXTS)
def test_equal_texts_do_not_differ(text: str) -> None:
    assert word_diff(text, text) == ([Passage("same", text)] if text else [])


def test_long_texts_of_few_words_take_no_time() -> None:
    started = time.monotonic()
    found = word_diff("a b " * 5_000, "b a " * 5_000)
    assert time.monotonic() - started < 10
    assert side(found, "deleted") == "b a " * 5_000
