"""Word-level differences: both texts can be read off them, whatever they are."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pages.words import Passage, both_sides, word_diff

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


def test_very_long_texts_are_compared_by_their_ends() -> None:
    found = word_diff("a " * 5000 + "x " * 5000 + "b", "a " * 5000 + "y " * 5000 + "b")
    assert [change for change, _ in found] == ["same", "deleted", "inserted", "same"]
    assert side(found, "deleted") == "a " * 5000 + "y " * 5000 + "b"


def test_each_side_has_its_own_marks() -> None:
    left, right = both_sides("a red cat on a sofa", "a cat on a blue sofa")
    assert [text for change, text in left if change == "deleted"] == ["red "]
    assert [text for change, text in right if change == "inserted"] == ["blue "]


def test_texts_of_different_words_are_not_marked() -> None:
    sides = both_sides("a red cat", "two blue dogs")
    assert sides == ([("same", "a red cat")], [("same", "two blue dogs")])


@given(TEXTS, TEXTS)
def test_each_side_is_its_text(before: str, after: str) -> None:
    left, right = both_sides(before, after)
    assert "".join("".join(text for _, text in left).split()) == "".join(before.split())
    assert "".join(text for _, text in right) == after
