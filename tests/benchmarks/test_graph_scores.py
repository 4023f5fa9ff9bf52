"""Precision and recall of scene graphs: matching rules, counts, the command, the example files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.graph_scores import KindScore, compare, main, same_kind, score
from schemas.scene_graph import SceneGraph
from scoring.graph_match import match_graphs, name_match, relation_match

ROOT = Path(__file__).parents[2]
GOLD = ROOT / "examples/finer-mini/scene_graphs.gold.jsonl"


def graph(objects: dict[str, list[str]], *relations: tuple[int, str, int], id: str = "a") -> str:
    return json.dumps(
        {
            "id": id,
            "image": "a.jpg",
            "objects": [{"name": name, "attributes": has} for name, has in objects.items()],
            "relations": [{"subject": s, "relation": r, "object": o} for s, r, o in relations],
        }
    )


TRUE = graph(
    {"cat": ["a gray color", "long white whiskers"], "chair": ["made of wood"], "hat": []},
    (0, "is sitting on", 1),
    (0, "is wearing", 2),
)
FOUND = graph(
    {"chair": ["a wooden surface", "a red color"], "gray cats": ["white whiskers"], "dog": []},
    (1, "is on", 0),
    (0, "is next to", 2),
)


def test_precision_and_recall_of_a_known_pair(tmp_path: Path) -> None:
    (tmp_path / "found").write_text(FOUND)
    (tmp_path / "true").write_text(TRUE + "\n" + graph({"tree": []}, id="b"))
    matches = compare(tmp_path / "found", tmp_path / "true")
    scores = score(list(matches.values()))
    assert scores["object"] == KindScore.of(2, 3, 4)
    assert scores["attribute"] == KindScore.of(2, 3, 2)
    assert scores["relation"] == KindScore.of(1, 2, 2)
    assert scores["all"] == KindScore.of(5, 8, 8)
    assert scores["object"].precision == pytest.approx(2 / 3)
    assert scores["object"].recall == 0.5
    assert scores["object"].f1 == pytest.approx(4 / 7)
    assert [item.text for item in matches["b"].missing] == ["tree"]
    assert [item.text for item in matches["a"].extra] == ["a red color", "dog", "is next to"]


@pytest.mark.parametrize(
    ("first", "second", "level"),
    [
        ("Cat", "the cats", 3),
        ("bean-bag chair", "bean bag chairs", 3),
        ("model of a space shuttle", "space shuttle model", 3),
        ("leaf", "dark leaves", 2),
        ("orange tabby cat", "cat", 2),
        ("glass of red wine", "wine glass", 2),
        ("upper dog", "lower dog", 0),
        ("couch", "sofa", 1),
        ("men", "man", 1),
        ("red couch", "blue sofa", 0),
        ("wine glass", "glass wine", 0),
        ("dog", "cat", 0),
        ("paint", "painting", 0),
    ],
)
def test_names(first: str, second: str, level: int) -> None:
    assert name_match(first, second, same_kind) == level
    assert name_match(second, first, same_kind) == level


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("is sitting on", "is on", True),
        ("is wearing", "wears", True),
        ("is hanging behind", "is behind", True),
        ("is lying next to", "is beside", True),
        ("is in front of", "is in", False),
        ("is to the left of", "is to the right of", False),
        ("is standing behind", "is standing in front of", False),
        ("is holding", "is wearing", False),
        ("is sewn onto the chest of", "is sewn on", True),
    ],
)
def test_relations(first: str, second: str, same: bool) -> None:
    assert bool(relation_match(first, second)) is same
    assert bool(relation_match(second, first)) is same


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("a wooden surface", "made of wood", True),
        ("a dark green color", "a green color", True),
        ("lying on its side", "a posture of lying on the side", True),
        ("covered in grass", "a grassy surface", True),
        ("a large size", "a small size", False),
        ("a red color", "a red and white striped pattern", False),
    ],
)
def test_attributes_by_their_content(first: str, second: str, same: bool) -> None:
    one, other = (SceneGraph.model_validate_json(graph({"x": [text]})) for text in (first, second))
    assert (len(match_graphs(one, other, same_kind).matched) == 2) is same


def test_an_exact_name_goes_before_a_modified_one_and_attributes_decide_ties() -> None:
    found = SceneGraph.model_validate_json(graph({"cat": [], "brush": ["a blue color"]}))
    true = {"tabby cat": [], "cat": [], "old brush": [], "new brush": ["a blue color"]}
    match = match_graphs(found, SceneGraph.model_validate_json(graph(true)), same_kind)
    pairs = [(mine.text, gold.text) for mine, gold in match.matched]
    assert pairs[:2] == [("cat", "cat"), ("brush", "new brush")]


def test_an_attribute_in_the_name_is_neither_right_nor_wrong() -> None:
    one, other = (
        SceneGraph.model_validate_json(text)
        for text in (graph({"brush": ["a pink color", "a red color"]}), graph({"pink brush": []}))
    )
    assert [item.text for item in match_graphs(one, other, same_kind).extra] == ["a red color"]
    assert [item.text for item in match_graphs(other, one, same_kind).missing] == ["a red color"]


def test_a_relation_needs_both_ends_in_its_direction() -> None:
    one, other = (
        SceneGraph.model_validate_json(graph({"cat": [], "mat": []}, ends))
        for ends in ((0, "is on", 1), (1, "is on", 0))
    )
    assert [item.kind for item in match_graphs(one, other, same_kind).missing] == ["relation"]


def test_two_equal_elements_need_two_partners() -> None:
    twice, once = (
        SceneGraph.model_validate_json(graph({"cat": texts}))
        for texts in (["a gray color", "a gray hue"], ["a gray color"])
    )
    assert [item.text for item in match_graphs(twice, once, same_kind).extra] == ["a gray hue"]


def test_the_reference_agrees_with_itself(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    report = tmp_path / "scores.json"
    assert main([str(GOLD), str(GOLD), "--json", str(report), "--show", "12"]) == 0
    rows = json.loads(report.read_text())
    assert {kind: row["gold"] for kind, row in rows.items()} == {
        "object": 74, "attribute": 144, "relation": 53, "all": 271,
    }  # fmt: skip
    assert all(row["precision"] == row["recall"] == row["f1"] == 1.0 for row in rows.values())
    assert len(capsys.readouterr().out.splitlines()) == 5


def test_show_lists_what_is_missing_and_extra(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "found").write_text(FOUND)
    (tmp_path / "true").write_text(TRUE)
    assert main([str(tmp_path / "found"), str(tmp_path / "true"), "--show", "1"]) == 0
    out = capsys.readouterr().out
    assert "  - object    a hat" in out
    assert "  + relation  the chair is next to the dog" in out
    assert "  - relation  the cat is wearing the hat" in out


def test_a_graph_without_reference_is_an_error(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "found").write_text(graph({"cat": []}, id="unknown"))
    assert main([str(tmp_path / "found"), str(GOLD)]) == 2
    assert "'unknown' is not in" in capsys.readouterr().err


def test_nothing_is_written_over_an_input_and_an_empty_file_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gold = tmp_path / "gold.jsonl"
    gold.write_text('{"id": "1", "image": "x.jpg", "objects": [{"name": "cat"}]}\n')
    assert main([str(gold), str(gold), "--json", str(gold)]) == 2
    assert "is an input" in capsys.readouterr().err and gold.read_text().startswith('{"id"')
    empty = tmp_path / "empty.jsonl"
    empty.write_text("")
    assert main([str(empty), str(gold)]) == 2
    assert "has no records" in capsys.readouterr().err
