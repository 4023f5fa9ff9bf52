"""Answers to FINER's questions: paired accuracy, levels, and questions to look at."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from pydantic import BaseModel

from pages.plots import label, lines
from pages.report_parts import (
    Block,
    Card,
    Cards,
    Figure,
    Item,
    Note,
    Section,
    Table,
    by_run,
    interval,
    percent,
)
from pages.report_runs import Run
from pages.samples import Sample, samples
from pages.thumbnails import Thumbnail, thumbnail
from runtime.errors import ToolkitError
from schemas.finer import AnsweredRow, QuestionRow
from scoring.paired_accuracy import FinerScores, PairedScore
from scoring.pairing import PairingError, pair_rows, split_stem

GUESSING, GUESSING_LEVEL = 1 / 25, 1 / 2
SETTINGS = ("multi_obj", "multi_attr", "multi_rel", "wh", "levels")


class RunScores(BaseModel):
    """What a report reads of `scores.json`, besides the scores themselves."""

    text_only: bool = False


class ShownAnswer(AnsweredRow):
    """An answered question with the model's words."""

    prediction: str | None = None


@dataclass(frozen=True)
class OptionView:
    """One option: whether it is the right one, and whether the model chose it."""

    letter: str
    text: str
    right: bool
    chosen: bool


@dataclass(frozen=True)
class QuestionView:
    """What the macro `question` draws; `verdict` is empty where nobody was asked."""

    qtype: str
    question: str
    options: list[OptionView]
    verdict: str
    answer: str


def finer_sections(runs: Sequence[Run], size: int) -> Iterator[Section]:
    """The sections of these runs, with `size` samples of each."""
    scores: dict[str, FinerScores] = {r.name: r.value("scores.json", FinerScores) for r in runs}
    blind = [r.name for r in runs if r.value("scores.json", RunScores).text_only]
    blocks: list[Block] = []
    if blind:
        blocks.append(Note(f"Text only: {', '.join(blind)} saw no image.", "warn"))
    if any(found.overall for found in scores.values()):
        lead = "A pair counts when the true question and the one with a wrong detail are both "
        lead += "answered right. Guessing gives 4.0; an unparsed answer is not right."
        blocks += [*_cards(scores), _settings(scores), *_elements(scores)]
        yield Section("paired", "Paired accuracy", blocks, lead)
        blocks = []
    if any(found.levels for found in scores.values()):
        lead = "Questions whose answer is always No, with ever more around the wrong detail. "
        lead += "Guessing gives 50.0."
        yield Section("levels", "Seven granularity levels", [*blocks, _levels(scores)], lead)
    yield question_samples(runs, ["predictions.csv"], ShownAnswer, size)


def _cards(scores: Mapping[str, FinerScores]) -> Iterator[Cards]:
    cards = []
    for run, found in scores.items():
        if found.overall:
            low, high = found.overall.intervals["paired_accuracy"]
            detail = f"{percent(low)} to {percent(high)} · {found.overall.pairs:,} pairs"
            name = run if len(scores) > 1 else "paired accuracy"
            cards.append(Card(name, percent(found.overall.paired_accuracy), detail))
            if len(scores) == 1:
                cards += _sides(found, found.overall)
    yield Cards(cards)


def _sides(found: FinerScores, overall: PairedScore) -> Iterator[Card]:
    yield Card("true questions right", percent(overall.positive_accuracy), "percent")
    yield Card("false questions right", percent(overall.negative_accuracy), "percent")
    yield Card("unparsed", f"{found.unparsed:,}", f"of {found.questions:,} answers")


def _settings(scores: Mapping[str, FinerScores]) -> Table:
    rows = []
    for run, found in scores.items():
        named = dict(sorted(found.settings.items(), key=_in_order))
        if found.overall:
            named["all settings"] = found.overall
        rows += [[run, name, *_paired(score)] for name, score in named.items()]
    names = list(dict.fromkeys(row[1] for row in rows))
    rows.sort(key=lambda row: names.index(row[1]))
    columns = ["setting", "pairs", "paired", "true right", "false right", "yes", "unparsed",
               "paired, parsed only"]  # fmt: skip
    note = "In percent, with 95 % intervals over images. “Yes” is the share of answers that chose "
    note += "an option with Yes, where there was one."
    return by_run(columns, rows, 1, "By setting", note)


def _in_order(item: tuple[str, object]) -> tuple[int, str]:
    """The paper's settings first, in its order."""
    known = SETTINGS.index(item[0]) if item[0] in SETTINGS else len(SETTINGS)
    return known, item[0]


def _paired(score: PairedScore) -> list[str]:
    return [
        f"{score.pairs:,}",
        *(
            interval(getattr(score, name), score.intervals[name])
            for name in ("paired_accuracy", "positive_accuracy", "negative_accuracy")
        ),
        percent(score.yes_share),
        f"{score.unparsed:,}",
        f"{percent(score.parsed_paired_accuracy)} of {score.parsed_pairs:,}",
    ]


