"""`python -m benchmarks.finer score ANSWERS.csv`: paired accuracy of answers in a CSV file.

The file is the `predictions.csv` of `evaluate`, or any CSV with the columns of the questions and
a `pred_idx` (0-based; -1 or empty where no option could be read), such as what the published
inference script writes. See `scoring.paired_accuracy` for what counts as right.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TypeVar

from runtime.command_line import exit_on_error, whole_number
from runtime.errors import ToolkitError
from runtime.files import read_placed, refuse_input, validate_all, write_json
from runtime.sources import Source
from schemas.config import RunConfig
from schemas.finer import AnsweredRow, QuestionRow
from scoring.paired_accuracy import FinerScores, LevelScore, PairedScore, score_units
from scoring.pairing import PairingError, pair_rows

Row = TypeVar("Row", bound=QuestionRow)


def read_pairs(
    source: Path | Source, model: type[Row], *, limit: int | None = None
) -> Iterator[tuple[Row, ...]]:
    """The rows of an input as `scoring.pairing.pair_rows` groups them.

    Raises ToolkitError("input") that names file and line of a row without its partner.
    """
    try:
        yield from pair_rows(read_placed(source, model, limit=limit))
    except PairingError as problem:
        cut = "; give --limit an even number of rows" if limit else ""
        hint = f"a pair is two consecutive rows of one image: keep the order of the questions{cut}"
        raise ToolkitError("input", f"{problem.place}: {problem}", hint) from None


def score_file(path: Path, *, seed: int) -> FinerScores:
    """Score a file of answers; `seed` is the bootstrap's. Raises ToolkitError("input")."""
    return score_units(read_pairs(path, AnsweredRow), seed=seed)


def table(scores: FinerScores) -> Iterator[str]:
    """The scores in percent, as lines for a terminal."""
    if scores.settings:
        yield (
            f"{'':14} {'pairs':>7} {'paired':>6}  {'95 % interval':14} {'pos':>5} {'neg':>5} "
            f"{'yes':>5} {'unparsed':>8}  paired, parsed only"
        )
    for setting, score in scores.settings.items():
        yield _pair_line(setting, score)
        parts = scores.by_elements.get(setting, {})
        for number, part in parts.items() if len(parts) > 1 else ():
            yield _pair_line(f"  {number} element{'s' if number > 1 else ''}", part)
    if len(scores.settings) > 1 and scores.overall:
        yield _pair_line("all settings", scores.overall)
    if scores.levels:
        yield (
            f"{'':14} {'asked':>7} {'right':>6}  {'95 % interval':14} {'':5} {'':5} "
            f"{'yes':>5} {'unparsed':>8}"
        )
    for name, level in scores.levels.items():
        yield _level_line(name.replace("_", " "), level)
    share = scores.unparsed / scores.questions
    yield (
        f"in percent; {scores.unparsed:,} of {scores.questions:,} answers unparsed "
        f"({100 * share:.1f} %), which count as not right; guessing gives 4.0 paired"
    )


def _pair_line(name: str, score: PairedScore) -> str:
    return (
        f"{name:14} {score.pairs:7,} {_percent(score.paired_accuracy):>6}  "
        f"{_interval(score.intervals['paired_accuracy']):14} "
        f"{_percent(score.positive_accuracy):>5} {_percent(score.negative_accuracy):>5} "
        f"{_percent(score.yes_share):>5} {score.unparsed:8,}  "
        f"{_percent(score.parsed_paired_accuracy)} of {score.parsed_pairs:,}"
    )


def _level_line(name: str, score: LevelScore) -> str:
    return (
        f"{name:14} {score.questions:7,} {_percent(score.accuracy):>6}  "
        f"{_interval(score.intervals['accuracy']):14} {'':5} {'':5} "
        f"{_percent(score.yes_share):>5} {score.unparsed:8,}"
    )


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{100 * share:.1f}"


def _interval(bounds: tuple[float, float]) -> str:
    return "[{:.1f}, {:.1f}]".format(*(100 * bound for bound in bounds))


def main(argv: Sequence[str] | None = None) -> int:
    """Score a file, print the table, and write the summary where one is asked for."""
    return exit_on_error(_main)(argv)


def _main(argv: Sequence[str] | None) -> int:
    options = _parser().parse_args(argv)
    if options.summary:
        refuse_input(options.summary, [options.input])
    validate_all(options.input, AnsweredRow)
    if all(row.pred_idx is None for unit in read_pairs(options.input, AnsweredRow) for row in unit):
        message = f"{options.input}: no row has a pred_idx"
        hint = "ask a model first: python -m benchmarks.finer evaluate QUESTIONS.csv --output DIR"
        raise ToolkitError("input", message, hint)
    scores = score_file(options.input, seed=options.seed)
    for line in table(scores):
        print(line)
    if options.summary:
        write_json(options.summary, asdict(scores))
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.finer score",
        description="Paired accuracy of a model's answers, by setting and number of elements.",
    )
    add = parser.add_argument
    add("input", metavar="ANSWERS", type=Path, help="CSV file of questions with a pred_idx")
    add("--summary", metavar="FILE", type=Path, help="write the scores here as JSON, from 0 to 1")
    add("--seed", metavar="N", type=whole_number, default=RunConfig().seed,
        help="seed of the intervals (default: %(default)s)")  # fmt: skip
    return parser


if __name__ == "__main__":
    sys.exit(main())
