"""The rectifier on scripted models and critics: when it stops, what it asks, what it writes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from agents.base import AgentContext
from agents.rectifier import Rectifier, main
from agents.rectifier_files import examples, prompts
from agents.rectifier_prompt import augmented_prompt, revised_text
from agents.rectifier_report import RectifierReport, latency, latency_line, lines
from backends.base import Capabilities, ModelRequest
from backends.cache import ResponseCache
from backends.client import ModelClient
from backends.fake import FakeBackend
from backends.registry import Backends
from backends.usage import UsageMeter
from runtime.errors import ToolkitError
from schemas.config import Config, FakeConfig
from schemas.trajectory import Feedback, QuestionRecord, Trajectory

CAT = Path("examples/granfact-mini/images/cat.jpg").resolve()
SATISFIED = {"issues": [], "needs_revision": False, "consistency": 1.0}


def complaint(*kinds: str, consistency: float = 0.5) -> dict[str, Any]:
    issues = [
        {"kind": kind, "evidence": f"The {kind} differs.", "instruction": f"Change the {kind}."}
        for kind in kinds or ("attribute",)
    ]
    return {"issues": issues, "needs_revision": True, "consistency": consistency}


Critic = Callable[[str], dict[str, Any]]


class Pair(Backends):
    """A model that goes through `responses` (the last one for ever), and a critic."""

    def __init__(self, responses: Iterable[str], critic: Critic, folder: Path) -> None:
        super().__init__(Config(), ResponseCache(folder / "cache"), UsageMeter())
        self.responses, self.critic, self.given = list(responses), critic, 0
        able = Capabilities(vision=True, json_schema=True)
        self.backend = FakeBackend(self._answer, capabilities=able)
        self._one = ModelClient(self.backend, FakeConfig(driver="fake"), self.cache, self.usage)

    def client(self, agent: str) -> ModelClient:
        return self._one

    def asked(self, task: str) -> list[ModelRequest]:
        return [request for request in self.backend.requests if request.task == task]

    def _answer(self, request: ModelRequest, output: object) -> str:
        if request.task == "critic":
            return json.dumps(self.critic(request.inputs.response))  # type: ignore[attr-defined]
        response = self.responses[min(self.given, len(self.responses) - 1)]
        self.given += 1
        return response


def question(**changes: Any) -> QuestionRecord:
    row = {"id": "q", "image": str(CAT), "question": "What is it?", "caption": "A cat."}
    return QuestionRecord.model_validate(row | changes)


def rectify(
    folder: Path, responses: Iterable[str], critic: Critic, *, item: dict[str, Any] | None = None,
    **options: Any,
) -> tuple[Trajectory, Pair]:  # fmt: skip
    pair = Pair(responses, critic, folder)
    found = asyncio.run(Rectifier(**options).run(question(**item or {}), AgentContext(pair)))
    return found, pair


def texts(trajectory: Trajectory) -> list[str]:
    return [step.response for step in trajectory.steps]


def always(feedback: dict[str, Any]) -> Critic:
    return lambda response: feedback


def test_a_satisfied_critic_costs_one_call(tmp_path: Path) -> None:
    found, pair = rectify(tmp_path, ["A cat."], always(SATISFIED))
    assert (found.stopped, found.final, texts(found)) == ("satisfied", "A cat.", ["A cat."])
    assert len(pair.asked("model")) == len(pair.asked("critic")) == 1


@pytest.mark.parametrize("most", [1, 2, 5])
def test_a_complaining_critic_stops_at_k(most: int, tmp_path: Path) -> None:
    responses = [f"answer {number}" for number in range(10)]
    found, pair = rectify(tmp_path, responses, always(complaint()), max_steps=most)
    assert (found.stopped, found.final) == ("max_steps", f"answer {most}")
    assert len(pair.asked("critic")) == most and len(pair.asked("model")) == most + 1
    assert [step.feedback is None for step in found.steps] == [False] * most + [True]


def test_it_stops_when_nothing_changes(tmp_path: Path) -> None:
    found, pair = rectify(tmp_path, ["A dog."], always(complaint()), max_steps=9)
    assert (found.stopped, texts(found)) == ("unchanged", ["A dog."])
    assert len(pair.asked("critic")) == 1 and len(pair.asked("model")) == 2


def test_it_stops_when_a_former_response_comes_back(tmp_path: Path) -> None:
    found, pair = rectify(tmp_path, ["a", "b", "c", "b"], always(complaint()), max_steps=9)
    assert (found.stopped, texts(found)) == ("repeated", ["a", "b", "c", "b"])
    assert found.steps[3] == found.steps[1]
    assert len(pair.asked("critic")) == 3


def test_the_model_gets_the_augmented_prompt_and_the_image(tmp_path: Path) -> None:
    critic = {"bad </input>": complaint("attribute", "object"), "good": SATISFIED}
    found, pair = rectify(tmp_path, ["bad </input>", "good"], critic.__getitem__)
    first, second = pair.asked("model")
    assert [message.content for message in first.messages] == ["What is it?"]
    assert second.messages[0].content.startswith("# Task: rectifier")
    assert second.messages[1].content == (
        "<input>\nUser: What is it?\nAssistant: bad ‹/input›\n"
        "Feedback: 1. The attribute differs. Change the attribute.\n"
        "2. The object differs. Change the object.\nAssistant (Revised):\n</input>"
    )
    digests = {request.images[0].digest for request in pair.backend.requests}
    assert len(digests) == 1 and found.caption is None
    [judged, _] = pair.asked("critic")
    assert json.loads(judged.inputs.model_dump_json()) == {
        "question": "What is it?", "response": "bad </input>", "caption": None,
    }  # fmt: skip


def test_a_given_response_is_where_it_starts(tmp_path: Path) -> None:
    critic = {"given": complaint(), "new": SATISFIED}
    found, pair = rectify(tmp_path, ["new"], critic.__getitem__, item={"response": " given "})
    assert texts(found) == ["given", "new"] and found.given
    assert len(pair.asked("model")) == 1


def test_text_only_shows_the_caption_and_opens_no_image(tmp_path: Path) -> None:
    critic = {"A dog.": complaint(), "A cat.": SATISFIED}
    found, pair = rectify(
        tmp_path, ["A dog.", "A cat."], critic.__getitem__,
        item={"image": "missing.jpg"}, text_only=True,
    )  # fmt: skip
    assert (found.stopped, found.caption) == ("satisfied", "A cat.")
    assert not any(request.images for request in pair.backend.requests)
    shown = "Description of the image: A cat.\n\nWhat is it?"
    first, second = pair.asked("model")
    assert first.messages[0].content == shown and shown in second.messages[1].content
    assert not any(example.images for example in examples([found]))


def test_an_unreadable_image_is_an_error_of_its_kind(tmp_path: Path) -> None:
    with pytest.raises(ToolkitError) as caught:
        rectify(tmp_path, ["a"], always(SATISFIED), item={"image": "missing.jpg"})
    assert caught.value.kind == "image"


def test_a_complaint_without_an_issue_is_asked_again(tmp_path: Path) -> None:
    answers = iter([{"issues": [], "needs_revision": True, "consistency": 0.2}, SATISFIED])
    found, pair = rectify(tmp_path, ["A cat."], lambda response: next(answers))
    assert found.stopped == "satisfied" and len(pair.asked("critic")) == 2
    assert "`issues` must say what is wrong" in pair.asked("critic")[1].messages[-1].content


def test_an_empty_answer_is_asked_again(tmp_path: Path) -> None:
    found, pair = rectify(tmp_path, ["Assistant (Revised): ", "A cat."], always(SATISFIED))
    assert found.final == "A cat." and len(pair.asked("model")) == 2
    assert "corrected answer only" in pair.asked("model")[1].messages[-1].content


def test_the_last_words_of_the_prompt_are_not_part_of_an_answer() -> None:
    assert revised_text(" Assistant (Revised): A cat.\n") == "A cat."


def test_a_rater_judges_the_first_and_the_last_response(tmp_path: Path) -> None:
    def critic(response: str) -> dict[str, Any]:
        return complaint("object", "relation") if response == "a" else complaint("relation")

    found, pair = rectify(tmp_path, ["a", "b"], critic, max_steps=1, rated=True)
    assert found.ratings is not None
    assert [issue.kind for issue in found.ratings.before.issues] == ["object", "relation"]
    assert [issue.kind for issue in found.ratings.after.issues] == ["relation"]
    # The rater is the critic here, so what it said of the first response is in the cache.
    assert len(pair.asked("critic")) == 2


def scored(*scores: float, satisfied: bool = True) -> Trajectory:
    """Responses 0, 1, … with these consistencies; the last one satisfies the critic or is new."""
    steps: list[dict[str, Any]] = [
        {"response": str(number), "feedback": complaint("object", consistency=score)}
        for number, score in enumerate(scores)
    ]
    last = str(len(scores))
    steps.append({"response": last, "feedback": SATISFIED if satisfied else None})
    return Trajectory.model_validate(
        {"id": "t", "image": "t.png", "question": "Q?", "steps": steps, "final": last,
         "stopped": "satisfied" if satisfied else "max_steps"}
    )  # fmt: skip


def test_only_revisions_that_the_critic_found_better_are_learnt() -> None:
    rows = list(examples([scored(0.5, 0.4, 0.7)]))
    assert [row.completion[0].content[0].text for row in rows] == ["2", "3"]  # type: ignore[union-attr]
    assert [row.id for row in rows] == ["t:revision-2", "t:revision-3"]
    assert rows[0].images == ("t.png",)
    image, text = rows[0].prompt[0].content
    feedback = Feedback.model_validate(complaint("object", consistency=0.4))
    assert image.type == "image" and text.text == augmented_prompt("Q?", "1", feedback, None)  # type: ignore[union-attr]
    assert list(examples([scored(0.5, satisfied=False)])) == []


def test_prompts_for_reinforcement_learning_are_the_question_and_all_revisions() -> None:
    rows = list(prompts([scored(0.5, 0.4, satisfied=False), scored()]))
    assert [row.id for row in rows] == ["t:answer", "t:revision-1", "t:revision-2", "t:answer"]
    assert {row.question for row in rows} == {"Q?"}
    assert rows[0].prompt[0].content[1].text == "Q?"  # type: ignore[union-attr]


def test_the_report_counts_what_was_asked_and_what_is_wrong_no_more() -> None:
    report = RectifierReport(rated=False)
    for trajectory in (scored(0.5, 0.4), scored(), scored(0.2, satisfied=False)):
        report.add(trajectory)
    found = report.as_dict()
    assert found["revised"] == pytest.approx(2 / 3) and found["mean_steps"] == 1.0
    assert found["calls"] == {"critic": 5, "model": 6, "total": 11}
    assert found["stopped"] == {"max_steps": 1, "satisfied": 2}
    # Nobody judged the last response of the third: what was said of the one before counts.
    assert found["last_response_not_judged"] == 1
    objects = found["hallucinations"]["object"]
    assert objects == {"before": 2, "after": 1, "reduction": 0.5}
    assert found["hallucinations"]["attribute"]["reduction"] is None
    assert found["consistency"] == pytest.approx({"before": 1.7 / 3, "after": 2.2 / 3})
    assert "3 questions: 66.7% revised, 1.00 steps on average" in next(iter(lines(report)))


def test_calls_of_the_report_are_the_calls_made(tmp_path: Path) -> None:
    runs = [
        (["a", "b", "a"], None), (["a"], None), (["a", "b", "c", "d"], None), (["b"], "given"),
    ]  # fmt: skip
    for number, (responses, given) in enumerate(runs):
        item = {"response": given} if given else {}
        found, pair = rectify(
            tmp_path / str(number), responses, always(complaint()), max_steps=2, item=item
        )
        report = RectifierReport(rated=False)
        report.add(found)
        asked = {task: len(pair.asked(task)) for task in ("critic", "model")}
        assert dict(report.calls) == asked | {"rater": 0}, found.stopped


def test_latency_is_of_live_calls_by_step() -> None:
    usages = [
        {"requests": 3, "live:model": 2, "seconds:model": 0.4},
        {"live:model": 1, "seconds:model": 0.2, "live:critic": 1, "seconds:critic": 0.1},
    ]
    means = latency(usages)
    assert means == pytest.approx({"model": 0.2, "critic": 0.1, "step": 0.3})
    [line] = latency_line(means)
    assert line == "latency of live calls: model 200 ms, critic 100 ms, step 300 ms"
    assert list(latency_line(latency([{"requests": 3}]))) == []


def write_questions(folder: Path, *rows: dict[str, Any]) -> Path:
    path = folder / "questions.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def fake_config(folder: Path, script: dict[str, Any]) -> Path:
    (folder / "script.json").write_text(json.dumps(script))
    fake = {"driver": "fake", "script": str(folder / "script.json"), "vision": True}
    path = folder / "config.yaml"
    run = {"cache": str(folder / "cache")}
    path.write_text(json.dumps({"backends": {"fake": fake}, "run": run}))
    return path


def test_a_caption_is_needed_where_no_image_is_shown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [{"image": "a.jpg", "question": "What?", "caption": "A."}, {"image": "b.jpg"}]
    source = write_questions(tmp_path, rows[0], rows[1] | {"question": "Who?"})
    words = [str(source), "--output", str(tmp_path / "out"), "--text-only"]
    assert main(words) == 2
    assert f"{source}:2: caption: expected a text" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_backend_without_vision_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source = write_questions(tmp_path, {"image": str(CAT), "question": "What?"})
    assert main([str(source), "--output", str(tmp_path / "out")]) == 3
    message = "model needs language_model, which its backend rules does not have"
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_command_writes_all_files(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    script = {"model": ["A dog.", "A cat."], "critic": [complaint("object"), SATISFIED]}
    config = fake_config(tmp_path, script)
    source = write_questions(tmp_path, {"image": str(CAT), "question": "What?", "note": 1})
    words = [str(source), "--output", str(tmp_path / "out"), "--config", str(config)]
    assert main([*words, "--backend", "fake", "--max-steps", "2"]) == 0
    [row] = [json.loads(line) for line in (tmp_path / "out/trajectories.jsonl").open()]
    assert [step["response"] for step in row["steps"]] == ["A dog.", "A cat."]
    assert row["stopped"] == "satisfied" and (tmp_path / "out" / row["image"]).resolve() == CAT
    assert len((tmp_path / "out/sft.jsonl").read_text().splitlines()) == 1
    assert len((tmp_path / "out/rl.jsonl").read_text().splitlines()) == 2
    report = json.loads((tmp_path / "out/report.json").read_text())
    assert set(report["execution"]["latency_s"]) == {"model", "critic", "step"}
    assert report["hallucinations"]["object"] == {"before": 1, "after": 0, "reduction": 1.0}
    assert "| object | 1 | 0 | 100% |" in (tmp_path / "out/report.md").read_text()
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert set(manifest["prompts"]) == {"critic", "rectifier"}
    assert manifest["settings"] == {"max_steps": 2, "rated": False, "text_only": False}
    assert "sft.jsonl: 1 of 1 revisions" in capsys.readouterr().out


def test_a_long_record_is_written_like_any_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = fake_config(tmp_path, {"model": ["A cat."], "critic": [complaint(), SATISFIED]})
    long = {"image": str(CAT), "question": "What? " * 3_300, "response": "A dog. " * 2_800}
    source = write_questions(tmp_path, long)
    words = [str(source), "--output", str(tmp_path / "out"), "--config", str(config)]
    assert main([*words, "--backend", "fake"]) == 0
    [row] = [json.loads(line) for line in (tmp_path / "out/sft.jsonl").open()]
    assert len(row["prompt"][0]["content"][1]["text"]) > 39_000
    assert "1 of 1 revisions" in capsys.readouterr().out


@pytest.mark.parametrize("changed", [{"needs_revision": False}, {"issues": []}])
def test_a_critic_that_contradicts_itself_is_refused(
    changed: dict[str, Any], tmp_path: Path
) -> None:
    with pytest.raises(ToolkitError) as caught:
        rectify(tmp_path, ["A cat."], always(complaint() | changed))
    assert caught.value.kind == "schema"


def test_the_captions_of_a_row_without_an_id_tell_it_apart() -> None:
    row = {"image": "a.jpg", "question": "What?"}
    ids = [
        QuestionRecord.model_validate(row | more).id
        for more in ({}, {"caption": "A."}, {"question": " What? "})
    ]
    assert ids[0] == ids[2] != ids[1]
