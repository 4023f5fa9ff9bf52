"""Semantic rollback: which edits are decided, which revisions are refused, which pairs come out."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest

from agents.rsr import SemanticRollback, names
from schemas.record import RevisedRecord
from scoring.preference import margin, normalised_gap, preference_pairs
from tests.agents.scripted import Script, decisions, no_facts, parsing, record, scripted

PHONE = {"path": ["smartphone", "iPhone", "iPhone 17 Pro"]}
CAT = {"path": ["animal", "cat", "tabby cat"]}
JUDGE = decisions(
    {
        ("iPhone 17", "iPhone"): "is_a",
        ("iPhone 17", "smartphone"): "is_a",
        ("iPhone", "iPhone 17 Pro"): "may_refer_to",
        ("object", "tabby cat"): "may_refer_to",
        ("object", "cat"): "may_refer_to",
        ("object", "animal"): "may_refer_to",
        ("cat", "tabby cat"): "may_refer_to",
        ("cats", "tabby cat"): "may_refer_to",
        ("cats", "cat"): "is_a",
        ("Persian cats", "cat"): "is_a",
        ("Persian cats", "animal"): "is_a",
    }
)


def run(
    tmp_path: Path, texts: dict[str, list[Any]], revised: list[str], entities: list[Any]
) -> tuple[RevisedRecord, Any]:
    """Roll back the first text of `texts`; the editor answers with `revised`, one after another."""
    answers = iter(revised)
    script: Script = {
        "response_parser": parsing(texts),
        "category_judge": JUDGE,
        "attribute_judge": no_facts,
        "rsr": lambda asked: {"revised": next(answers)},
    }
    context, backends = scripted(script, tmp_path)
    result = asyncio.run(SemanticRollback().run(record(next(iter(texts)), entities), context))
    return result, backends


@pytest.mark.parametrize(
    ("claim", "entities", "expected"),
    [
        ("croissant", [CAT], ("delete", None, None)),
        ("iPhone 17", [CAT, PHONE], ("rollback", "iPhone", None)),
        (("cats", 3), [CAT], ("quantity", None, 1)),
        # A second cat that is not there has no node of its own to fall back to.
        (["cat", "Persian cats"], [CAT], ("delete", None, None)),
    ],
)
def test_edits(
    tmp_path: Path, claim: Any, entities: list[Any], expected: tuple[str, str | None, int | None]
) -> None:
    texts = {"A text.": claim if isinstance(claim, list) else [claim], "Revised.": []}
    result, _ = run(tmp_path, texts, ["Revised."] * 2, entities)
    edit = result.edits[0]
    assert (edit.kind, edit.replacement, edit.quantity) == expected
    assert len(result.edits) == 1


@pytest.mark.parametrize("claim", ["cat", "iPhone", "object"])
def test_what_is_right_or_merely_vague_is_kept_without_a_call(tmp_path: Path, claim: str) -> None:
    result, backends = run(tmp_path, {"A text.": [claim]}, [], [CAT, PHONE])
    assert result.edits == ()
    assert result.revision is not None
    assert result.revision.text == "A text."
    assert backends.asked("rsr") == []


def test_a_wrong_name_with_a_wrong_count_gets_both_edits(tmp_path: Path) -> None:
    texts = {"Two Persian cats.": [("Persian cats", 2)], "One cat.": ["cat"]}
    result, _ = run(tmp_path, texts, ["One cat."], [CAT])
    assert [(e.kind, e.replacement, e.quantity) for e in result.edits] == [
        ("rollback", "cat", None),
        ("quantity", None, 1),
    ]
    assert result.revision is not None
    assert (result.score.P, result.revision.score.P) == (0.0, 1.0)


REFUSED = [
    ("A cat and a croissant.", ["cat", "croissant"], 'still says "croissant"'),
    ("A cat and a spoon.", ["cat", "spoon"], 'newly claims "spoon"'),
    ("Nothing.", [], "precision fell"),
]


@pytest.mark.parametrize(("text", "claims", "reason"), REFUSED)
def test_unsound_revisions_are_refused_with_the_reason(
    tmp_path: Path, text: str, claims: list[str], reason: str
) -> None:
    texts = {"A cat, a croissant.": ["cat", "croissant"], text: claims}
    result, backends = run(tmp_path, texts, [text, text], [CAT])
    assert result.revision is None
    assert result.refused is not None
    assert reason in result.refused
    first, second = backends.asked("rsr")
    assert first.problem is None
    assert second.problem == result.refused


def test_a_second_attempt_can_succeed(tmp_path: Path) -> None:
    texts: dict[str, list[Any]] = {
        "A cat, a croissant.": ["cat", "croissant"],
        "A cat and a croissant.": ["cat", "croissant"],
        "A cat.": ["cat"],
    }
    result, _ = run(tmp_path, texts, ["A cat and a croissant.", "A cat."], [CAT])
    assert result.refused is None
    assert result.revision is not None
    assert result.revision.score.P == 1.0


@pytest.mark.parametrize(
    ("text", "category", "allowed", "found"),
    [
        ("A laptop charger.", "laptop", ["laptop charger"], False),
        ("A laptop and its laptop charger.", "laptop", ["laptop charger"], True),
        ("Two Laptops.", "laptop", [], True),
        ("A catalogue.", "cat", [], False),
    ],
)
def test_words_inside_longer_names_do_not_count(
    text: str, category: str, allowed: list[str], found: bool
) -> None:
    assert names(text, category, allowed) is found


def test_reference_becomes_ground_truth_of_depth_one(tmp_path: Path) -> None:
    script: Script = {
        "response_parser": parsing({"A cat.": ["cat"], "A tabby.": [("cat", 1, ["striped"])]}),
        "category_judge": JUDGE,
        "attribute_judge": no_facts,
    }
    context, _ = scripted(script, tmp_path)
    item = record("A cat.", None, reference="A tabby.")
    result = asyncio.run(SemanticRollback().run(item, context))
    assert result.ground_truth == "reference"
    assert [(e.path, e.attributes) for e in result.entities] == [(("cat",), ("striped",))]


@pytest.mark.parametrize(("source", "kinds"), [("entities", ["quantity"]), ("reference", [])])
def test_a_reference_does_not_count_what_it_names(
    tmp_path: Path, source: str, kinds: list[str]
) -> None:
    texts = {"A cat and a cat.": ["cat", "cat"], "A cat.": ["cat"]}
    script: Script = {
        "response_parser": parsing(texts),
        "category_judge": JUDGE,
        "attribute_judge": no_facts,
        "rsr": lambda asked: {"revised": "A cat."},
    }
    context, _ = scripted(script, tmp_path)
    truth: Any = {"entities": [CAT]} if source == "entities" else {"reference": "A cat."}
    item = record("A cat and a cat.", **({"entities": None} | truth))
    result = asyncio.run(SemanticRollback().run(item, context))
    assert [edit.kind for edit in result.edits] == kinds


def revised(tmp_path: Path, index: int, text: str, claims: list[Any], better: str) -> RevisedRecord:
    texts = {text: claims, better: ["tabby cat"] if "tabby" in better else ["cat"]}
    result, _ = run(tmp_path / str(index), texts, [better], [CAT])
    return result.model_copy(update={"id": f"img#{index}", "index": index})


def test_pairs_and_margins(tmp_path: Path) -> None:
    records = [
        revised(tmp_path, 0, "A cat, a croissant.", ["cat", "croissant"], "A cat."),
        revised(tmp_path, 1, "A tabby, a fork.", ["tabby cat", "fork"], "A tabby."),
        revised(tmp_path, 2, "A tabby.", ["tabby cat"], "A tabby."),
    ]
    pairs = list(preference_pairs(records))
    summary = [(p.id, p.kind, p.scores.chosen, p.scores.rejected) for p in pairs]
    # P rises from 1/2 to 1. The finer of two sound texts is chosen; equal texts never pair.
    assert summary == [
        ("img#0:reliability", "reliability", 1.0, 0.5),
        ("img#1:reliability", "reliability", 1.0, 0.5),
        ("img#0~1:granularity", "granularity", 1.0, 0.666667),
        ("img#0~2:granularity", "granularity", 1.0, 0.666667),
    ]
    assert pairs[0].gap == 0.5
    assert pairs[0].margin == pytest.approx(0.1 + 0.5 * 0.5)
    assert pairs[2].margin == pytest.approx(0.3 / 3, abs=1e-6)
    assert pairs[0].model_dump(mode="json")["prompt"] == [
        {
            "role": "user",
            "content": [{"type": "image"}, {"type": "text", "text": "Describe the image."}],
        }
    ]


def test_gap_and_margin_of_nothing() -> None:
    assert normalised_gap(0.0, 0.0) == 0.0
    assert margin("reliability", 0.0) == 0.1
    assert margin("granularity", 0.0) == 0.0
