"""Four valid negatives or none: asked again with the reason, kept over rounds, dropped, counted."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from agents.negative_generator import CHUNK, COMMAND, NegativeGenerator, element_question, generate
from schemas.scene_graph import NegatedGraph, SceneGraph, elements
from tests.agents.scripted import scripted

GRAPH = SceneGraph.model_validate(
    {
        "id": "1",
        "image": "puppy.jpg",
        "caption": "A puppy with a dark green collar sits on a chair beside a lamp.",
        "objects": [{"name": "puppy", "attributes": ["a dark green collar"]}, {"name": "chair"}],
        "relations": [{"subject": 0, "relation": "is sitting on", "object": 1}],
    }
)
GOOD = {
    "puppy": ["kitten", "rabbit", "parrot", "hamster"],
    "chair": ["sofa", "table", "bed", "bookshelf"],
    "a dark green collar": ["a red collar", "a white collar", "a blue collar", "a yellow collar"],
    "is sitting on": ["is lying under", "is hiding behind", "is jumping over", "is chewing on"],
}


def answering(table: Callable[[Any, int], list[str]]) -> Callable[[Any], dict[str, Any]]:
    """A generator that answers each element by `table(element, times asked)`."""
    times: dict[str, int] = {}

    def answer(asked: Any) -> dict[str, Any]:
        sets = []
        for number, element in enumerate(asked.elements):
            times[element.text] = times.get(element.text, 0) + 1
            sets.append({"element": number, "negatives": table(element, times[element.text])})
        return {"sets": sets}

    return answer


def run(
    table: Callable[[Any, int], list[str]], folder: Path, graph: SceneGraph = GRAPH
) -> tuple[NegatedGraph, list[Any]]:
    script = {"negative_generator": answering(table)}
    context, backends = scripted(script, folder)
    value = asyncio.run(NegativeGenerator().run(graph, context))
    return value, backends.asked("negative_generator")


def test_good_answers_stand_beside_their_elements(tmp_path: Path) -> None:
    value, asked = run(lambda element, _: GOOD[element.text], tmp_path)
    assert {e.text: list(e.negatives) for e in elements(value)} == GOOD
    assert value.dropped == () and value.caption == GRAPH.caption
    assert len(asked) == 1 and asked[0].objects == ("puppy", "chair")
    assert asked[0].elements[1].subject == "puppy"


def test_what_is_refused_is_asked_again_with_the_reason(tmp_path: Path) -> None:
    def table(element: Any, times: int) -> list[str]:
        if element.text == "puppy" and times == 1:
            return ["dog", "Chair", "kitten", "lamp"]
        return GOOD[element.text]

    value, asked = run(table, tmp_path)
    assert value.objects[0].negatives == ("kitten", "rabbit", "parrot", "hamster")
    assert len(asked) == 2 and len(asked[1].elements) == 1
    again = asked[1].elements[0]
    assert set(again.avoid) == {"dog", "Chair", "kitten", "lamp"}
    assert '"dog": is more general than "puppy"' in again.problem
    assert '"lamp": the caption mentions one' in again.problem
    assert '"Chair": repeats "chair"' in again.problem


def test_what_stays_short_is_dropped_and_counted(tmp_path: Path) -> None:
    def table(element: Any, times: int) -> list[str]:
        return ["is near"] if element.text == "is sitting on" else GOOD[element.text]

    value, asked = run(table, tmp_path)
    assert len(asked) == 2  # nothing new came, so the third round has nothing new to ask
    assert value.relations[0].negatives == ()
    [dropped] = value.dropped
    assert (dropped.kind, dropped.text) == ("relation", "is sitting on")
    assert dropped.reason.startswith("0 of 4 valid")
    assert value.objects[0].negatives == tuple(GOOD["puppy"])


def test_many_elements_are_asked_in_parts(tmp_path: Path) -> None:
    names = ["apple", "bottle", "candle", "drum", "fork", "guitar", "hammer", "kettle", "ladder",
             "mirror", "pillow", "radio", "suitcase", "trumpet", "wheel"]  # fmt: skip
    objects = [{"name": name} for name in names]
    graph = SceneGraph.model_validate({"id": "1", "image": "x.jpg", "objects": objects})
    wrong = ["zebra", "tractor", "volcano", "octopus"]
    value, asked = run(lambda *_: wrong, tmp_path, graph)
    assert sorted(len(question.elements) for question in asked) == [len(names) - CHUNK, CHUNK]
    assert all(item.negatives == tuple(wrong) for item in value.objects)


def test_an_index_that_was_not_asked_is_left_alone(tmp_path: Path) -> None:
    def answer(asked: Any) -> dict[str, Any]:
        wrong = {"element": 99, "negatives": ["kitten"]}
        sets = [{"element": n, "negatives": GOOD[e.text]} for n, e in enumerate(asked.elements)]
        return {"sets": [wrong, *sets]}

    context, _ = scripted({"negative_generator": answer}, tmp_path)
    value = asyncio.run(NegativeGenerator().run(GRAPH, context))
    assert value.dropped == ()


def test_only_the_missing_ones_are_made_again(tmp_path: Path) -> None:
    script = {"negative_generator": answering(lambda *_: ["kitten", "goat", "rabbit"])}
    context, backends = scripted(script, tmp_path)
    puppy = next(iter(elements(GRAPH)))
    question = element_question(puppy, ("rabbit",), "a viewer took it for true")
    [made] = asyncio.run(generate([question], GRAPH, context, [("kitten", "parrot", "hamster")]))
    assert made.negatives == ("kitten", "parrot", "hamster", "goat") and made.reason == ""
    [first] = backends.asked("negative_generator")
    assert first.elements[0].problem == "a viewer took it for true"
    assert first.elements[0].avoid == ("rabbit", "kitten", "parrot", "hamster")


def test_the_command_reports_each_kind(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, output = tmp_path / "graphs.jsonl", tmp_path / "out"
    source.write_text(GRAPH.model_dump_json() + "\n")
    assert COMMAND.main([str(source), "--output", str(output)]) == 0
    row = json.loads((output / "negatives.jsonl").read_text())
    assert [len(e["negatives"]) for e in row["objects"]] == [4, 4]
    assert row["image"] == "../puppy.jpg"
    out = capsys.readouterr().out
    assert "object     2 of 2 with four valid negatives (100.0 %)" in out
    assert "1 graphs in negatives.jsonl; rejected: none" in out
