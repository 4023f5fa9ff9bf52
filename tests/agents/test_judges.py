"""The level walk, the attribute calls, and what each of them asks."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agents.attribute_judge import check_verdicts, judge_attributes, numbered_facts
from agents.category_judge import compatible_pairs, level_on_path
from runtime.errors import ToolkitError
from schemas.entity import GroundTruthEntity, PredictedEntity
from schemas.judgement import AttributeAnswer, AttributeQuestion, PairJudgement
from tests.agents.scripted import decisions, no_facts, scripted

PHONE = ["smartphone", "iPhone", "iPhone 15 Pro Max"]
ANSWERS = {
    ("Apple phone", "iPhone 15 Pro Max"): "may_refer_to",
    ("Apple phone", "iPhone"): "is_a",
    ("phone", "iPhone 15 Pro Max"): "may_refer_to",
    ("phone", "iPhone"): "may_refer_to",
    ("phone", "smartphone"): "may_refer_to",
    ("iPhone 15 Pro", "iPhone"): "is_a",
}


@pytest.mark.parametrize(
    ("prediction", "level", "calls"),
    [
        ("iPhone", 2, 0),
        ("Apple phone", 2, 2),
        ("iPhone 15 Pro", 0, 1),
        ("Smartphones", 1, 0),
        ("iphone 15 pro max", 3, 0),
        ("phone", 0, 3),
        ("croissant", 0, 1),
    ],
)
def test_level_walk(tmp_path: Path, prediction: str, level: int, calls: int) -> None:
    context, backends = scripted({"category_judge": decisions(ANSWERS)}, tmp_path)
    assert asyncio.run(level_on_path(prediction, PHONE, context)) == level
    assert len(backends.asked("category_judge")) == calls


def test_the_same_pair_of_names_is_asked_once(tmp_path: Path) -> None:
    context, backends = scripted(
        {
            "category_judge": decisions(
                {("feline", "tabby cat"): "may_refer_to", ("feline", "cat"): "is_a"}
            )
        },
        tmp_path,
    )
    predictions = [PredictedEntity(category="feline")] * 3
    entities = [GroundTruthEntity(path=("cat", "tabby cat"))] * 4
    pairs = asyncio.run(compatible_pairs(predictions, entities, context))
    assert [(pair.prediction, pair.entity, pair.level) for pair in pairs] == [
        (p, e, 1) for p in range(3) for e in range(4)
    ]
    assert len(backends.asked("category_judge")) == 2


def test_one_attribute_call_for_a_prediction_and_none_without_facts(tmp_path: Path) -> None:
    def judge(asked: Any) -> Any:
        answer = no_facts(asked)
        answer["verdicts"][0].update(correct=[0], wrong=[1], recalled=[0])
        return answer

    context, backends = scripted({"attribute_judge": judge}, tmp_path)
    predictions = [
        PredictedEntity(category="cat", attributes=("orange", "asleep")),
        PredictedEntity(category="dog"),
    ]
    entities = [
        GroundTruthEntity(path=("cat",), attributes=("ginger", "sitting")),
        GroundTruthEntity(path=("cat",)),
        GroundTruthEntity(path=("dog",)),
    ]
    pairs = [
        PairJudgement(prediction=p, entity=e, level=1) for p, e in [(0, 0), (0, 1), (1, 0), (1, 2)]
    ]
    judged = asyncio.run(judge_attributes(predictions, entities, pairs, context))
    assert len(backends.asked("attribute_judge")) == 1
    # Half the described facts hold and half of the true ones are recalled; silence scores 0
    # against facts and 1 against none.
    assert [pair.attribute_score for pair in judged] == [0.5, 0.0, 0.0, 1.0]


QUESTION = AttributeQuestion.model_validate(
    {
        "category": "cat",
        "attributes": ["orange", "asleep"],
        "candidates": [{"category": "cat", "attributes": ["ginger"]}],
    }
)


@pytest.mark.parametrize(
    ("verdict", "message"),
    [
        ({"correct": [2]}, "described facts have the numbers 0–1"),
        ({"recalled": [1]}, "facts of candidate 0 are numbered 0–0"),
        ({"correct": [0], "wrong": [0]}, "cannot be both"),
        ({"candidate": 1}, "one verdict for each candidate 0–0"),
    ],
)
def test_invented_facts_are_refused(verdict: dict[str, Any], message: str) -> None:
    fields = {"candidate": 0, "correct": [], "wrong": [], "recalled": []} | verdict
    answer = AttributeAnswer.model_validate({"verdicts": [fields]})
    with pytest.raises(ToolkitError, match=message) as caught:
        check_verdicts(QUESTION, answer)
    assert caught.value.kind == "semantic"


def test_a_wrong_index_is_asked_again_once(tmp_path: Path) -> None:
    answers = iter([[7], [0]])

    def judge(asked: Any) -> Any:
        answer = no_facts(asked)
        answer["verdicts"][0]["correct"] = next(answers)
        return answer

    context, backends = scripted({"attribute_judge": judge}, tmp_path)
    judged = asyncio.run(
        judge_attributes(
            [PredictedEntity(category="cat", attributes=("orange",))],
            [GroundTruthEntity(path=("cat",), attributes=("orange",))],
            [PairJudgement(prediction=0, entity=0, level=1)],
            context,
        )
    )
    assert judged[0].correct == (0,)
    assert len(backends.asked("attribute_judge")) == 2


def test_facts_are_numbered_for_the_model() -> None:
    assert numbered_facts(QUESTION).splitlines() == [
        "Described facts:",
        "  0: orange",
        "  1: asleep",
        "Candidate 0:",
        "  0: ginger",
    ]
