"""Rectifier: a response, corrected until a critic is satisfied (FGAM section 3.3, spec 5.2).

`python -m agents.rectifier questions.jsonl --backend model=NAME --backend critic=NAME --output DIR`
asks a vision model each question, shows image, question and response to a critic, and gives what
it says back to the model, up to K times. It writes all responses and feedback to
`trajectories.jsonl`, and what can be learnt from them to `sft.jsonl` and `rl.jsonl`.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from agents.base import Agent, AgentContext, gather
from agents.command import CaptionedCommand, Flags, moved, require_caption
from agents.critic import STEP as CRITIC
from agents.critic import critique
from agents.rectifier_files import write_trajectories
from agents.rectifier_prompt import augmented_prompt, first_prompt, revised_text
from backends.base import ImageInput, Message, ModelRequest, PlainText, Sampling
from runtime.command_line import positive_int
from runtime.errors import ToolkitError
from schemas.config import Config
from schemas.trajectory import (
    CriticInput,
    Feedback,
    QuestionRecord,
    Ratings,
    Step,
    Stopped,
    Trajectory,
)

MODEL, RATER = "model", "rater"
MAX_STEPS = 3
_LONGEST = 20_000
"""Characters that a response may have."""


class Rectifier(Agent[QuestionRecord, Trajectory]):
    """The loop over one question. With `rated`, a rater judges the first and the last response."""

    name = "rectifier"

    def __init__(
        self, max_steps: int = MAX_STEPS, rated: bool = False, text_only: bool = False
    ) -> None:
        self.max_steps, self.rated, self.text_only = max_steps, rated, text_only
        self.steps = (MODEL, CRITIC, RATER) if rated else (MODEL, CRITIC)
        able = {"language_model"} if text_only else {"language_model", "vision"}
        self.needs: Mapping[str, set[str]] = dict.fromkeys(self.steps, able)
        self.settings = {"max_steps": max_steps, "rated": rated, "text_only": text_only}

    async def run(self, item: QuestionRecord, context: AgentContext) -> Trajectory:
        """Raises ToolkitError when the image cannot be read or a backend gives no answer."""
        images = () if self.text_only else (await context.image(item.image),)
        caption = require_caption(item.caption, item.id) if self.text_only else None
        loop = _Loop(item, images, caption, context)
        steps, stopped = await loop.run(self.max_steps)
        first, final = steps[0].response, steps[-1].response
        ratings = None
        if self.rated:
            before, after = await gather(loop.judge(text, RATER) for text in (first, final))
            ratings = Ratings(before=before, after=after)
        return Trajectory(
            id=item.id,
            image=item.image,
            question=item.question,
            caption=loop.caption,
            steps=tuple(steps),
            final=final,
            stopped=stopped,
            ratings=ratings,
            given=item.response is not None,
        )

    def estimate(self, item: QuestionRecord) -> dict[str, int]:
        """Upper bounds: every loop goes to its last step."""
        answers = self.max_steps + (item.response is None)
        return {MODEL: answers, CRITIC: self.max_steps, RATER: 2}


@dataclass(frozen=True)
class _Loop:
    """One question with what stands for its image: the image itself, or a caption."""

    item: QuestionRecord
    images: tuple[ImageInput, ...]
    caption: str | None
    context: AgentContext

    async def run(self, max_steps: int) -> tuple[list[Step], Stopped]:
        """All responses in order, each with its feedback; the last of `max_steps` has none."""
        response = self.item.response or await self._answer()
        steps: list[Step] = []
        for _ in range(max_steps):
            feedback = await self.judge(response)
            steps.append(Step(response=response, feedback=feedback))
            if not feedback.needs_revision:
                return steps, "satisfied"
            response = await self._revise(response, feedback)
            if response == steps[-1].response:
                return steps, "unchanged"
            known = next((step for step in steps if step.response == response), None)
            if known is not None:
                return [*steps, known], "repeated"
        return [*steps, Step(response=response, feedback=None)], "max_steps"

    async def judge(self, response: str, step: str = CRITIC) -> Feedback:
        asked = CriticInput(question=self.item.question, response=response, caption=self.caption)
        return await critique(asked, self.images, self.context, step)

    async def _answer(self) -> str:
        question = first_prompt(self.item.question, self.caption)
        return await self._ask("1", Message(role="user", content=question))

    async def _revise(self, response: str, feedback: Feedback) -> str:
        prompt = self.context.prompt(Rectifier.name)
        text = augmented_prompt(self.item.question, response, feedback, self.caption)
        closed = text.replace("</input>", "‹/input›")
        return await self._ask(
            prompt.version,
            Message(role="system", content=prompt.text),
            Message(role="user", content=f"<input>\n{closed}\n</input>"),
        )

    async def _ask(self, version: str, *messages: Message) -> str:
        profile = self.context.profile(MODEL)
        request = ModelRequest(
            task=MODEL,
            prompt_version=version,
            inputs=PlainText(text=messages[-1].content),
            messages=messages,
            images=self.images,
            sampling=Sampling(
                temperature=profile.temperature,
                max_tokens=profile.max_tokens,
                seed=self.context.seed,
            ),
        )
        answer = await self.context.send(MODEL, request, PlainText, _check_length)
        return revised_text(answer.value.text)


def _check_length(answer: PlainText) -> None:
    length = len(revised_text(answer.text))
    if not 0 < length <= _LONGEST:
        expected = f"expected 1 to {_LONGEST:,} characters"
        raise ToolkitError("semantic", f"{expected}, got {length:,}")


def _add_flags(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("--max-steps", metavar="K", type=positive_int, default=MAX_STEPS,
        help="ask the critic at most K times about a question (default: %(default)s)")  # fmt: skip
    add("--rate-with", metavar="BACKEND",
        help="count the hallucinations of the first and the last responses with this backend: "
        "the critic's own, or a second judge")  # fmt: skip
    add("--text-only", action="store_true",
        help="show the captions in place of the images, to models without vision")  # fmt: skip


def _agent(own: Namespace, _: Config) -> Rectifier:
    return Rectifier(own.max_steps, own.rate_with is not None, own.text_only)


def _backends(own: Namespace) -> tuple[str, ...]:
    return (f"{RATER}={own.rate_with}",) if own.rate_with else ()


COMMAND = CaptionedCommand(
    Rectifier(),
    "agents.rectifier",
    "Correct a model's responses step by step with a critic, and keep what can be learnt from it.",
    QuestionRecord,
    moved,
    ("trajectories.jsonl", "sft.jsonl", "rl.jsonl", "report.json", "report.md"),
    write_trajectories,
    Flags(_add_flags, _agent, _backends),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run this agent as a command."""
    return COMMAND.main(argv)


if __name__ == "__main__":
    sys.exit(main())
