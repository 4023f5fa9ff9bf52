"""The FINER example: captions, photographs and reference graphs belong together."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from runtime.files import read_records
from schemas.record import ImageRecord
from schemas.scene_graph import CaptionRecord, SceneGraph, elements
from schemas.trajectory import QuestionRecord
from scoring.content_words import content, stem, words

EXAMPLES = Path(__file__).parents[1] / "examples"
MINI = EXAMPLES / "finer-mini"
QUESTIONS = list(read_records(MINI / "questions.jsonl", QuestionRecord))
CAPTIONS = list(read_records(MINI / "captions.jsonl", CaptionRecord))
GRAPHS = list(read_records(MINI / "scene_graphs.gold.jsonl", SceneGraph))


def test_rows_are_those_of_the_photographs() -> None:
    images = list(read_records(EXAMPLES / "granfact-mini/images.jsonl", ImageRecord))
    ids = [image.id for image in images]
    assert [row.id for row in CAPTIONS] == [row.id for row in GRAPHS] == ids
    for caption, graph in zip(CAPTIONS, GRAPHS, strict=True):
        assert (caption.image, caption.caption) == (graph.image, graph.caption)
        assert (MINI / caption.image).is_file()
        assert Path(caption.image).stem == caption.id


@pytest.mark.parametrize("row", CAPTIONS, ids=lambda row: row.id)
def test_captions_have_three_to_five_sentences(row: CaptionRecord) -> None:
    assert 3 <= len(re.findall(r"[.!?](?=\s|$)", row.caption)) <= 5


@pytest.mark.parametrize("graph", GRAPHS, ids=lambda graph: graph.id)
def test_graphs_say_only_what_the_caption_says(graph: SceneGraph) -> None:
    said = {stem(word) for word in [*words(graph.caption or ""), "is", "are"]}
    for element in elements(graph):
        assert content(element.text) <= said, element.text


@pytest.mark.parametrize("graph", GRAPHS, ids=lambda graph: graph.id)
def test_graphs_follow_the_form(graph: SceneGraph) -> None:
    names = [item.name for item in graph.objects]
    assert len(set(names)) == len(names)
    for element in elements(graph):
        assert not re.match(r"(a|an|the|two|four) ", element.text) or element.kind == "attribute"
        if element.kind == "relation":
            assert element.text.startswith(("is ", "are "))
        if element.kind == "attribute":
            assert " " in element.text or element.text.endswith("ing"), element.text


def test_every_photograph_has_a_question_with_its_caption() -> None:
    asked = {row.id: (row.image, row.caption) for row in QUESTIONS}
    assert asked == {row.id: (row.image, row.caption) for row in CAPTIONS}
    assert all(row.question.endswith((".", "?")) for row in QUESTIONS)
