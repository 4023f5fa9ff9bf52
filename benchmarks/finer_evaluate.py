"""`python -m benchmarks.finer evaluate QUESTIONS.csv --output DIR`: ask a model, and score it.

The model gets the image and the prompt of the published evaluation, and answers in free text
(FINER section 2.4, spec 3.5). Which option it chose is read from the text by
`benchmarks.finer_prompt.chosen_option`.
"""

from __future__ import annotations

import hashlib
import sys
from argparse import ArgumentParser, Namespace
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from agents.base import Agent, AgentContext
from agents.command import AgentCommand, Flags, Results, relocate
from backends.base import Message, ModelRequest, PlainText, Sampling
from benchmarks.finer_prompt import PROMPT_VERSION, chosen_option, prompt
from benchmarks.finer_score import read_pairs, score_file, table
from runtime.command_line import CommandOptions
from runtime.csv_rows import csv_writer
from runtime.files import InputFile, atomic_writer, read_placed, write_json
from runtime.sources import Place
from schemas.base import LongText, Record, StrictModel
from schemas.config import Config
from schemas.finer import GivenRow, QuestionRow

STEP = "finer_answer"
_SHOWN = 100
"""Characters of an image's path that stand in an id, which has its own limit."""


class AskedQuestion(Record):
    """A row of the input, and where its image is, as seen from the output directory.

    The id is made of the row's content: rows that are alike are asked once and share an outcome.
    """

    row: QuestionRow
    path: str


class ShownQuestion(StrictModel):
    """What the model may know of a question: neither the answer nor its side."""

    question: LongText
    choices: tuple[str, ...]


class FinerAnswer(Agent[AskedQuestion, PlainText]):
    """Asks one question; its value is the model's text, as it came.

    With `text_only` no image is shown: what a model scores then, it owes to the questions alone.
    """

    name = "finer"
    steps = (STEP,)

    def __init__(self, text_only: bool = False) -> None:
        self.text_only = text_only
        self.needs: Mapping[str, set[str]] = {} if text_only else {STEP: {"vision"}}
        self.settings = {"text_only": text_only, "prompt_version": PROMPT_VERSION}

    async def run(self, item: AskedQuestion, context: AgentContext) -> PlainText:
        """Raises ToolkitError when there is no whole answer: refused, cut off, no image."""
        profile, row = context.profile(STEP), item.row
        request = ModelRequest(
            task=STEP,
            prompt_version=PROMPT_VERSION,
            inputs=ShownQuestion(question=row.question, choices=row.choices),
            messages=(Message(role="user", content=prompt(row.question, row.choices)),),
            images=() if self.text_only else (await context.image(item.path),),
            sampling=Sampling(
                temperature=profile.temperature, max_tokens=profile.max_tokens, seed=context.seed
            ),
        )
        return (await context.send(STEP, request, PlainText)).value

    def estimate(self, item: AskedQuestion) -> dict[str, int]:
        """One call."""
        return {STEP: 1}


@dataclass(frozen=True)
class _Evaluation(AgentCommand[AskedQuestion, PlainText]):
    """An agent command whose rows must pair up, and whose images may be elsewhere."""

    def validate(self, options: CommandOptions) -> InputFile:
        source = super().validate(options)
        for _ in read_pairs(options.input, GivenRow, limit=options.limit):
            pass
        return source

    def work(self, options: CommandOptions) -> Iterator[AskedQuestion]:
        for place, row in read_placed(options.input, GivenRow, limit=options.limit):
            folder = options.own.images or place.shard.path.parent
            yield from self.items(row, folder, options.output)

    def check_row(self, place: Place, row: Any, options: CommandOptions) -> None:
        if not options.own.images:
            super().check_row(place, row, options)


def _ask(row: QuestionRow, source: Path, target: Path) -> Iterator[AskedQuestion]:
    digest = hashlib.blake2b(row.model_dump_json().encode(), digest_size=16).hexdigest()
    path = relocate(row.image, source, target)
    yield AskedQuestion(id=f"{row.qtype}:{row.image[-_SHOWN:]}:{digest}", row=row, path=path)


def write_evaluation(results: Results) -> Iterator[str]:
    """Write `predictions.csv`, `scores.json` and `rejected.jsonl`; yield the table.

    `predictions.csv` has the columns of the input, its images as they were given, then `pred_idx`
    and the model's text in `prediction`. A question without an answer has -1 and no text there,
    so it counts as unparsed, and stands in `rejected.jsonl` with the reason.
    """
    from agents.execute import in_words, write_rejected

    predictions = results.directory / "predictions.csv"
    _write_predictions(predictions, results)
    rejected = write_rejected(results)
    scores = score_file(predictions, seed=results.seed)
    text_only = results.settings["text_only"]
    marks = {"text_only": text_only, "rejected": rejected}
    write_json(results.directory / "scores.json", asdict(scores) | marks)
    yield from table(scores)
    reasons = in_words(rejected)
    failed = sum(rejected.values())
    if scores.unparsed:
        yield (
            f"unparsed: {scores.unparsed - failed:,} without a readable option, "
            f"{failed:,} rejected{f' ({reasons})' if reasons else ''}"
        )
    if text_only:
        yield "text only: the model saw no image"


def _write_predictions(path: Path, results: Results) -> None:
    columns = [*QuestionRow.model_fields, "pred_idx", "prediction"]
    with atomic_writer(path) as file:
        writer = csv_writer(file, columns)
        for item, outcome in zip(results.items(), results.outcomes(), strict=True):
            text = outcome.value["text"] if outcome.value else ""
            chosen = chosen_option(text, item.row.choices)
            writer.writerow([*item.row.model_dump().values(), chosen, text])


def _add_flags(parser: ArgumentParser) -> None:
    parser.add_argument(
        "--text-only",
        action="store_true",
        help="show no image: a baseline for what text gives away",
    )
    parser.add_argument(
        "--images", metavar="DIR", type=Path,
        help="where the images are (default: relative to QUESTIONS.csv)",
    )  # fmt: skip


def _agent(own: Namespace, _: Config) -> FinerAnswer:
    return FinerAnswer(own.text_only)


EVALUATE = _Evaluation(
    FinerAnswer(),
    "benchmarks.finer evaluate",
    "Let a vision model answer the questions of a CSV file, and write its paired accuracy.",
    GivenRow,
    _ask,
    ("predictions.csv", "scores.json"),
    write_evaluation,
    Flags(_add_flags, _agent),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run `evaluate` and return its exit code."""
    return EVALUATE.main(argv)


if __name__ == "__main__":
    sys.exit(main())
