"""`python -m scoring judged.jsonl [--summary FILE]`: score judged examples (spec 1.9)."""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TextIO

from pydantic import ValidationError

from schemas.judged import ExampleResult, JudgedExample, Metrics
from schemas.validation import describe_errors


class BadLine(Exception):
    """A line that is no judged example; the text names file, line and field."""


def main(argv: Sequence[str] | None = None) -> int:
    """Score every line of the input; exit code 2 for bad input."""
    options = _parser().parse_args(argv)
    try:
        if options.input == "-":
            metrics = _score(sys.stdin, "standard input")
        else:
            with open(options.input, encoding="utf-8") as lines:
                metrics = _score(lines, options.input)
        if options.summary:
            _write(Path(options.summary), metrics)
    except BadLine as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    except UnicodeDecodeError as problem:
        print(f"error: {options.input}: is not UTF-8 text ({problem})", file=sys.stderr)
        return 2
    except OSError as problem:
        print(f"error: {problem.filename}: {problem.strerror}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scoring", description="Score judged image descriptions (GranFact)."
    )
    parser.add_argument("input", help="judged examples, one JSON object a line; - reads stdin")
    parser.add_argument("--summary", metavar="FILE", help="write the nine metrics here as JSON")
    return parser


def _score(lines: TextIO, name: str) -> Metrics:
    from scoring.metrics import summarise

    return summarise(_results(lines, name))


def _results(lines: TextIO, name: str) -> Iterator[ExampleResult]:
    """Print each result as it comes, and pass it on without its assignments."""
    from scoring.assignment import ScoringError
    from scoring.metrics import score_example

    seen: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            example = JudgedExample.model_validate_json(line)
            result = score_example(example)
        except ValidationError as error:
            raise BadLine(f"{name}:{number}: {_problems(line, error)}") from None
        except ScoringError as error:
            raise BadLine(f"{name}:{number}: {error}") from None
        if example.id in seen:
            first = seen[example.id]
            raise BadLine(f"{name}:{number}: id: {example.id!r} was already used in line {first}")
        seen[example.id] = number
        print(result.model_dump_json())
        yield result.model_copy(update={"assignments": ()})


def _problems(line: str, error: ValidationError) -> str:
    try:
        data = json.loads(line)
    except ValueError as problem:
        return f"not valid JSON: {problem}"
    return describe_errors(error, data, JudgedExample)


def _write(path: Path, metrics: Metrics) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    temporary.write_text(metrics.model_dump_json(indent=2) + "\n", encoding="utf-8")
    temporary.replace(path)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except BrokenPipeError:
        # The reader of our output left, as `| head` does; there is nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