def _elements(scores: Mapping[str, FinerScores]) -> Iterator[Figure]:
    rows = [
        _point(run, number, score.paired_accuracy, score.intervals["paired_accuracy"])
        | {"panel": label(setting), "pairs": score.pairs}
        for run, found in scores.items()
        for setting, by_number in sorted(found.by_elements.items(), key=_in_order)
        for number, score in by_number.items()
    ]
    if rows:
        chart = lines(rows, "elements", "paired accuracy", guessing=GUESSING)
        text = "Paired accuracy against the number of elements, a panel for each setting, with "
        text += "95 % intervals; the dashed line is guessing."
        table = _points(rows, ["setting", "elements", "pairs", "paired accuracy"])
        yield Figure("elements", "Paired accuracy by number of elements", chart, text, table)


def _levels(scores: Mapping[str, FinerScores]) -> Figure:
    rows = [
        _point(run, int(name.removeprefix("level_")), score.accuracy, score.intervals["accuracy"])
        | {"pairs": score.questions}
        for run, found in scores.items()
        for name, score in found.levels.items()
    ]
    chart = lines(rows, "granularity level", "accuracy", guessing=GUESSING_LEVEL)
    text = "Accuracy against the seven granularity levels, with 95 % intervals; the dashed line "
    text += "is guessing."
    table = _points(rows, ["level", "questions", "accuracy"])
    return Figure("levels", "Accuracy by granularity level", chart, text, table)


def _point(run: str, x: int, y: float, bounds: tuple[float, float]) -> dict[str, Any]:
    return {"series": label(run), "x": x, "y": y, "low": bounds[0], "high": bounds[1]}


def _points(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> Table:
    cells = [
        [
            row["series"],
            *([row["panel"]] if "panel" in row else []),
            str(row["x"]),
            f"{row['pairs']:,}",
            interval(row["y"], (row["low"], row["high"])),
        ]
        for row in rows
    ]
    return by_run(columns, cells, 1, note="In percent.")


def question_samples(
    runs: Sequence[Run], files: Sequence[str], model: type[QuestionRow], size: int
) -> Section:
    """A section with some pairs, and questions of levels, of these files of each run."""
    sizes = set[int]()
    drawn = {run.name: Sample[tuple[QuestionRow, ...]](size) for run in runs}
    for run in runs:
        for unit in _units(run, files, model):
            sizes.add(len(unit))
            first = unit[0]
            identifier = "\n".join((first.image, first.qtype, first.question))
            drawn[run.name].offer(identifier, unit)
    title = "pairs of questions" if sizes == {2} else "pairs and single questions"
    legend = "answers" if issubclass(model, AnsweredRow) else "questions"
    found = samples(title, runs, drawn, _item, legend)
    return Section("questions", "Questions to look at", [found])


def _units(
    run: Run, files: Sequence[str], model: type[QuestionRow]
) -> Iterator[tuple[QuestionRow, ...]]:
    for file in files:
        rows = enumerate(run.rows(file, model), 1)
        try:
            yield from pair_rows(rows)
        except PairingError as problem:
            place = f"{run.folder / file}: row {problem.place}"
            hint = "run its command again, or keep the order of the questions"
            raise ToolkitError("input", f"{place}: {problem}", hint) from None


def _item(unit: tuple[QuestionRow, ...], run: Run) -> Item:
    views = [_view(row) for row in unit]
    setting, number = split_stem(unit[0].qtype)
    verdicts = [view.verdict for view in views if view.verdict]
    state = next((v for v in ("unparsed", "wrong") if v in verdicts), "right" if verdicts else "")
    flags = tuple(flag for flag in (state, setting) if flag)
    identifier = f"{PurePath(unit[0].image).name} · {setting}" + (f" · {number}" if number else "")
    image = _image(unit[0].image, run)
    return Item(identifier, "questions", flags, unit[-1].question, image, views)


def _view(row: QuestionRow) -> QuestionView:
    answered = isinstance(row, AnsweredRow)
    chosen = row.pred_idx if isinstance(row, AnsweredRow) else None
    options = [
        OptionView("ABCDE"[place], text, place == row.gt_index, place == chosen)
        for place, text in enumerate(row.choices)
    ]
    unparsed = chosen is None or chosen < 0
    verdict = "unparsed" if unparsed else "right" if chosen == row.gt_index else "wrong"
    answer = (row.prediction or "") if isinstance(row, ShownAnswer) else ""
    return QuestionView(row.qtype, row.question, options, verdict if answered else "", answer)


def _image(image: str, run: Run) -> Thumbnail:
    """A question's image: it is named as the questions named it, so it is looked for there."""
    execution = run.manifest.execution
    words = execution.command if execution else []
    given = [Path(word).parent for word in words if Path(word).name in run.manifest.inputs]
    given += [Path(after) for flag, after in itertools.pairwise(words) if flag == "--images"]
    given += [
        Path(word.removeprefix("--images=")) for word in words if word.startswith("--images=")
    ]
    found = thumbnail(image, run.folder)
    for folder in reversed(given):
        if not found.uri:
            found = thumbnail(image, folder)
    return found
