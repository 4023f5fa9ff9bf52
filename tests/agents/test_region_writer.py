"""The region writer: places, drafts, checks of texts, and the command on given boxes."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from agents import region_writer
from agents.base import AgentContext
from agents.region_checks import problem
from agents.region_draft import draft
from agents.region_layout import Layout, layouts, position, relation
from agents.region_texts import BY_TEMPLATE, REFUSED, write_texts
from agents.region_writer import RegionWriter, main
from backends.detectors import Detection
from backends.rules.caption_parser import parse
from backends.rules.region_writer import write
from prompts import load_prompt
from runtime.errors import ToolkitError
from schemas.finer import CaptionInput
from schemas.region import RegionText
from schemas.region_writing import (
    CaptionedImage,
    CaptionRow,
    ImageRegions,
    RegionQuestion,
    RegionTextAnswer,
    RegionWriterInput,
)
from schemas.scene_graph import SceneGraph
from tests.agents.scripted import ScriptedBackends
from tests.e2e.commands import rows, run, write_config
from tests.servers.openai_server import Settings, running

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


class Finder:
    """A detector that finds everything in one place, and notes what it was asked for."""

    name = "finder"

    def __init__(self) -> None:
        self.asked: list[str] = []

    def load(self) -> None:
        pass

    def detect(self, image: Path, labels: Sequence[str]) -> list[Detection]:
        self.asked += labels
        return [Detection((n, n, n + 50, n + 50), one, 0.9) for n, one in enumerate(labels)]


def answers(*replies: dict[int, str]) -> Any:
    """A model that gives these texts by region, one reply a call."""
    left = list(replies)
    return lambda _: {"texts": [{"region": n, "text": t} for n, t in left.pop(0).items()]}


def work(
    folder: Path, reply: Any, agent: RegionWriter | None = None, **changes: Any
) -> tuple[ImageRegions, AgentContext, ScriptedBackends]:
    Image.new("RGB", (WIDTH, HEIGHT)).save(folder / "a.png")
    row = {**graph(CAPTION).model_dump(), "caption": CAPTION}
    item = CaptionedImage.model_validate(
        {"id": "a", "image": "a.png", "captions": [row], "boxes": (DOG, LEFT_CAT, RIGHT_CAT)}
        | changes
    )
    parser = {"objects": [], "relations": []}
    backends = ScriptedBackends(
        {"region_writer": reply, "caption_parser": lambda _: parser}, folder
    )
    context = AgentContext(backends, folder=folder)
    return asyncio.run((agent or RegionWriter()).run(item, context)), context, backends


GOOD = {0: "A brown dog lying on a sofa.", 1: "a sleeping cat", 2: "a cat on the right"}


def test_good_texts_cost_one_call(tmp_path: Path) -> None:
    found, context, backends = work(tmp_path, answers(GOOD))
    assert [(one.box, one.text, one.source) for one in found.regions] == [
        (DOG.box, "a brown dog lying on a sofa", "test"),
        (LEFT_CAT.box, "a sleeping cat", "test"),
        (RIGHT_CAT.box, "a cat on the right", "test"),
    ]
    [asked] = backends.asked("region_writer")
    assert [one.where for one in asked.regions] == [None, "on the left", "on the right"]
    assert context.answers[REFUSED] == context.answers[BY_TEMPLATE] == 0
    assert backends.backend.requests[0].images == ()


def test_a_refused_text_is_asked_for_again_alone_and_then_left_to_the_template(
    tmp_path: Path,
) -> None:
    first = GOOD | {0: "a black dog", 2: "a sleeping kitten toy"}
    second = {0: "a brown dog", 1: "a striped cat"}
    found, context, backends = work(tmp_path, answers(first, second))
    texts = [one.text for one in found.regions]
    assert texts == ["a brown dog", "a sleeping cat", "the white cat on the right"]
    _, again = backends.asked("region_writer")
    assert [one.label for one in again.regions] == ["dog", "cat"]
    assert "'black'" in again.regions[0].problem
    assert (context.answers[REFUSED], context.answers[BY_TEMPLATE]) == (2, 1)


@pytest.mark.parametrize(
    "reply", [{}, {0: "a dog"}, GOOD | {3: "a cat"}, GOOD | {0: ""}, GOOD | {0: "x" * 201}]
)
def test_answers_that_do_not_fit_leave_all_to_the_template(
    tmp_path: Path, reply: dict[int, str]
) -> None:
    found, context, backends = work(tmp_path, answers(*[reply] * 4))
    assert [one.text for one in found.regions] == [
        "a brown dog with a red collar",
        "the white cat on the left",
        "the white cat on the right",
    ]
    assert (context.answers[REFUSED], context.answers[BY_TEMPLATE]) == (3, 3)
    assert len(backends.asked("region_writer")) == 4  # each with its correction turn


def test_a_refusing_model_fails_the_record(tmp_path: Path) -> None:
    _, context, backends = work(tmp_path, answers(GOOD))
    backends.backend._answer = lambda *_: {"$fault": "refused"}
    with pytest.raises(ToolkitError) as raised:
        asyncio.run(write_texts(questions([DOG], CAPTION), CAPTION, context))
    assert raised.value.kind == "refused"


def test_many_regions_take_several_calls(tmp_path: Path) -> None:
    def reply(asked: RegionWriterInput) -> dict[str, Any]:
        return {"texts": [{"region": n, "text": "a dog"} for n in range(len(asked.regions))]}

    boxes = [region("dog", 0, 0, 30 + 5 * n, 30 + 5 * n) for n in range(45)]
    found, _, backends = work(tmp_path, reply, boxes=boxes)
    assert len(found.regions) == 45
    assert sorted(len(one.regions) for one in backends.asked("region_writer")) == [5, 20, 20]
    bare = CaptionRow.model_validate(BARE)
    item = CaptionedImage(id="a", image="a.png", captions=(bare,), boxes=tuple(boxes))
    assert RegionWriter().estimate(item) == {"region_writer": 6, "caption_parser": 2}


def test_the_detector_is_asked_for_what_the_caption_names(tmp_path: Path) -> None:
    finder = Finder()

    def reply(asked: RegionWriterInput) -> dict[str, Any]:
        return write(asked).model_dump()

    found, _, _ = work(tmp_path, reply, RegionWriter(finder), boxes=None)
    assert finder.asked == ["dog", "collar", "sofa", "cat"]
    assert {one.source for one in found.regions} == {"finder"}
    assert found.regions[0].text == "a brown dog with a red collar"
    # A caption that names nothing gives nothing.
    found, _, backends = work(tmp_path, reply, RegionWriter(finder), boxes=None, captions=[BARE])
    assert found.regions == () and backends.asked("region_writer") == []


def test_boxes_are_cut_at_the_image_and_refused_outside(tmp_path: Path) -> None:
    beyond = [region("dog", 250, 250, 400, 400)]
    found, _, _ = work(tmp_path, answers({0: "a dog"}), boxes=beyond)
    assert found.regions[0].box == (250, 250, 300, 300)
    with pytest.raises(ToolkitError, match="not in the image of 300 x 300") as raised:
        work(tmp_path, answers({}), boxes=[region("dog", 300, 0, 400, 10)])
    assert raised.value.kind == "image"


def write_inputs(folder: Path, captions: Sequence[Any], boxes: Sequence[Any]) -> tuple[Path, Path]:
    (folder / "images").mkdir()
    for name in ("a", "b", "c"):
        Image.new("RGB", (WIDTH, HEIGHT)).save(folder / f"images/{name}.png")
    paths = folder / "captions.jsonl", folder / "images/boxes.jsonl"
    for path, said in zip(paths, (captions, boxes), strict=True):
        path.write_text("".join(json.dumps(row) + "\n" for row in said))
    return paths


CAPTIONS = [
    {"id": "1", "image": "images/a.png", "caption": "A brown dog", "split": "train"},
    {"id": "2", "image": "images/a.png", "caption": "A dog with a red collar."},
    {"id": "3", "image": "images/b.png", "caption": "Grass."},
    {"id": "4", "image": "images/c.png", "caption": "A dog.",
     "objects": [{"name": "dog", "attributes": ["a black color"]}]},
    {"id": "5", "image": "images/none.png", "caption": "A dog."},
]  # fmt: skip
BOXES = [
    {"image": name, "box": [10, 20, 110, 120], "text": "dog", "source": "yolo"}
    for name in ("a.png", "c.png", "none.png")
]


def test_the_command_on_given_boxes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source, boxes = write_inputs(tmp_path, CAPTIONS, BOXES)
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps({"run": {"cache": str(tmp_path / "cache")}}))
    command = [str(source), "--boxes", str(boxes), "--output", str(tmp_path / "out/run")]
    command += ["--config", str(config), "--max-error-rate", "1"]
    assert main(command) == 0
    out = tmp_path / "out/run"
    assert rows(out / "regions.jsonl") == [
        {"image": "../../images/a.png", "box": [10, 20, 110, 120],
         "text": "a dog with a red collar", "source": "yolo"},
        {"image": "../../images/c.png", "box": [10, 20, 110, 120],
         "text": "a black dog", "source": "yolo"},
    ]  # fmt: skip
    [refused] = rows(out / "rejected.jsonl")
    assert (refused["id"], refused["kind"]) == ("5", "image")
    said = capsys.readouterr().out
    assert "2 regions of 2 images in regions.jsonl; images without any: 1; " in said
    assert "rejected: 1 image" in said
    # Other boxes are another run.
    boxes.write_text(boxes.read_text().replace("dog", "cat"))
    assert main(command) == 2
    assert "--overwrite" in capsys.readouterr().err


def test_captions_of_an_image_stand_together(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, boxes = write_inputs(tmp_path, [*CAPTIONS, CAPTIONS[0] | {"id": "6"}], BOXES)
    assert main([str(source), "--boxes", str(boxes), "--output", str(tmp_path / "out")]) == 2
    said = capsys.readouterr().err
    assert "captions.jsonl:6: image: 'images/a.png' was already used in line 1" in said
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("row", "said"),
    [
        (BOXES[0] | {"text": "x" * 101}, "boxes.jsonl:2: text: expected a label of at most 100"),
        (BOXES[0] | {"box": [5, 5, 5, 9]}, "boxes.jsonl:2: "),
        ({"image": "a.png"}, "boxes.jsonl:2: "),
    ],
)
def test_bad_boxes_are_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], row: Any, said: str
) -> None:
    source, boxes = write_inputs(tmp_path, CAPTIONS, [BOXES[0], row])
    assert main([str(source), "--boxes", str(boxes), "--output", str(tmp_path / "out")]) == 2
    assert said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_without_torch_the_detector_says_what_to_install(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    source, _ = write_inputs(tmp_path, CAPTIONS, BOXES)
    monkeypatch.setattr("backends.detectors.find_spec", lambda name: None)
    assert main([str(source), "--output", str(tmp_path / "out")]) == 3
    assert 'pip install "grainwise[train]"' in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_given_boxes_are_never_overwritten(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, boxes = write_inputs(tmp_path, CAPTIONS, BOXES)
    out = tmp_path / "out"
    out.mkdir()
    boxes = boxes.rename(out / "regions.jsonl")
    before = boxes.read_bytes()
    words = [str(source), "--boxes", str(boxes), "--output", str(out)]
    assert main([*words, "--overwrite"]) == 2
    assert "regions.jsonl stands in the output directory" in capsys.readouterr().err
    assert (out / "regions.jsonl").read_bytes() == before


def test_a_minimum_score_is_for_a_detector(capsys: pytest.CaptureFixture[str]) -> None:
    words = ["a.jsonl", "--output", "out", "--boxes", "b.jsonl", "--min-score", "0.5"]
    assert main(words) == 2
    assert "--min-score: not allowed with argument --boxes" in capsys.readouterr().err


def test_a_detector_that_cannot_be_loaded_stops_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, _ = write_inputs(tmp_path, CAPTIONS, BOXES)
    (tmp_path / "model").mkdir()
    words = [str(source), "--output", str(tmp_path / "out")]
    assert main([*words, "--detector", str(tmp_path / "model")]) == 3
    assert "cannot be loaded" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_boxes_and_a_detector_exclude_each_other(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["a.jsonl", "--output", "out", "--boxes", "b.jsonl", "--detector", "m"])
    assert "not allowed with" in capsys.readouterr().err


def test_a_run_with_the_detector_is_named_by_its_settings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The whole command with a detector; the network itself has its own tests."""
    source, _ = write_inputs(tmp_path, CAPTIONS[:3], BOXES)
    made: list[tuple[Any, ...]] = []

    def detector(*arguments: Any) -> Finder:
        made.append(arguments)
        return Finder()

    monkeypatch.setattr(region_writer, "GroundingDino", detector)
    out = tmp_path / "out"
    assert main([str(source), "--output", str(out), "--min-score", "0.5"]) == 0
    assert made == [("IDEA-Research/grounding-dino-tiny", 0.5)]
    found = rows(out / "regions.jsonl")
    assert [row["text"] for row in found] == ["a dog with a red collar", "a red collar"]
    assert {row["source"] for row in found} == {"finder"}
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["settings"] == {"detector": made[0][0], "min_score": 0.5}


def test_a_server_writes_the_texts(tmp_path: Path) -> None:
    source, boxes = write_inputs(tmp_path, CAPTIONS[:3], BOXES)
    with running(Settings(answers="rules")) as (local, api_base):
        config = write_config(tmp_path, api_base.removesuffix("/v1"))
        out = tmp_path / "out"
        command = ["agents.region_writer", source, "--boxes", boxes, "--output", out]
        command += ["--config", config, "--backend", "caption_parser=rules"]
        done = run(*command)
        assert done.returncode == 0, done.stderr
        assert [row["text"] for row in rows(out / "regions.jsonl")] == ["a dog with a red collar"]
        [body] = local.bodies
        assert "region" in json.dumps(body["response_format"])
        # The same command has nothing left to ask.
        assert run(*command).returncode == 0 and len(local.bodies) == 1
