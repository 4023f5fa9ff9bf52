"""Negatives: what the checks refuse, and what the generator makes of the answers it gets."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from agents.negative_checks import (
    FORM,
    GRAPH,
    MEANING,
    REPEATED,
    WORDING,
    problem,
    rival_texts,
    tidy,
)
from agents.negative_generator import (
    CHUNK,
    ROUNDS,
    Generated,
    NegativeGenerator,
    element_question,
    generate,
    main,
)
from prompts import load_prompt
from runtime.errors import ToolkitError
from schemas.finer import ElementQuestion, NegativeAnswer, NegativeInput
from schemas.scene_graph import NegatedGraph, SceneGraph, elements
from tests.agents.scripted import scripted

OBJECTS = [
    ("puppy", "kitten", None),
    ("puppy", "Puppies", REPEATED),
    ("puppy", "the puppy", REPEATED),
    ("puppy", "dog", MEANING),
    ("puppy", "animal", MEANING),
    ("dog", "poodle", MEANING),
    ("couch", "sofa", MEANING),
    ("bicycle", "bike", MEANING),
    ("taxi", "vehicle", MEANING),
    ("tennis racket", "racket", MEANING),
    ("jacket", "denim jacket", MEANING),
    ("denim jacket", "leather jacket", None),
    ("tennis racket", "hockey stick", None),
    ("dogs", "cat", FORM),
    ("dogs", "cats", None),
    ("dog", "cats", FORM),
    ("jeans", "leggings", None),
    ("people", "penguins", None),
    ("door frame", "pillar", None),
    ("door", "bench", GRAPH),
    ("door", "seat", GRAPH),
    ("door", "lamp", GRAPH),
    ("door", "something", WORDING),
    ("door", "no door", WORDING),
    ("door", "another thing", WORDING),
    ("door", "?", WORDING),
    ("door", "one two three four five six seven eight nine ten eleven twelve thirteen", WORDING),
]
ATTRIBUTES = [
    ("a dark green color", "a light gray color", None),
    ("a dark green color", "a dark red color", None),
    ("a dark green color", "a green color", MEANING),
    ("a dark green color", "an olive color", MEANING),
    ("a dark green color", "a light green color", None),
    ("a dark green color", "light gray", FORM),
    ("a dark green color", "a gray shape", FORM),
    ("a dark green color", "made of wood", FORM),
    ("a dark green color", "A Dark Green Color", REPEATED),
    ("a black color", "a black and white color", MEANING),
    ("a navy color", "a blue color", MEANING),
    ("a gray color", "a grey color", MEANING),
    ("a large size", "a huge size", MEANING),
    ("a large size", "a small size", None),
    ("a young age", "an old age", None),
    ("an elderly age", "an old age", MEANING),
    ("a sitting posture", "a seated posture", MEANING),
    ("a sitting posture", "a standing posture", None),
    ("a position on the left", "a position on the right", None),
    ("a position on the left", "a position at the top", MEANING),
    ("a position in the background", "a position in the distance", MEANING),
    ("a position in the background", "a position in the foreground", None),
    ("made of wood", "made of metal", None),
    ("made of wood", "made of oak", MEANING),
    ("made of wood", "covered in metal", FORM),
    ("a wooden surface", "a metal surface", None),
    ("its head tilted backward", "its head resting on the ground", None),
    ("its head tilted backward", "its tail raised", FORM),
    ("its head tilted backward", "not tilted", WORDING),
    ("long floppy ears", "short pointed ears", None),
    ("long floppy ears", "a short tail", FORM),
    ("looking at the camera", "looking away from the camera", None),
    ("looking at the camera", "a closed mouth", FORM),
    ("a red collar", "a blue collar", None),
    ("a red collar", "a blue hat", FORM),
    ("a red collar", "a red collar without a tag", WORDING),
    ("the number 13", "the number 27", None),
    ("a small size", "a brown color", FORM),
    ("a dark color", "a shiny finish", FORM),
    ("a dark color", "a brown color", GRAPH),
]
RELATIONS = [
    ("is looking out of", "is facing away from", None),
    ("is looking out of", "is gazing out of", MEANING),
    ("is looking at", "is next to", MEANING),
    ("is sitting on", "is standing on", None),
    ("is sitting on", "is perched on", MEANING),
    ("is sitting on", "is on", MEANING),
    ("is sitting on", "is lying under", None),
    ("is sitting on", "is near", MEANING),
    ("is sitting on", "sitting under", FORM),
    ("is sitting on", "are standing on", FORM),
    ("leaning against", "lying under", None),
    ("leaning against", "is lying under", FORM),
    ("is in front of", "is behind", None),
    ("is in front of", "is near", MEANING),
    ("is next to", "is beside", MEANING),
    ("is next to", "is close to", MEANING),
    ("is next to", "is on top of", None),
    ("is next to", "is far away from", None),
    ("is on", "is under", None),
    ("is on", "is atop", MEANING),
    ("is to the left of", "is to the right of", None),
    ("is to the left of", "is in front of", MEANING),
    ("is above", "is below", None),
    ("is inside", "is outside", None),
    ("is holding", "is dropping", None),
    ("is holding", "is touching", MEANING),
    ("is holding", "is carrying", MEANING),
    ("is holding", "is looking at", MEANING),
    ("is holding", "is standing next to", MEANING),
    ("holds", "drops", None),
    ("holds", "is under", None),
    ("holds", "dropping", FORM),
    ("is wearing", "is folding", None),
    ("is wearing", "is dressed in", MEANING),
    ("is wearing", "is not wearing", WORDING),
    ("is covered with", "is under", MEANING),
    ("is riding", "is pushing", None),
    ("is standing behind", "is walking around", GRAPH),
]
GRAPH_ROW = {
    "id": "g",
    "image": "dog.jpg",
    "caption": "A puppy on a bench looks out of a dark green door. A lamp stands there.",
    "objects": [
        {"name": "puppy", "attributes": ["a dark color", "a brown color"]},
        {"name": "door", "attributes": ["a dark green color"]},
        {"name": "bench"},
    ],
    "relations": [
        {"subject": 0, "relation": "is looking out of", "object": 1},
        {"subject": 0, "relation": "is walking around", "object": 2},
    ],
}
GOOD = {
    "puppy": ["kitten", "rabbit", "fox", "parrot"],
    "door": ["staircase", "elevator", "fireplace", "bookcase"],
    "bench": ["hammock", "piano", "bathtub", "trampoline"],
    "a dark color": ["a light color", "a yellow color", "a white color", "a pink color"],
    "a brown color": ["a white color", "a gray color", "a yellow color", "a red color"],
    "a dark green color": ["a red color", "a white color", "a blue color", "a pink color"],
    "is looking out of": [
        "is facing away from", "is walking away from", "is hiding from", "is sleeping behind",
    ],
    "is walking around": ["is lying under", "is standing on", "is sitting on", "is lying on"],
}  # fmt: skip


def graph(**changes: Any) -> SceneGraph:
    return SceneGraph.model_validate(GRAPH_ROW | changes)


def question(kind: str, text: str, **changes: Any) -> ElementQuestion:
    ends = {"object": (None, None), "attribute": ("puppy", None), "relation": ("puppy", "bench")}
    subject, target = ends[kind]
    fields = {"kind": kind, "text": text, "subject": subject, "object": target}
    return ElementQuestion.model_validate(fields | changes)


def kind_of(found: str | None) -> str | None:
    return found.partition(":")[0] if found else None


@pytest.mark.parametrize(("positive", "candidate", "expected"), OBJECTS)
def test_checks_of_objects(positive: str, candidate: str, expected: str | None) -> None:
    asked = question("object", positive)
    rivals = ("bench", "window")
    found = problem(asked, candidate, (), rivals, "A lamp stands by the bench.")
    assert kind_of(found) == expected, found


@pytest.mark.parametrize(("positive", "candidate", "expected"), ATTRIBUTES)
def test_checks_of_attributes(positive: str, candidate: str, expected: str | None) -> None:
    found = problem(question("attribute", positive), candidate, (), ("a brown color",))
    assert kind_of(found) == expected, found


@pytest.mark.parametrize(("positive", "candidate", "expected"), RELATIONS)
def test_checks_of_relations(positive: str, candidate: str, expected: str | None) -> None:
    found = problem(question("relation", positive), candidate, (), ("is walking around",))
    assert kind_of(found) == expected, found


def test_negatives_are_distinct_and_nothing_refused_comes_again() -> None:
    asked = question("object", "puppy", avoid=("rabbit",))
    assert kind_of(problem(asked, "Rabbits"[:-1])) == REPEATED
    assert kind_of(problem(asked, "a fox", ("fox",))) == REPEATED
    assert kind_of(problem(asked, "tabby cat", ("cat",))) == REPEATED
    assert problem(asked, "parrot", ("fox",)) is None


def test_what_the_caption_says_of_the_owner_is_no_negative() -> None:
    asked = question("attribute", "a red color", subject="frisbee")
    said = "They reach for a white frisbee near a blue wall."
    assert kind_of(problem(asked, "a white color", caption=said)) == GRAPH
    assert problem(asked, "a blue color", caption=said) is None


def test_rivals_are_what_could_be_meant() -> None:
    listed = {element.text: element_question(element) for element in elements(graph())}
    assert rival_texts(listed["puppy"], graph()) == ("door", "bench")
    assert rival_texts(listed["a dark color"], graph()) == ("a brown color",)
    assert rival_texts(listed["is looking out of"], graph()) == ()


def test_an_article_or_a_full_stop_is_no_reason_to_ask_again() -> None:
    assert tidy(question("object", "puppy"), " The  fox. ") == "fox"
    assert tidy(question("attribute", "a red color"), "a blue color.") == "a blue color"


def test_the_examples_of_the_prompt_pass_the_checks() -> None:
    text = load_prompt("negative_generator").text
    shown = re.findall(r"<input>\n(.+)\n</input>\nOutput:\n(.+)", text)
    assert len(shown) == 2
    for given, answer in shown:
        asked = NegativeInput.model_validate_json(given)
        for found in NegativeAnswer.model_validate_json(answer).sets:
            element = asked.elements[found.element]
            rivals = [name for name in asked.objects if name != element.text]
            kept: list[str] = []
            for text in found.negatives:
                assert problem(element, text, kept, rivals, asked.caption) is None, text
                kept.append(text)
            assert len(kept) == 4


Answers = Callable[[Any], dict[str, Any]]


def answering(table: Mapping[str, Sequence[Sequence[str]]]) -> Answers:
    """A generator that gives an element its lists one after the other, the last one for ever."""
    asked: dict[str, int] = {}

    def answer(inputs: Any) -> dict[str, Any]:
        sets = []
        for index, element in enumerate(inputs.elements):
            lists = table.get(element.text, [GOOD.get(element.text, [])])
            place = min(asked.get(element.text, 0), len(lists) - 1)
            asked[element.text] = place + 1
            sets.append({"element": index, "negatives": list(lists[place])})
        return {"sets": sets}

    return answer


def run(answer: Answers, folder: Path, row: SceneGraph | None = None) -> tuple[NegatedGraph, Any]:
    context, backends = scripted({"negative_generator": answer}, folder)
    found = asyncio.run(NegativeGenerator().run(row or graph(), context))
    return found, (backends, context)


def test_four_negatives_stand_beside_each_element(tmp_path: Path) -> None:
    found, (backends, _) = run(answering({}), tmp_path)
    assert {e.text: list(e.negatives) for e in elements(found)} == GOOD
    assert found.dropped == () and found.tested_against is None
    [asked] = backends.asked("negative_generator")
    assert asked.objects == ("puppy", "door", "bench")
    assert asked.caption == GRAPH_ROW["caption"]
    assert [e.text for e in asked.elements] == [e.text for e in elements(graph())]


def test_only_what_is_missing_is_asked_again_with_the_reason(tmp_path: Path) -> None:
    lists = [["dog", "kitten", "fox"], ["kitten", "rabbit", "animal"], ["lamb"]]
    found, (backends, context) = run(answering({"puppy": lists}), tmp_path)
    assert found.objects[0].negatives == ("kitten", "fox", "rabbit", "lamb")
    _, second, third = backends.asked("negative_generator")
    [again] = second.elements
    assert (again.kind, again.text) == ("object", "puppy")
    assert set(again.avoid) == {"dog", "kitten", "fox"}
    assert again.problem is not None and "2 of 4" in again.problem
    assert '"dog": could be true: it is more general than "puppy"' in again.problem
    assert set(third.elements[0].avoid) == {"dog", "kitten", "fox", "rabbit", "animal"}
    assert '"animal"' in str(third.elements[0].problem)
    assert context.answers["refused: could be true"] == 2
    assert context.answers["refused: repeated"] == 1


def test_what_has_no_four_in_the_end_is_dropped_with_the_reason(tmp_path: Path) -> None:
    found, (backends, _) = run(answering({"bench": [["seat", "hammock"]]}), tmp_path)
    assert len(backends.asked("negative_generator")) == ROUNDS
    assert found.objects[2].negatives == ()
    [dropped] = found.dropped
    assert (dropped.kind, dropped.text) == ("object", "bench")
    assert dropped.reason.startswith("1 of 4 valid negatives") and '"seat"' in dropped.reason
    others = [element for element in elements(found) if element.text != "bench"]
    assert all(len(element.negatives) == 4 for element in others)


def test_large_graphs_are_asked_in_chunks(tmp_path: Path) -> None:
    names = [f"{letter} tower" for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ"]
    row = graph(objects=[{"name": name} for name in names], relations=[], caption=None)
    table = {name: [["cactus", "piano", "violin", "donkey"]] for name in names}
    found, (backends, _) = run(answering(table), tmp_path, row)
    sizes = sorted(len(asked.elements) for asked in backends.asked("negative_generator"))
    assert sizes == [26 - 2 * CHUNK, CHUNK, CHUNK]
    assert all(item.negatives == ("cactus", "piano", "violin", "donkey") for item in found.objects)
    assert NegativeGenerator().estimate(row) == {"negative_generator": 6}


def test_negatives_that_are_kept_are_not_asked_for(tmp_path: Path) -> None:
    context, backends = scripted(
        {"negative_generator": answering({"puppy": [["fox", "lamb", "rabbit"]]})}, tmp_path
    )
    asked = question("object", "puppy", avoid=("kitten",), problem="it could be a kitten")
    [found] = asyncio.run(generate([asked], graph(), context, keep=[("parrot", "fox", "goat")]))
    assert found == Generated(("parrot", "fox", "goat", "lamb"), "")
    [sent] = backends.asked("negative_generator")
    assert sent.elements[0].problem == "it could be a kitten"
    assert sent.elements[0].avoid == ("kitten", "parrot", "fox", "goat")


def test_an_index_out_of_range_is_no_answer(tmp_path: Path) -> None:
    with pytest.raises(ToolkitError, match="no indices of the 8 elements"):
        run(lambda _: {"sets": [{"element": 8, "negatives": ["fox"]}]}, tmp_path)


def test_the_command_by_rules(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    odd = graph(
        id="odd", objects=[{"name": "puppy", "attributes": ["a fenced state"]}], relations=[]
    )
    source = tmp_path / "scene_graphs.jsonl"
    source.write_text("".join(f"{row.model_dump_json()}\n" for row in (graph(), odd)))
    for name in ("a", "b"):
        assert main([str(source), "--output", str(tmp_path / name)]) == 0
    said = capsys.readouterr().out
    assert "2 graphs in negatives.jsonl; rejected: none" in said
    assert "90.0% of 10 elements (4 of 4 objects, 3 of 4 attributes, 2 of 2 relations)" in said
    assert "1 dropped" in said
    rows = [json.loads(line) for line in (tmp_path / "a/negatives.jsonl").open()]
    assert [one["text"] for one in rows[1]["dropped"]] == ["a fenced state"]
    assert (tmp_path / "a" / rows[0]["image"]).resolve() == tmp_path / "dog.jpg"
    assert (tmp_path / "a/negatives.jsonl").read_bytes() == (
        tmp_path / "b/negatives.jsonl"
    ).read_bytes()
    manifest = json.loads((tmp_path / "a/manifest.json").read_text())
    assert manifest["prompts"]["negative_generator"]["version"] == "1"
