"""The region writer: its calls, and the command on given boxes and with a detector."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from agents import region_writer
from agents.base import AgentContext
from agents.region_texts import BY_TEMPLATE, REFUSED, write_texts
from agents.region_writer import RegionWriter, main
from backends.detectors import Detection
from backends.rules.region_writer import write
from runtime.errors import ToolkitError
from schemas.region_writing import (
    CaptionedImage,
    CaptionRow,
    ImageRegions,
    RegionWriterInput,
)
from tests.agents.scripted import ScriptedBackends
from tests.agents.test_region_texts import (
    BARE,
    CAPTION,
    DOG,
    HEIGHT,
    LEFT_CAT,
    RIGHT_CAT,
    WIDTH,
    graph,
    questions,
    region,
)
from tests.e2e.commands import rows, run, write_config
from tests.servers.openai_server import Settings, running


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
