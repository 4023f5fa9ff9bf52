"""Paired accuracy of hand-made answers, of an oracle, and of known kinds of guessers."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from schemas.finer import AnsweredRow
from scoring.paired_accuracy import FinerScores, score_units
from scoring.pairing import PairingError, pair_rows, split_stem

POSITIVE = ("Yes, a cat.", "Yes, a dog.", "No, but a dog.", "No, but a cow.", "No, but a pig.")
Answer = Callable[[AnsweredRow], int]


def question(image: str, qtype: str, gt: int = 0, answer: int | None = None) -> AnsweredRow:
    level = qtype.startswith("level_")
    options = ("Yes", "No") if level else POSITIVE
    named = {f"choice{number}": text for number, text in enumerate(options, 1)}
    return AnsweredRow.model_validate(
        {"image": image, "qtype": qtype, "question": "A cat?", **named}
        | {"gt_index": gt, "pred_idx": answer}
    )


def score(rows: list[AnsweredRow], seed: int = 17) -> FinerScores:
    return score_units(pair_rows(enumerate(rows, 2)), seed=seed)


def many(count: int, answer: Answer, seed: int = 3) -> list[AnsweredRow]:
    """`count` questions in pairs over the settings, with right answers at random places."""
    draw = random.Random(seed)
    rows = []
    for pair in range(count // 2):
        stem = draw.choice(["multi_obj_6", "multi_obj_2", "multi_attr_3", "multi_rel_1", "wh_1"])
        for side, places in (("pos", (0, 1)), ("neg", (2, 3, 4))):
            row = question(f"{pair % 500}.jpg", f"{stem}_{side}", draw.choice(places))
            rows.append(row.model_copy(update={"pred_idx": answer(row)}))
    return rows


def guess(seed: int) -> Answer:
    draw = random.Random(seed)
    return lambda row: draw.randrange(5)


def test_uniform_guessing_scores_four_percent() -> None:
    scores = score(many(20_000, guess(5)))
    assert scores.questions == 20_000
    assert scores.overall is not None
    assert scores.overall.pairs == 10_000
    assert scores.overall.paired_accuracy == pytest.approx(0.04, abs=0.005)
    assert scores.overall.positive_accuracy == pytest.approx(0.2, abs=0.02)
    assert scores.overall.yes_share == pytest.approx(0.4, abs=0.02)
    low, high = scores.overall.intervals["paired_accuracy"]
    assert low < 0.04 < high
    assert high - low < 0.02


@pytest.mark.parametrize(
    ("answer", "paired", "positive", "negative", "yes"),
    [
        (lambda row: row.gt_index, 1, 1, 1, 0.5),
        (lambda row: row.gt_index if row.gt_index < 2 else 0, 0, 1, 0, 1),
        (lambda row: 2 + (row.gt_index - 1) % 3, 0, 0, 0, 0),
        (lambda row: row.gt_index if row.gt_index > 1 else 2, 0, 0, 1, 0),
    ],
    ids=["oracle", "always yes", "always a wrong no", "always no"],
)
def test_oracle_and_one_sided_answers(
    answer: Answer, paired: float, positive: float, negative: float, yes: float
) -> None:
    overall = score(many(2_000, answer)).overall
    assert overall is not None
    assert overall.paired_accuracy == paired
    assert (overall.positive_accuracy, overall.negative_accuracy) == (positive, negative)
    assert overall.yes_share == yes
    assert overall.intervals["paired_accuracy"] == (paired, paired)
    assert overall.unparsed == 0


def test_by_hand() -> None:
    rows = [
        question("a", "multi_obj_3_pos", 0, 0), question("a", "multi_obj_3_neg", 2, 2),  # right
        question("a", "multi_obj_2_neg", 2, 2), question("a", "multi_obj_2_pos", 0, 4),  # one
        question("b", "multi_obj_3_pos", 0, -1), question("b", "multi_obj_3_neg", 2, 2),  # unread
        question("b", "multi_obj_3_pos", 0, None), question("b", "multi_obj_3_neg", 2, 0),
        question("b", "wh_pos", 4, 4), question("b", "wh_neg", 3, 3),
    ]  # fmt: skip
    scores = score(rows)
    objects = scores.settings["multi_obj"]
    assert (objects.pairs, objects.images) == (4, 2)
    assert objects.paired_accuracy == 1 / 4
    assert (objects.positive_accuracy, objects.negative_accuracy) == (1 / 4, 3 / 4)
    assert (objects.unparsed, objects.unparsed_share) == (2, 2 / 8)
    assert (objects.parsed_pairs, objects.parsed_paired_accuracy) == (2, 1 / 2)
    assert objects.yes_share == 2 / 6
    assert {n: s.pairs for n, s in scores.by_elements["multi_obj"].items()} == {2: 1, 3: 3}
    assert scores.by_elements["multi_obj"][2].paired_accuracy == 0
    assert "wh" not in scores.by_elements
    assert scores.settings["wh"].paired_accuracy == 1
    assert list(scores.settings) == ["multi_obj", "wh"]
    assert scores.overall is not None
    assert (scores.overall.pairs, scores.overall.paired_accuracy) == (5, 2 / 5)
    assert (scores.questions, scores.unparsed) == (10, 2)


def test_levels_are_single_questions() -> None:
    rows = [
        question("a", "level_10", 1, 1), question("a", "level_2", 1, 0),
        question("a", "level_2", 1, 1), question("b", "level_2", 1, -1),
        question("b", "wh_1_pos", 0, 0), question("b", "wh_1_neg", 0, 0),
    ]  # fmt: skip
    scores = score(rows)
    assert list(scores.levels) == ["level_2", "level_10"]
    level = scores.levels["level_2"]
    assert (level.questions, level.images, level.unparsed) == (3, 2, 1)
    assert (level.accuracy, level.yes_share) == (1 / 3, 1 / 2)
    assert scores.questions == 6
    assert scores.overall is not None and scores.overall.pairs == 1
    assert score(rows[:4]).overall is None


ROWS = st.lists(
    st.tuples(
        st.sampled_from("abc"), st.sampled_from(["multi_obj_2", "multi_obj_3", "wh_1"]),
        st.booleans(), st.integers(-1, 4), st.integers(-1, 4), st.integers(0, 4),
    ),
    min_size=1,
)  # fmt: skip


def drawn(rows: list[tuple[str, str, bool, int, int, int]]) -> Iterator[AnsweredRow]:
    for image, stem, swapped, one, other, gt in rows:
        first, second = ("neg", "pos") if swapped else ("pos", "neg")
        yield question(image, f"{stem}_{first}", gt, one)
        yield question(image, f"{stem}_{second}", 4 - gt, other)


@given(ROWS)
@settings(max_examples=30)
def test_equation_one(rows: list[tuple[str, str, bool, int, int, int]]) -> None:
    """The mean over pairs of the product of both being right, unparsed or not."""
    scores = score(list(drawn(rows)))
    right = sum(one == gt and other == 4 - gt for *_, one, other, gt in rows)
    read = sum(one >= 0 and other >= 0 for *_, one, other, _ in rows)
    overall = scores.overall
    assert overall is not None
    assert overall.paired_accuracy == right / len(rows)
    assert overall.parsed_pairs == read
    assert overall.parsed_paired_accuracy == (right / read if read else 0)
    assert overall.paired_accuracy <= min(overall.positive_accuracy, overall.negative_accuracy)
    assert sum(part.pairs for part in scores.settings.values()) == len(rows)
    for name, parts in scores.by_elements.items():
        assert sum(part.pairs for part in parts.values()) == scores.settings[name].pairs
    low, high = overall.intervals["paired_accuracy"]
    assert 0 <= low <= high <= 1


def test_equal_seeds_draw_equal_intervals() -> None:
    rows = many(200, guess(1))
    assert score(rows, seed=1) == score(rows, seed=1) != score(rows, seed=2)


@pytest.mark.parametrize(
    ("qtypes", "line", "said"),
    [
        (["wh_1_pos", "wh_1_pos"], 3, "qtype: expected the other row of the pair (wh_1_neg of a)"),
        (["wh_1_neg", "wh_2_pos"], 3, "(wh_1_pos of a) here, got 'wh_2_pos'"),
        (["wh_1_neg", "level_1"], 3, "(wh_1_pos of a) here, got 'level_1'"),
        (["level_1", "wh_1"], 3, "expected one that ends in _pos or _neg, or level_N, got 'wh_1'"),
        (["wh_1_neg", "wh_1_pos", "wh_1_pos"], 4, "(wh_1_neg of a) after this row, got the end"),
    ],
)
def test_a_row_without_its_partner_is_named(qtypes: list[str], line: int, said: str) -> None:
    with pytest.raises(PairingError) as caught:
        list(pair_rows(enumerate([question("a", qtype) for qtype in qtypes], 2)))
    assert caught.value.place == line
    assert said in str(caught.value)


def test_partners_have_the_same_image() -> None:
    rows = [question("a", "wh_1_pos"), question("b", "wh_1_neg")]
    with pytest.raises(PairingError, match=r"^image: .*\(wh_1_neg of a\) here, got 'b'"):
        list(pair_rows(enumerate(rows, 2)))


def test_split_stem() -> None:
    assert split_stem("multi_obj_3_neg") == ("multi_obj", 3)
    assert split_stem("wh_pos") == ("wh", None)
    assert split_stem("3_pos") == ("3", None)
