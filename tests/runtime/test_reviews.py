"""Decisions of reviewers: which stand, and what they leave of the rows they are about."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from runtime.errors import ToolkitError
from runtime.files import read_records, validate_all
from runtime.review_items import Item, Row, groups, items
from runtime.reviews import Decisions, read_decisions
from runtime.sources import Shard, Source
from schemas.finer import GivenRow
from schemas.review import Review
from schemas.scene_graph import NegatedGraph, SceneGraph, elements
from schemas.training import TrainingRow

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FOUR = ["dog", "fox", "cow", "pig"]
GRAPH: Row = {
    "id": "1",
    "image": "a.jpg",
    "objects": [
        {"name": "cat", "attributes": ["red", "big"], "negatives": FOUR,
         "attribute_negatives": [["blue", "green", "grey", "pink"], []]},
        {"name": "mat", "negatives": FOUR},
    ],
    "relations": [
        {"subject": 0, "relation": "on", "object": 1, "negatives": ["in", "by", "under", "at"]}
    ],
    "tested_against": "image",
}  # fmt: skip


def review(item: Item, file: str = "f.jsonl", **more: Any) -> Review:
    what = {"file": file, "id": item.id, "reviewer": "ann", "decision": "accept", "at": NOW}
    return Review.model_validate(what | {"item_sha256": item.sha256} | more)


def decided(*reviews: Review) -> Decisions:
    decisions = Decisions()
    for one in reviews:
        decisions.add(one)
    return decisions


ITEM = Item("1", {"text": "a"})
EDIT = {"text": "b"}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([], None),
        ([{}], ITEM.content),
        ([{"decision": "reject"}], None),
        ([{}, {"decision": "reject"}], None),
        ([{"decision": "reject"}, {}], ITEM.content),
        ([{}, {"reviewer": "bob", "decision": "reject"}], None),
        ([{"reviewer": "bob", "decision": "reject"}, {}], None),
        ([{}, {"reviewer": "bob"}], ITEM.content),
        ([{"edited": EDIT}, {"reviewer": "bob"}], EDIT),
        ([{"edited": EDIT}, {"reviewer": "bob", "edited": {"text": "c"}}], {"text": "c"}),
        ([{"edited": EDIT}, {}], ITEM.content),
        ([{}, {"undo": True, "decision": None}], None),
        ([{"edited": EDIT}, {"decision": "reject"}, {"undo": True, "decision": None}], EDIT),
        ([{}, {"reviewer": "bob", "undo": True, "decision": None}], ITEM.content),
        ([{"undo": True, "decision": None}, {}], ITEM.content),
        ([{}, {"decision": "reject", "item_sha256": "0" * 64}, {"undo": True, "decision": None}],
         None),
        ([{"item_sha256": "0" * 64}], None),
    ],
)  # fmt: skip
def test_the_rule(said: list[dict[str, Any]], expected: Any) -> None:
    reviews = (review(ITEM, **one) for one in said)
    assert decided(*reviews).accepted("f.jsonl", ITEM) == expected


@pytest.mark.parametrize(
    "wrong",
    [{"decision": None}, {"undo": True}, {"decision": "reject", "edited": {}}, {"reviewer": " "},
     {"at": datetime(2026, 1, 1)}, {"item_sha256": "x"}, {"decision": "maybe"}],
)  # fmt: skip
def test_what_is_no_review(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Review.model_validate(review(ITEM).model_dump() | wrong)


def write(folder: Path, name: str, rows: Sequence[Row], reviews: Sequence[Review]) -> Source:
    text = "".join(json.dumps(row) + "\n" for row in rows)
    (folder / name).write_text(text)
    said = "".join(one.model_dump_json(exclude_defaults=True) + "\n" for one in reviews)
    (folder / "reviews.jsonl").write_text(said)
    return Source.of(folder / name)


def test_a_graph_keeps_the_negatives_that_were_accepted(tmp_path: Path) -> None:
    name = "negatives.jsonl"
    found = items(name, [GRAPH])
    assert [one.id for one in found] == [
        "1/object/0",
        "1/attribute/0.0",
        "1/object/1",
        "1/relation/0",
    ]
    cat, red, mat, on = found
    better = {**red.content, "negatives": ["blue", "green", "grey", "white"]}
    reviews = [
        review(cat, name), review(red, name, edited=better), review(on, name, decision="reject"),
    ]  # fmt: skip
    source = write(tmp_path, name, [GRAPH, GRAPH | {"id": "2"}], reviews).only_reviewed()
    first, second = read_records(source, NegatedGraph)
    assert [one.negatives for one in elements(first)] == [
        tuple(FOUR), ("blue", "green", "grey", "white"), (), (), ()
    ]  # fmt: skip
    assert first.tested_against == "image"
    assert [one.text for one in first.dropped] == [mat.content["text"], on.content["text"]]
    assert not any(one.negatives for one in elements(second)) and len(second.dropped) == 4


def test_rows_are_left_out_and_edits_applied_whatever_reads_them(tmp_path: Path) -> None:
    graph = {"id": "1", "image": "a.jpg", "objects": [{"name": "cat"}]}
    rows = [graph | {"id": str(number)} for number in range(4)]
    one, two, three, _ = (Item(row["id"], row) for row in rows)
    name = "scene_graphs.jsonl"
    edited = {**rows[1], "objects": [{"name": "lynx"}]}
    reviews = [
        review(one, name),
        review(two, name, edited=edited),
        review(three, name, decision="reject"),
    ]
    source = write(tmp_path, name, rows, reviews)
    assert len(list(read_records(source, SceneGraph))) == 4
    assert not source.reviews
    reviewed = source.only_reviewed()
    names = [row.objects[0].name for row in read_records(reviewed, SceneGraph)]
    assert names == ["cat", "lynx"]
    assert len(list(read_records(reviewed, SceneGraph, limit=1))) == 1


def test_questions_are_taken_in_pairs(tmp_path: Path) -> None:
    columns = "image,qtype,question,choice1,choice2,gt_index\n"
    lines = [f"a.jpg,multi_obj_{n}_{side},{n} {side}?,Yes,No,0\n"
             for n in (1, 2, 3) for side in ("pos", "neg")]  # fmt: skip
    lines.append('a.jpg,level_1,"over\ntwo lines",Yes,No,1\n')
    (tmp_path / "wh.csv").write_text(columns + "".join(lines))
    rows = list(read_records(tmp_path / "wh.csv", GivenRow))
    plain = [{k: str(v) for k, v in row.model_dump(exclude_none=True).items()} for row in rows]
    grouped = list(groups("wh.csv", enumerate(plain)))
    assert [len(group) for group in grouped] == [2, 2, 2, 1]
    found = [items("wh.csv", [row for _, row in group])[0] for group in grouped]
    better = [plain[2] | {"question": "2 better?"}, plain[3]]
    said = [review(found[1], "wh.csv", edited=better), review(found[3], "wh.csv"),
            review(found[2], "wh.csv", decision="reject")]  # fmt: skip
    (tmp_path / "reviews.jsonl").write_text("".join(one.model_dump_json() + "\n" for one in said))
    source = Source.of(tmp_path / "wh.csv").only_reviewed()
    assert [row.question for row in read_records(source, GivenRow)] == [
        "2 better?", "2 neg?", "over\ntwo lines"
    ]  # fmt: skip


def test_what_a_kill_left_is_no_decision_and_a_bad_line_is_named(tmp_path: Path) -> None:
    graph = {"id": "1", "image": "a.jpg", "objects": [{"name": "cat"}]}
    name = "scene_graphs.jsonl"
    write(tmp_path, name, [graph], [review(Item("1", graph), name)])
    path = tmp_path / "reviews.jsonl"
    path.write_text(path.read_text() + path.read_text()[:40])
    assert read_decisions(tmp_path).accepted(name, Item("1", graph)) == graph
    path.write_text("\n{}\n" + path.read_text())
    with pytest.raises(ToolkitError, match=r"reviews\.jsonl:2: file: required but missing"):
        read_decisions(tmp_path)


def test_decisions_are_part_of_the_identity(tmp_path: Path) -> None:
    graph = {"id": "1", "image": "a.jpg", "objects": [{"name": "cat"}]}
    name = "scene_graphs.jsonl"
    made = review(Item("1", graph), name)
    source = write(tmp_path, name, [graph], [made])
    alone, first = (
        validate_all(source, SceneGraph),
        validate_all(source.only_reviewed(), SceneGraph),
    )
    assert set(first.files) == {name, "reviews.jsonl"} and first.sha256 != alone.sha256
    source = write(tmp_path, name, [graph], [made, made])
    assert validate_all(source, SceneGraph) == alone
    assert validate_all(source.only_reviewed(), SceneGraph).sha256 != first.sha256


def test_without_reviews_the_cure_is_named(tmp_path: Path) -> None:
    graph = {"id": "1", "image": "a.jpg", "objects": [{"name": "cat"}]}
    (tmp_path / "scene_graphs.jsonl").write_text(json.dumps(graph) + "\n")
    source = Source.of(tmp_path / "scene_graphs.jsonl")
    with pytest.raises(ToolkitError, match="grainwise review") as caught:
        source.only_reviewed()
    assert caught.value.kind == "input"
    write(tmp_path, "scene_graphs.jsonl", [graph], [review(Item("1", graph), "pairs.jsonl")])
    with pytest.raises(ToolkitError, match="nobody has reviewed it") as caught:
        source.only_reviewed()
    assert "was judged in `grainwise review" in caught.value.hint  # also for a.jsonl.gz beside it
    rejected = review(Item("1", graph), "scene_graphs.jsonl", decision="reject")
    source = write(tmp_path, "scene_graphs.jsonl", [graph], [rejected]).only_reviewed()
    with pytest.raises(ToolkitError, match="go on with `grainwise review`"):
        validate_all(source, SceneGraph)


def test_what_was_said_of_another_image_does_not_count() -> None:
    one, other = ([item.sha256 for item in items("negatives.jsonl", [GRAPH | {"image": image}])]
                  for image in ("a.jpg", "b.jpg"))  # fmt: skip
    assert not set(one) & set(other)


def test_remote_files_have_no_reviews() -> None:
    source = Source(("s3://b/a.jsonl",), (Shard(Path("a.jsonl"), "s3://b/a.jsonl", remote=True),))
    with pytest.raises(ToolkitError, match=r"s3://b/a\.jsonl: --reviewed-only needs local files"):
        source.only_reviewed()


def test_an_edit_that_does_not_fit_is_named(tmp_path: Path) -> None:
    graph = {"id": "1", "image": "a.jpg", "objects": [{"name": "cat"}]}
    name = "scene_graphs.jsonl"
    bad = review(Item("1", graph), name, edited={**graph, "objects": [{}]})
    source = write(tmp_path, name, [graph], [bad]).only_reviewed()
    with pytest.raises(ToolkitError, match=r"scene_graphs\.jsonl:1: objects\[0\]\.name: required"):
        list(read_records(source, SceneGraph))
    name = "negatives.jsonl"
    red = items(name, [GRAPH])[1]
    bad = review(red, name, edited={"negatives": ["one"]})
    source = write(tmp_path, name, [GRAPH], [bad]).only_reviewed()
    with pytest.raises(ToolkitError, match=r"negatives\.jsonl:1: "):
        list(read_records(source, NegatedGraph))


def test_a_training_row_without_an_id_is_known_by_its_content(tmp_path: Path) -> None:
    def said(role: str, text: str) -> list[dict[str, Any]]:
        return [{"role": role, "content": [{"type": "text", "text": text}]}]

    rows = [{"prompt": said("user", "?"), "chosen": said("assistant", str(n))} for n in (1, 2)]
    [first] = items("pairs.jsonl", rows[:1])
    source = write(tmp_path, "pairs.jsonl", rows, [review(first, "pairs.jsonl")]).only_reviewed()
    [kept] = read_records(source, TrainingRow)
    assert kept.chosen[0].content[0].model_dump()["text"] == "1"
