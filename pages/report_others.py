"""Runs of all other commands: question pairs, questions, single steps, anything else."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from pydantic import BaseModel, ConfigDict

from pages.report_claims import response_samples
from pages.report_finer import SETTINGS, question_samples
from pages.report_granfact import judged_samples
from pages.report_parts import Block, Item, Section, by_run
from pages.report_runs import REJECTED, Run
from pages.samples import Sample, samples
from pages.thumbnails import thumbnail
from pages.words import Passage, word_diff
from schemas.finer import QuestionRow
from schemas.preference import ChatMessage, TextPart
from schemas.tuning import TUNING_KINDS, TuningPair


class AnyRow(BaseModel):
    """A row of any file that has no view of its own."""

    model_config = ConfigDict(extra="allow")


class PairView(NamedTuple):
    """What the macro `pair` draws."""

    prompt: str
    change: list[Passage]


def tuning_sections(runs: Sequence[Run], size: int) -> Iterator[Section]:
    """Pairs by kind and polarity, and some of them."""
    rows = []
    drawn = {run.name: Sample[TuningPair](size) for run in runs}
    for run in runs:
        counts: Counter[tuple[str, str]] = Counter()
        for pair in run.rows("pairs.jsonl", TuningPair):
            drawn[run.name].offer(pair.id, pair)
            counts[pair.kind, pair.polarity] += 1
        rows += [
            [run.name, kind, *(f"{counts[kind, side]:,}" for side in ("positive", "negative"))]
            for kind in TUNING_KINDS
        ]
    shown = samples("pairs", runs, drawn, _pair_item, legend="changes")
    table = by_run(["kind", "positive", "negative"], rows, words=1)
    yield Section("pairs", "Question pairs", [table, shown])


def _pair_item(pair: TuningPair, run: Run) -> Item:
    change = word_diff(_text(pair.rejected), _text(pair.chosen))
    image = thumbnail(pair.images[0], run.folder) if pair.images else None
    view = PairView(_text(pair.prompt), change)
    return Item(pair.id, "pair", (pair.kind, pair.polarity), view.prompt, image, view)


def _text(messages: Sequence[ChatMessage]) -> str:
    parts = [part for message in messages for part in message.content]
    return " ".join(part.text for part in parts if isinstance(part, TextPart))


def build_sections(runs: Sequence[Run], size: int) -> Iterator[Section]:
    """Questions by setting and number of elements, and some of them."""
    rows = [
        [run.name, setting, stem, f"{number:,}"]
        for run in runs
        for setting in SETTINGS
        if isinstance(counted := run.manifest.counts.get(setting), dict)
        for stem, number in sorted(counted.items())
    ]
    table = by_run(["setting", "questions of", "number"], rows, words=2)
    yield Section("built", "Questions by setting", [table])
    yield question_samples(runs, [f"{name}.csv" for name in SETTINGS], QuestionRow, size)


def judged_sections(runs: Sequence[Run], size: int) -> Iterator[Section]:
    """Judged responses, from the steps before the scores."""
    file = "levels.jsonl" if runs[0].manifest.agent == "category_judge" else "judgements.jsonl"
    yield response_samples(runs, judged_samples(runs, file, size))


def other_sections(runs: Sequence[Run], size: int) -> Iterator[Section]:
    """Rows as they are, of each file of rows."""
    for number, run in enumerate(runs):
        found = sorted(run.folder.glob("[!.]*.jsonl"))
        blocks: list[Block] = []
        for file in (path.name for path in found if path.name != REJECTED):
            sample = Sample[dict[str, Any]](size)
            for row in run.rows(file, AnyRow):
                values = row.model_dump()
                sample.offer(str(values.get("id", sample.seen)), values)
            blocks.append(samples(f"rows of {file}", [run], {run.name: sample}, _row_item))
        if blocks:
            yield Section(f"rows-{number}", f"Rows of {run.name}", blocks)


def _row_item(row: dict[str, Any], run: Run) -> Item:
    image = row.get("image")
    shown = thumbnail(image, run.folder) if isinstance(image, str) else None
    name = str(row.get("id") or row.get("text") or "row")
    return Item(name, "row", (), "", shown, row)
