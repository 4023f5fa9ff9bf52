"""Texts of regions from a model: asked for, checked, asked for again, or left to the template."""

from __future__ import annotations

from collections.abc import Sequence

from agents.base import AgentContext
from agents.region_checks import problem
from runtime.errors import ToolkitError
from schemas.region_writing import RegionQuestion, RegionTextAnswer, RegionWriterInput

REFUSED, BY_TEMPLATE = "texts refused", "texts by template"
"""What a record's usage counts, besides calls and tokens."""


async def write_texts(
    questions: Sequence[RegionQuestion], caption: str, context: AgentContext
) -> list[str]:
    """A text for each region: the model's first or second one, else the template's.

    Raises ToolkitError where the model did not answer at all.
    """
    texts = await _ask(questions, caption, context)
    problems = {
        place: why
        for place, question in enumerate(questions)
        if (why := _refusal(texts.get(place), question, caption))
    }
    if problems:
        context.answers[REFUSED] += len(problems)
        again = [
            questions[place].model_copy(update={"problem": why}) for place, why in problems.items()
        ]
        second = await _ask(again, caption, context)
        for number, place in enumerate(problems):
            if _refusal(second.get(number), questions[place], caption):
                context.answers[BY_TEMPLATE] += 1
                texts[place] = questions[place].draft
            else:
                texts[place] = second[number]
    return [texts[place] for place in range(len(questions))]


def _refusal(text: str | None, question: RegionQuestion, caption: str) -> str | None:
    return "there was no answer" if text is None else problem(text, question, caption)


async def _ask(
    questions: Sequence[RegionQuestion], caption: str, context: AgentContext
) -> dict[int, str]:
    """Texts by place in the questions; none where no answer fits the schema."""
    inputs = RegionWriterInput(caption=caption, regions=tuple(questions))

    def complete(answer: RegionTextAnswer) -> None:
        given = sorted(one.region for one in answer.texts)
        if given != list(range(len(questions))):
            expected = f"expected one for each of the {len(questions)} regions, from 0"
            raise ToolkitError("semantic", f"texts: {expected}, got {given}")

    try:
        answer = await context.ask("region_writer", inputs, RegionTextAnswer, validate=complete)
    except ToolkitError as error:
        if not error.correctable:
            raise
        return {}
    return {one.region: tidy(one.text) for one in answer.texts}


def tidy(text: str) -> str:
    """On one line, without a final stop; its article is written small, as in other texts."""
    text = " ".join(text.split()).rstrip(" .;,")
    first, space, rest = text.partition(" ")
    return f"{first.lower()} {rest}" if space and first in ("A", "An", "The") else text
