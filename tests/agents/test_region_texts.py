"""Texts of regions: places, drafts, and what a text may say."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from agents.region_checks import problem
from agents.region_draft import draft
from agents.region_layout import Layout, layouts, position, relation
from backends.rules.caption_parser import parse
from backends.rules.region_writer import write
from prompts import load_prompt
from schemas.finer import CaptionInput
from schemas.region import RegionText
from schemas.region_writing import (
    RegionQuestion,
    RegionTextAnswer,
    RegionWriterInput,
)
from schemas.scene_graph import SceneGraph

CAPTION = "A brown dog with a red collar lies on a sofa. Two white cats sleep beside it."
WIDTH, HEIGHT = 300, 300


def region(label: str, *box: float) -> RegionText:
    return RegionText(image="a.png", box=box, text=label, source="test")


DOG, LEFT_CAT, RIGHT_CAT = (
    region("dog", 100, 100, 200, 200),
    region("cat", 0, 200, 60, 260),
    region("cat", 220, 200, 300, 260),
)


def graph(caption: str) -> SceneGraph:
    found = parse(CaptionInput(caption=caption))
    return SceneGraph(id="a", image="a.png", objects=found.objects, relations=found.relations)


BARE = {"id": "a", "image": "a.png", "caption": "Nothing much."}


def drafts(caption: str, *regions: RegionText) -> list[str]:
    found = graph(caption)
    return [
        draft(one.text, layout, found)
        for one, layout in zip(regions, layouts(regions, WIDTH, HEIGHT), strict=True)
    ]


@pytest.mark.parametrize(
    ("box", "said"),
    [
        ((0, 0, 60, 60), "upper left"),
        ((100, 0, 200, 20), "top"),
        ((240, 240, 300, 300), "lower right"),
        ((0, 100, 90, 200), "left"),
        ((0, 0, 300, 300), "center"),
        ((140, 280, 160, 300), "bottom"),
    ],
)
def test_position_is_the_ninth_of_the_center(box: Any, said: str) -> None:
    assert position(box, WIDTH, HEIGHT) == said


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ((100, 100, 200, 200), "overlaps"),
        ((100, 100, 200, 150), "contains"),
        # Apart by more across than down, but centers that are further apart down.
        ((205, 100, 215, 900), "above"),
        ((120, 120, 150, 150), "contains"),
        ((50, 50, 250, 250), "inside"),
        ((150, 150, 250, 250), "overlaps"),
        ((200, 100, 250, 200), "left of"),
        ((0, 100, 100, 200), "right of"),
        ((100, 200, 200, 250), "above"),
        ((100, 0, 200, 100), "below"),
        ((210, 290, 220, 300), "above"),
        ((290, 210, 300, 220), "left of"),
    ],
)
def test_relation_of_a_box_to_another_one(second: Any, said: str) -> None:
    assert relation((100, 100, 200, 200), second) == said


def test_layouts_tell_regions_of_one_label_apart() -> None:
    dog, left, right = layouts([DOG, LEFT_CAT, RIGHT_CAT], WIDTH, HEIGHT)
    assert dog == Layout("center", 11, 1, None, ("left of cat", "right of cat"))
    assert (left.of, left.where, left.near) == (2, "on the left", ("left of dog",))
    assert (right.of, right.where, right.position) == (2, "on the right", "lower right")

    def where(*boxes: tuple[float, ...]) -> list[str | None]:
        return [one.where for one in layouts([region("x", *box) for box in boxes], 300, 300)]

    assert where((0, 0, 50, 50), (0, 200, 50, 250)) == ["at the top", "at the bottom"]
    row = [(100, 0, 150, 50), (0, 0, 50, 50), (200, 0, 250, 50)]
    assert where(*row) == ["in the middle", "on the left", "on the right"]
    assert where((0, 0, 90, 90), (5, 5, 95, 95)) == [None, None]
    spread = [(0, 0, 50, 50), (10, 200, 60, 299), (100, 100, 200, 200), (120, 110, 190, 190)]
    assert where(*spread) == ["in the upper left", "in the lower left", None, None]


def test_drafts_say_of_a_thing_what_the_caption_says_of_it() -> None:
    assert drafts(CAPTION, DOG, LEFT_CAT, RIGHT_CAT, region("lamp", 0, 0, 20, 20)) == [
        "a brown dog with a red collar",
        "the white cat on the left",
        "the white cat on the right",
        "a lamp",
    ]
    # Which of two dogs has the collar, boxes do not say.
    second = region("dog", 0, 0, 60, 60)
    assert drafts("A brown dog with a red collar plays.", DOG, second) == [
        "the dog on the right",
        "the dog on the left",
    ]


def test_drafts_name_what_is_worn_and_the_finer_word() -> None:
    caption = "A young woman in a green jacket holds a tennis racket."
    [person] = drafts(caption, region("person", 0, 0, 100, 200))
    assert person == "a young woman wearing a green jacket and holding a tennis racket"
    apart = drafts("Three cylindrical metal posts stand on a sidewalk.", *(
        region("post", x, 0, x + 20, 100) for x in (0, 100, 200)
    ))  # fmt: skip
    assert apart[1] == "the cylindrical post in the middle made of metal"
    assert drafts("A park with a larger building.", region("building", 0, 0, 9, 9)) == [
        "a building"
    ]


def test_no_draft_is_refused() -> None:
    lines = Path("examples/finer-mini/captions.jsonl").read_text(encoding="utf-8").splitlines()
    count = 0
    for caption in (json.loads(line)["caption"] for line in lines):
        found = graph(caption)
        labels = [item.name for item in found.objects]
        regions = [region(name, n, n, n + 50, n + 60) for n, name in enumerate([*labels, *labels])]
        for question in questions(regions, caption):
            assert problem(question.draft, question, caption) is None, question
            count += 1
    assert count > 100


def questions(regions: Sequence[RegionText], caption: str) -> list[RegionQuestion]:
    found = graph(caption)
    return [
        RegionQuestion(
            label=one.text, draft=draft(one.text, layout, found), position=layout.position,
            size=layout.size, of=layout.of, where=layout.where, near=layout.near,
        )
        for one, layout in zip(regions, layouts(regions, WIDTH, HEIGHT), strict=True)
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("a brown dog with a red collar", None),
        ("a brown puppy", "'puppy'"),
        ("the dog in the center", None),
        ("a dog left of a cat", None),
        ("a brown animal", "does not name"),
        ("a black dog", "'black'"),
        ("a brown dog on the left", None),  # it is left of a cat
        ("a brown dog at the top", 'says "top"'),
        ("a dog without a leash", "says what is not there"),
        ("a dog " + "and a dog " * 10, "expected 1 to 20"),
        ("…", "it has 0 words"),
    ],
)
def test_what_a_text_may_say(text: str, why: str | None) -> None:
    question, *_ = questions([DOG, LEFT_CAT, RIGHT_CAT], CAPTION)
    found = problem(text, question, CAPTION)
    assert (found is None) == (why is None) and (why or "") in (found or ""), found


def test_the_wrong_side_is_refused_though_the_caption_names_it() -> None:
    caption = "A cat is on the left, another cat is on the right."
    left, right = questions([LEFT_CAT, RIGHT_CAT], caption)
    assert problem("the cat on the left", left, caption) is None
    assert problem("the cat on the right", right, caption) is None
    assert problem("the cat on the right side", left, caption) == (
        'it says "right", but the region is elsewhere: lower left, on the left'
    )


def test_answers_of_the_prompt_pass_the_checks() -> None:
    text = load_prompt("region_writer").text
    inputs = re.findall(r"<input>\n(.*?)\n</input>\nOutput:\n(.*?)\n", text)
    assert len(inputs) == 3
    for said, answered in inputs:
        asked = RegionWriterInput.model_validate_json(said)
        answer = RegionTextAnswer.model_validate_json(answered)
        assert [one.region for one in answer.texts] == list(range(len(asked.regions)))
        for one, question in zip(answer.texts, asked.regions, strict=True):
            assert problem(one.text, question, asked.caption) is None, one


def test_rules_answer_the_draft() -> None:
    asked = questions([DOG, LEFT_CAT], CAPTION)
    answer = write(RegionWriterInput(caption=CAPTION, regions=tuple(asked)))
    assert [one.text for one in answer.texts] == [one.draft for one in asked]
