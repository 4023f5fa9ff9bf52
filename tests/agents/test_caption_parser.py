"""The caption parser: support, merging, verification, the command."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from agents.base import AgentContext
from agents.caption_parser import ABSENT, UNSUPPORTED, CaptionParser, main
from agents.scene_graph_checks import prune, unsupported_words
from agents.scene_graph_merge import merge, split_sentences, told_apart
from prompts import load_prompt
from runtime.errors import ToolkitError
from schemas.finer import VerifierAnswer
from schemas.scene_graph import CaptionRecord, SceneGraph, SceneGraphAnswer
from tests.agents.scripted import scripted

CAPTION = "A brown puppy sits on a wooden floor. The puppy is looking out of a dark green door."


def answer(*objects: Any, relations: tuple[tuple[int, str, int], ...] = ()) -> dict[str, Any]:
    """Each object is a name or (name, attribute, …)."""
    rows = [(item,) if isinstance(item, str) else item for item in objects]
    return {
        "objects": [{"name": name, "attributes": list(said)} for name, *said in rows],
        "relations": [{"subject": s, "relation": r, "object": o} for s, r, o in relations],
    }


def typed(*objects: Any, relations: tuple[tuple[int, str, int], ...] = ()) -> SceneGraphAnswer:
    return SceneGraphAnswer.model_validate(answer(*objects, relations=relations))


def run(parser: CaptionParser, context: AgentContext, caption: str = CAPTION) -> SceneGraph:
    record = CaptionRecord(id="a", image="a.png", caption=caption)
    return asyncio.run(parser.run(record, context))


def plain(graph: SceneGraph | SceneGraphAnswer) -> dict[str, Any]:
    return answer(
        *((item.name, *item.attributes) for item in graph.objects),
        relations=tuple((r.subject, r.relation, r.object) for r in graph.relations),
    )


GOOD = answer(
    ("puppy", "a brown color"),
    ("floor", "a wooden surface"),
    ("door", "a dark green color"),
    relations=((0, "is sitting on", 1), (0, "is looking out of", 2)),
)


def test_a_supported_graph_is_taken_after_one_question_without_the_image(tmp_path: Path) -> None:
    context, backends = scripted({"caption_parser": lambda _: GOOD}, tmp_path)
    assert plain(run(CaptionParser(), context)) == GOOD  # a.png does not exist
    [asked] = backends.asked("caption_parser")
    assert (asked.caption, asked.sentence, asked.problem) == (CAPTION, None, None)


def test_what_the_caption_does_not_support_is_asked_again_with_the_reason(tmp_path: Path) -> None:
    first = answer(("puppy", "a red collar"), "door", relations=((0, "is biting", 1),))
    context, backends = scripted(
        {"caption_parser": lambda asked: GOOD if asked.problem else first}, tmp_path
    )
    assert plain(run(CaptionParser(), context)) == GOOD
    problem = backends.asked("caption_parser")[1].problem
    assert "attribute \"a red collar\": the caption has no 'red', 'collar'" in problem
    assert "relation \"is biting\": the caption has no 'biting'" in problem
    assert "door" not in problem
    assert context.answers[UNSUPPORTED] == 0


def test_what_is_still_not_supported_is_dropped_with_all_that_hangs_on_it(tmp_path: Path) -> None:
    stubborn = answer(
        ("sofa", "a brown color"),
        ("puppy", "a red collar", "a brown color"),
        "floor",
        relations=((1, "is sitting on", 0), (1, "is sitting on", 2)),
    )
    context, backends = scripted({"caption_parser": lambda _: stubborn}, tmp_path)
    kept = plain(run(CaptionParser(), context))
    assert kept == answer(("puppy", "a brown color"), "floor", relations=((0, "is sitting on", 1),))
    assert context.answers[UNSUPPORTED] == 2
    assert len(backends.asked("caption_parser")) == 2


@pytest.mark.parametrize("said", [answer(), answer("unicorn")])
def test_a_graph_without_objects_is_a_failure_of_its_record(
    said: dict[str, Any], tmp_path: Path
) -> None:
    context, _ = scripted({"caption_parser": lambda _: said}, tmp_path)
    with pytest.raises(ToolkitError, match="gives no object") as caught:
        run(CaptionParser(), context)
    assert caught.value.kind == "semantic"


def test_by_sentence_asks_each_sentence_and_merges_the_answers(tmp_path: Path) -> None:
    parts = {
        "A brown puppy sits on a wooden floor.": answer(
            ("puppy", "a brown color"),
            ("floor", "a wooden surface"),
            relations=((0, "is sitting on", 1),),
        ),
        "The puppy is looking out of a dark green door.": answer(
            ("door", "a dark green color"), "puppy", relations=((1, "is looking out of", 0),)
        ),
    }
    context, backends = scripted({"caption_parser": lambda asked: parts[asked.sentence]}, tmp_path)
    assert plain(run(CaptionParser(by_sentence=True), context)) == GOOD
    assert {asked.caption for asked in backends.asked("caption_parser")} == {CAPTION}


@pytest.mark.parametrize(
    ("phrase", "caption", "unknown"),
    [
        ("a dark green color", "A dark green door.", []),
        ("a standing posture", "A man stands there.", []),
        ("made of wood", "A wooden table.", []),
        ("covered in snow", "A snowy roof.", []),
        ("a striped pattern", "A shirt with stripes.", []),
        ("is lying on", "The cat lies on the bed.", []),
        ("is running", "A dog runs.", []),
        ("is holding", "A woman held a cup.", []),
        ("women", "A woman.", []),
        ("is next to", "A cup beside a plate.", []),
        ("is wearing", "A man in a coat.", []),
        ("a gray color", "A grey wall.", []),
        ("is under", "A cup on a plate.", ["under"]),
        ("a light green color", "A dark green door.", ["light"]),
        ("a sitting posture", "A man stands there.", ["sitting"]),
        ("golden retriever", "A dog.", ["golden", "retriever"]),
        ("is carrying", "A woman is wearing a bag.", ["carrying"]),
    ],
)
def test_support_by_the_words_of_the_caption(phrase: str, caption: str, unknown: list[str]) -> None:
    assert unsupported_words(phrase, caption) == unknown


def test_a_repeated_mention_is_one_object() -> None:
    caption = "A cat lies on a mat. The cat is black."
    twice = typed(("cat", "a lying posture"), "mat", ("Cat", "a black color"),
                  relations=((2, "is on", 1), (0, "is on", 1)))  # fmt: skip
    assert plain(merge([(caption, twice)], caption)) == answer(
        ("cat", "a lying posture", "a black color"), "mat", relations=((0, "is on", 1),)
    )


def test_objects_that_the_caption_tells_apart_stay_two() -> None:
    caption = "One mug is red and the other mug is blue. The red mug is full."
    first, second = "One mug is red and the other mug is blue.", "The red mug is full."
    graph = merge(
        [
            (first, typed(("mug", "a red color"), ("mug", "a blue color"))),
            (second, typed(("mug", "a red color", "a full state"))),
        ],
        caption,
    )
    assert plain(graph) == answer(("mug", "a red color", "a full state"), ("mug", "a blue color"))


def test_a_sentence_may_introduce_another_object_of_the_name() -> None:
    texts = ["A dog runs.", "Another dog sleeps.", "The dog is brown."]
    answers = [typed(("dog", text)) for text in ("running", "sleeping", "a brown color")]
    graph = merge(zip(texts, answers, strict=True), " ".join(texts))
    assert plain(graph) == answer(("dog", "running"), ("dog", "sleeping", "a brown color"))


def test_a_relation_between_two_mentions_of_one_thing_is_left_out() -> None:
    caption = "A cat is next to the cat."
    graph = merge([(caption, typed("cat", "cat", relations=((0, "is next to", 1),)))], caption)
    assert plain(graph) == answer("cat")


@pytest.mark.parametrize(
    ("caption", "apart"),
    [
        ("a dog runs. the dog barks.", False),
        ("a dog and another dog run.", True),
        ("two dogs run. the left dog barks.", True),
        ("a red dog and a blue dog.", True),
        ("a dog runs with the dog of the house, another cat sleeps.", False),
    ],
)
def test_told_apart(caption: str, apart: bool) -> None:
    assert told_apart("dog", caption) is apart


def test_sentences_are_parts_of_the_caption() -> None:
    caption = 'A sign says "STOP." It is red! Near St. John, 2 cars wait.\n\n- A bus stops'
    sentences = split_sentences(caption)
    assert sentences[0] == 'A sign says "STOP.'
    assert sentences[-1] == "- A bus stops"
    assert all(sentence in caption for sentence in sentences)


def test_pruning_moves_the_indices_of_relations() -> None:
    graph = typed("a", "b", "c", relations=((0, "r", 1), (1, "s", 2)))
    kept = prune(graph, lambda kind, index, _: (kind, index) != ("object", 0))
    assert plain(kept) == answer("b", "c", relations=((0, "s", 1),))


def verifying(tmp_path: Path, absent: Any) -> tuple[AgentContext, Any]:
    Image.new("RGB", (4, 4)).save(tmp_path / "a.png")
    _, backends = scripted({"caption_parser": lambda _: GOOD, "caption_verifier": absent}, tmp_path)
    return AgentContext(backends, folder=tmp_path), backends


def test_verification_drops_what_the_image_does_not_show(tmp_path: Path) -> None:
    context, backends = verifying(tmp_path, lambda _: {"absent": [4, 1]})
    kept = plain(run(CaptionParser(verify=True), context))
    assert kept == answer(
        "puppy",
        ("floor", "a wooden surface"),
        relations=((0, "is sitting on", 1),),
    )
    assert context.answers[ABSENT] == 2
    [asked] = backends.asked("caption_verifier")
    assert len(asked.statements) == 8
    assert asked.statements[0].endswith("puppy")
    assert "looking out of the door" in asked.statements[-1]
    shown = [r.images for r in backends.backend.requests if r.task == "caption_verifier"]
    assert [len(images) for images in shown] == [1]


def test_a_verdict_on_a_statement_that_was_not_made_is_refused(tmp_path: Path) -> None:
    context, _ = verifying(tmp_path, lambda _: {"absent": [8]})
    with pytest.raises(ToolkitError, match="no indices of the 8 statements"):
        run(CaptionParser(verify=True), context)


def test_verification_of_a_missing_image_fails_the_record(tmp_path: Path) -> None:
    context, _ = verifying(tmp_path, lambda _: {"absent": []})
    (tmp_path / "a.png").unlink()
    with pytest.raises(ToolkitError) as caught:
        run(CaptionParser(verify=True), context)
    assert caught.value.kind == "image"


@pytest.mark.parametrize(
    ("name", "model"), [("caption_parser", SceneGraphAnswer), ("caption_verifier", VerifierAnswer)]
)
def test_the_examples_of_the_prompts_fit_the_schemas(name: str, model: Any) -> None:
    text = load_prompt(name).text
    outputs = [line for line in text.splitlines() if line.startswith(('{"objects', '{"absent'))]
    assert len(outputs) >= 2
    for line in outputs:
        model.model_validate_json(line)
    assert text.startswith(f"# Task: {name}")


def write_captions(folder: Path, *captions: str) -> Path:
    path = folder / "captions.jsonl"
    rows = [{"id": str(n), "image": f"{n}.png", "text": text} for n, text in enumerate(captions)]
    path.write_text("\n".join(map(json.dumps, rows)), encoding="utf-8")
    return path


@pytest.mark.parametrize("flags", [[], ["--by-sentence"]])
def test_the_command_writes_graphs_and_what_it_rejected(
    flags: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    source = write_captions(tmp_path, CAPTION, "The mood is calm.")
    code = main([str(source), "--output", "out", "--max-error-rate", "0.6", *flags])
    assert code == 0
    [line] = (tmp_path / "out/scene_graphs.jsonl").read_text().splitlines()
    graph = SceneGraph.model_validate_json(line)
    assert (graph.id, graph.image, graph.caption) == ("0", "../0.png", CAPTION)
    assert [item.name for item in graph.objects] == ["puppy", "floor", "door"]
    [rejected] = (tmp_path / "out/rejected.jsonl").read_text().splitlines()
    assert json.loads(rejected)["id"] == "1" and json.loads(rejected)["kind"] == "semantic"
    printed = capsys.readouterr().out
    assert "1 graphs in scene_graphs.jsonl: 3 objects, 3 attributes, 2 relations" in printed
    assert "dropped: 0 unsupported, 0 absent; rejected: 1 semantic" in printed


def test_verification_needs_a_backend_that_sees(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    code = main([str(write_captions(tmp_path, CAPTION)), "--output", "out", "--verify"])
    assert code == 3
    assert "vision" in capsys.readouterr().err
    assert not (tmp_path / "out/scene_graphs.jsonl").exists()
