"""The attribute rules on single pairs of facts: (described, true) → verdict."""

from __future__ import annotations

import pytest

from backends.rules.attribute_judge import judge
from schemas.judgement import AttributeQuestion


def verdict(described: list[str], true: list[str]) -> tuple[list[int], list[int], list[int]]:
    question = AttributeQuestion.model_validate(
        {
            "category": "thing",
            "attributes": described,
            "candidates": [{"category": "thing", "attributes": true}],
        }
    )
    answer = judge(question).verdicts[0]
    return list(answer.correct), list(answer.wrong), list(answer.recalled)


CORRECT, WRONG, SILENT = ([0], [], [0]), ([], [0], []), ([], [], [])


@pytest.mark.parametrize(
    ("described", "true", "expected"),
    [
        ("orange", "orange", CORRECT),
        ("orange", "orange fur", CORRECT),
        ("navy", "blue", ([], [], [0])),
        ("blue", "navy", ([0], [], [])),
        ("red", "blue", WRONG),
        ("red", "wooden", SILENT),
        ("seated", "sitting", CORRECT),
        ("standing", "sitting", WRONG),
        ("lying down", "lying", CORRECT),
        ("made of wood", "wooden", CORRECT),
        ("metal", "wooden", WRONG),
        ("white paws", "brown ears", SILENT),
        ("white paws", "brown paws", WRONG),
        ("white paws", "white", SILENT),
        ("green", "green eyes", SILENT),
        ("black and white", "black", ([], [], [0])),
        ("black", "black and white", ([0], [], [])),
        ("black and white", "brown", WRONG),
        ("open", "closed", WRONG),
        ("with the door open", "door closed", WRONG),
        ("on the left", "on the right", WRONG),
        ("on the left", "left side", CORRECT),
        ("turned on", "turned off", WRONG),
        ("no handle", "with a handle", WRONG),
        ("large", "small", WRONG),
        ("large", "huge", CORRECT),
        ("striped", "stripes", CORRECT),
        ("on a wooden table", "on a table", ([], [], [0])),
        ("on a table", "on a wooden table", ([0], [], [])),
    ],
)
def test_pairs_of_facts(
    described: str, true: str, expected: tuple[list[int], list[int], list[int]]
) -> None:
    assert verdict([described], [true]) == expected


def test_candidates_are_judged_apart() -> None:
    question = AttributeQuestion.model_validate(
        {
            "category": "cat",
            "attributes": ["orange", "lying down"],
            "candidates": [
                {"category": "cat", "attributes": ["orange fur", "sitting"]},
                {"category": "cat", "attributes": ["black"]},
            ],
        }
    )
    first, second = judge(question).verdicts
    assert (first.candidate, first.correct) == (0, (0,))
    assert (second.candidate, second.wrong) == (1, (0,))


def test_no_fact_is_both_right_and_wrong() -> None:
    assert verdict(["red"], ["red", "blue"]) == ([0], [], [0])
