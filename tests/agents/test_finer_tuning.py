"""FINER-Tuning tuples: one part differs, both sides, mixtures, exclusions, written questions."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from agents.finer_tuning import COMMAND, FinerTuning
from agents.tuning_files import Mixture
from agents.tuning_phrases import QUESTIONS
from schemas.tuning import TuningPairs, TuningRecord
from tests.agents.scripted import scripted
from tests.e2e.commands import ROOT, rows

CAPTIONS = ROOT / "examples/finer-mini/captions.jsonl"
GOLD = ROOT / "examples/finer-mini/scene_graphs.gold.jsonl"
GRAPH = {
    "id": "1",
    "image": "puppy.jpg",
    "objects": [
        {"name": "puppy", "attributes": ["a red collar", "a standing posture"]},
        {"name": "door", "attributes": ["a dark green color"]},
    ],
    "relations": [{"subject": 0, "relation": "is looking out of", "object": 1}],
}
NEGATIVES = {
    "puppy": ["kitten", "rabbit", "parrot", "hamster"],
    "door": ["fireplace", "mirror", "bookshelf", "ladder"],
    "a red collar": ["a blue collar", "a white collar", "a green collar", "a yellow collar"],
    "a standing posture": [f"a {w} posture" for w in ("kneeling", "lying", "jumping", "crouching")],
    "a dark green color": ["a white color", "a red color", "a blue color", "a yellow color"],
    "is looking out of": ["is lying under", "is jumping over", "is hiding under", "is sitting on"],
}


def texts(pair: dict[str, Any]) -> tuple[str, str, str]:
    """Question, accepted and rejected answer."""
    found = []
    for key in ("prompt", "chosen", "rejected"):
        parts = pair[key][0]["content"]
        found.append(next(part["text"] for part in parts if part["type"] == "text"))
    return found[0], found[1], found[2]


def command(folder: Path, *words: str, source: Path = GOLD) -> list[dict[str, Any]]:
    config = folder / "config.yaml"
    config.write_text(json.dumps({"run": {"cache": str(folder / "cache")}}))
    output = folder / "out"
    argv = [str(source), "--output", str(output), "--config", str(config), "--overwrite", *words]
    assert COMMAND.main(argv) == 0
    return rows(output / "pairs.jsonl")


@pytest.mark.parametrize("source", [GOLD, CAPTIONS])
def test_tuples_are_what_training_needs(tmp_path: Path, source: Path) -> None:
    pairs = command(tmp_path, source=source)
    assert {pair["kind"] for pair in pairs} == {"obj", "attr", "rel", "wh"}
    for pair in pairs:
        question, accepted, rejected = texts(pair)
        parts = list(zip(pair["positive"]["parts"], pair["negative"]["parts"], strict=True))
        assert sum(one != other for one, other in parts) == 1
        assert accepted != rejected and question.endswith("?")
        assert pair["prompt"][0]["content"][0] == {"type": "image"}
        if pair["kind"] == "wh":
            assert question.split()[0] in ("What", "Who")
            wrong = accepted if pair["polarity"] == "negative" else rejected
            assert " not " in wrong and ", but " in wrong
        elif pair["polarity"] == "positive":
            assert accepted.startswith("Yes, ") and rejected.startswith("No, but ")
        else:
            assert accepted.startswith("No, but ") and rejected.startswith("Yes, ")
    sides = Counter((pair["kind"], pair["polarity"]) for pair in pairs)
    assert all(sides[kind, "positive"] == sides[kind, "negative"] for kind, _ in sides)
    assert all((source.parent / pair["images"][0]).name for pair in pairs)
    assert all((tmp_path / "out" / pair["images"][0]).is_file() for pair in pairs)


def test_the_negative_question_denies_what_the_positive_one_says(tmp_path: Path) -> None:
    pairs = {pair["id"]: pair for pair in command(tmp_path)}
    for name, pair in pairs.items():
        if name.endswith(":positive") and pair["kind"] != "wh":
            other = pairs[name.replace(":positive", ":negative")]
            yes, no = texts(pair), texts(other)
            assert yes[1].removeprefix("Yes, ") == no[1].removeprefix("No, but ")
            assert yes[2].removeprefix("No, but ") == no[2].removeprefix("Yes, ")
            assert yes[0] != no[0]


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    first, second, other = (tmp_path / name for name in ("a", "b", "c"))
    for folder, seed in ((first, "3"), (second, "3"), (other, "4")):
        folder.mkdir()
        command(folder, "--seed", seed)
    files = [(folder / "out/pairs.jsonl").read_bytes() for folder in (first, second, other)]
    assert files[0] == files[1] != files[2]


def test_a_mixture_is_exact(tmp_path: Path) -> None:
    pairs = command(tmp_path, "--mix", "obj=1,attr=2", "--max-pairs", "18")
    assert Counter(pair["kind"] for pair in pairs) == {"obj": 6, "attr": 12}
    pairs = command(tmp_path, "--polarity", "negative", "--mix", "rel")
    assert {(pair["kind"], pair["polarity"]) for pair in pairs} == {("rel", "negative")}


def test_quotas_keep_the_proportions() -> None:
    mixture = Mixture(weights={"obj": 1, "wh": 3})
    assert mixture.quotas({"obj": 100, "wh": 60}) == {"obj": 20, "wh": 60}
    assert mixture.quotas({"obj": 100}) == {"obj": 0, "wh": 0}
    assert Mixture(most=10).quotas({"obj": 9, "rel": 4}) == {"obj": 2, "rel": 2}
    assert Mixture().quotas({"obj": 9, "rel": 4}) == {"obj": 9, "rel": 4}


def test_excluded_images_are_left_out_by_id_name_and_bytes(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    images = ROOT / "examples/granfact-mini/images"
    digest = hashlib.sha256((images / "fig.jpg").read_bytes()).hexdigest()
    listed = tmp_path / "exclude.txt"
    listed.write_text(f"cat\n\ncoffee.jpg\n{digest}\n")
    pairs = command(tmp_path, "--exclude", str(listed))
    assert not {"cat", "coffee", "fig"} & {pair["id"].partition(":")[0] for pair in pairs}
    assert "3 images excluded" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--mix", "colour=1"], "expected obj, attr, rel, wh, got 'colour'"),
        (["--mix", "obj=0"], "obj: expected a weight above 0"),
        (["--mix", "obj=many"], "obj: expected a weight above 0"),
    ],
)
def test_a_bad_mixture_is_refused(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        COMMAND.main([str(GOLD), "--output", "out", *words])
    assert caught.value.code == 2 and message in capsys.readouterr().err


def test_a_row_needs_a_caption_or_objects(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "in.jsonl"
    source.write_text('{"id": "1", "image": "x.jpg"}\n')
    assert COMMAND.main([str(source), "--output", str(tmp_path / "out")]) == 2
    assert "needs `caption`" in capsys.readouterr().err


def script(folder: Path, wh: Any = None, empty: str = "") -> tuple[TuningPairs, Any]:
    """One graph on a scripted backend: `wh` is the written question, `empty` has no negative."""

    def negatives(asked: Any) -> dict[str, Any]:
        sets = [
            {"element": n, "negatives": [] if e.text == empty else NEGATIVES[e.text]}
            for n, e in enumerate(asked.elements)
        ]
        return {"sets": sets}

    context, backends = scripted(
        {"negative_generator": negatives, "finer_tuning": lambda asked: wh}, folder
    )
    record = TuningRecord.model_validate(GRAPH)
    return asyncio.run(FinerTuning().run(record, context)), backends


def test_a_failed_negative_is_counted_and_never_the_positive(tmp_path: Path) -> None:
    wh = {"question": "Who is looking out of the door {attribute}?", "answer": "The puppy is."}
    made, _ = script(tmp_path, wh, empty="is looking out of")
    assert {pair.kind for pair in made.pairs} == {"obj", "attr", "wh"}
    assert made.missing["rel"].startswith("no negative: 0 of 4")


def test_a_model_writes_what_questions_around_the_slot(tmp_path: Path) -> None:
    wh = {"question": "What looks out of the door {attribute}?", "answer": "The puppy does."}
    made, backends = script(tmp_path, wh)
    positive, negative = (pair for pair in made.pairs if pair.kind == "wh")
    assert positive.written_by == "model"
    question, accepted, rejected = texts(positive.model_dump())
    assert question == "What looks out of the door with a dark green color?"
    assert accepted == "The puppy does." and rejected.startswith("The door is not with a dark")
    question, accepted, rejected = texts(negative.model_dump())
    assert question != texts(positive.model_dump())[0] and rejected == "The puppy does."
    assert accepted.endswith(", but is with a dark green color.")
    [asked] = backends.asked("finer_tuning")
    assert (asked.subject, asked.object) == ("puppy", "door")


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("What is looking out of the door?", "The puppy."),
        ("What {attribute} is looking out of the door {attribute}?", "The puppy."),
        ("What is looking out of the dark green door {attribute}?", "The puppy."),
        ("What color is the door {attribute} the puppy looks out of?", "The puppy."),
        ("What is looking out of the door {attribute}.", "The puppy."),
        ("What is looking out of the door {attribute}?", "Yes, the puppy."),
        ("What is looking out of the door {attribute}?", "The animal."),
    ],
)
def test_a_question_of_wrong_structure_falls_back_to_the_template(
    tmp_path: Path, question: str, answer: str
) -> None:
    made, backends = script(tmp_path, {"question": question, "answer": answer})
    pairs = [pair for pair in made.pairs if pair.kind == "wh"]
    assert [pair.written_by for pair in pairs] == ["template", "template"]
    first = texts(pairs[0].model_dump())
    assert first[0] == "What is looking out of the door with a dark green color?"
    assert len(backends.asked("finer_tuning")) == 2  # once more, told what was wrong


def test_there_are_five_templates_a_kind() -> None:
    assert {kind: len(set(found)) for kind, found in QUESTIONS.items()} == {
        "obj": 5, "attr": 5, "rel": 5,
    }  # fmt: skip
    assert all(text.count("{it}") == 1 for found in QUESTIONS.values() for text in found)
