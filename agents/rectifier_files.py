"""The files of the rectifier: trajectories, what can be learnt from them, and the report."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise

from agents.command import Results
from agents.rectifier_prompt import augmented_prompt, first_prompt
from agents.rectifier_report import RectifierReport, latency, latency_line, lines, markdown
from runtime.files import atomic_writer, write_json, write_jsonl
from schemas.preference import ChatMessage, ImagePart, TextPart
from schemas.trajectory import Feedback, RevisionExample, RewardPrompt, Trajectory


def write_trajectories(results: Results) -> Iterator[str]:
    """Write all files of the run; yield the report's lines."""
    from agents.execute import in_words, write_rejected

    folder = results.directory
    write_jsonl(folder / "trajectories.jsonl", _trajectories(results))
    learnt = write_jsonl(folder / "sft.jsonl", examples(_trajectories(results)))
    write_jsonl(folder / "rl.jsonl", prompts(_trajectories(results)))
    report = RectifierReport(rated=results.settings["rated"])
    for trajectory in _trajectories(results):
        report.add(trajectory)
    rejected = write_rejected(results)
    means = latency(outcome.usage for outcome in results.outcomes())
    found = report.as_dict() | {"rejected": rejected, "sft": learnt}
    write_json(folder / "report.json", found | {"execution": {"latency_s": means}})
    with atomic_writer(folder / "report.md") as file:
        file.write(markdown(report))
    yield from lines(report)
    reasons = in_words(rejected)
    yield (
        f"sft.jsonl: {learnt:,} of {report.revisions:,} revisions, those the critic found better; "
        f"rejected: {reasons or 'none'}"
    )
    yield from latency_line(means)
    if results.settings["text_only"]:
        yield "text only: the captions stood for the images, no image was seen"


def examples(trajectories: Iterable[Trajectory]) -> Iterator[RevisionExample]:
    """Augmented prompts with the next response, where the critic found that one better.

    A revision that the critic was no happier with, or never saw, teaches nothing worth learning.
    """
    for trajectory in trajectories:
        for number, (step, following) in enumerate(pairwise(trajectory.steps), 1):
            if step.feedback and _is_better(following.feedback, step.feedback):
                yield RevisionExample(
                    id=f"{trajectory.id}:revision-{number}",
                    images=_images(trajectory),
                    prompt=(_revision_prompt(trajectory, step.response, step.feedback),),
                    completion=(_message("assistant", following.response),),
                )


def _is_better(after: Feedback | None, before: Feedback) -> bool:
    if after is None:
        return False
    return not after.needs_revision or after.consistency > before.consistency


def prompts(trajectories: Iterable[Trajectory]) -> Iterator[RewardPrompt]:
    """The question of each trajectory, and every augmented prompt: what a policy practises on."""
    for trajectory in trajectories:
        question = first_prompt(trajectory.question, trajectory.caption)
        yield _reward_prompt(trajectory, "answer", _message("user", question, trajectory))
        for number, step in enumerate(trajectory.steps[:-1], 1):
            if step.feedback:
                revision = _revision_prompt(trajectory, step.response, step.feedback)
                yield _reward_prompt(trajectory, f"revision-{number}", revision)


def _reward_prompt(trajectory: Trajectory, name: str, prompt: ChatMessage) -> RewardPrompt:
    return RewardPrompt(
        id=f"{trajectory.id}:{name}",
        images=_images(trajectory),
        prompt=(prompt,),
        question=trajectory.question,
        caption=trajectory.caption,
    )


def _revision_prompt(trajectory: Trajectory, response: str, feedback: Feedback) -> ChatMessage:
    text = augmented_prompt(trajectory.question, response, feedback, trajectory.caption)
    return _message("user", text, trajectory)


def _message(role: str, text: str, shown: Trajectory | None = None) -> ChatMessage:
    image = (ImagePart(),) if shown and shown.caption is None else ()
    return ChatMessage(role=role, content=(*image, TextPart(text=text)))


def _images(trajectory: Trajectory) -> tuple[str, ...]:
    return (trajectory.image,) if trajectory.caption is None else ()


def _trajectories(results: Results) -> Iterator[Trajectory]:
    for outcome in results.outcomes():
        if outcome.value is not None:
            yield Trajectory.model_validate(outcome.value)
