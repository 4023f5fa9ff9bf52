"""`python -m scoring judged.jsonl [--summary FILE]`: score judged examples (spec 1.9)."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from schemas.judged import ExampleResult, JudgedExample, Metrics
from schemas.validation import describe_errors


class BadInput(Exception):
    """What stops the command; the text names the file and, for a line, its number and field."""


def main(argv: Sequence[str] | None = None) -> int:
    """Score every line of the input; exit code 2 for bad input."""
    options = _parser().parse_args(argv)
    try:
        metrics = _score(options.input)
        # Results come before the summary; a reader that left is noticed here, not at exit.
        sys.stdout.flush()
        if options.summary:
            _write(Path(options.summary), metrics)
    except BadInput as problem:
        print(f"error: {problem}", file=sys.stderr)
        return 2
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scoring", description="Score judged image descriptions (GranFact)."
    )
    parser.add_argument("input", help="judged examples, one JSON object a line; - reads stdin")
    parser.add_argument("--summary", metavar="FILE", help="write the nine metrics here as JSON")
    return parser


def _score(source: str) -> Metrics:
    from scoring.metrics import summarise

    name = "standard input" if source == "-" else source
    return summarise(_results(_lines(source), name))


def _lines(source: str) -> Iterator[bytes]:
    if source == "-":
        yield from sys.stdin.buffer
        return
    try:
        with open(source, "rb") as lines:
            yield from lines
    except OSError as problem:
        raise BadInput(f"{source}: {problem.strerror}") from None


def _results(lines: Iterator[bytes], name: str) -> Iterator[ExampleResult]:
    """Print each result as it comes, and pass it on."""
    from scoring.assignment import ScoringError
    from scoring.metrics import score_example

    seen: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            example = _example(line)
            first = seen.setdefault(example.id, number)
            if first != number:
                raise BadInput(f"id: {example.id!r} was already used in line {first}")
            result = score_example(example)
        except (BadInput, ScoringError) as problem:
            raise BadInput(f"{name}:{number}: {problem}") from None
        sys.stdout.buffer.write(result.model_dump_json().encode() + b"\n")
        yield result


def _example(line: bytes) -> JudgedExample:
    try:
        # A file saved on Windows may start with a byte order mark.
        data = json.loads(line.decode("utf-8-sig").strip(), object_pairs_hook=_object)
    except UnicodeDecodeError as problem:
        raise BadInput(f"not UTF-8 text: {problem.reason} at byte {problem.start + 1}") from None
    except json.JSONDecodeError as problem:
        raise BadInput(f"not valid JSON: {problem.msg} at column {problem.colno}") from None
    except (ValueError, RecursionError) as problem:
        raise BadInput(f"not valid JSON: {problem}") from None
    try:
        return JudgedExample.model_validate(data)
    except ValidationError as error:
        raise BadInput(describe_errors(error, data, JudgedExample)) from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object. Of two equal keys Python would keep the last without a word."""
    row: dict[str, Any] = {}
    for key, value in pairs:
        if key in row:
            raise BadInput(f"{key}: the key stands twice in one object")
        row[key] = value
    return row


def _write(path: Path, metrics: Metrics) -> None:
    temporary = path.parent / f".{path.name}.{os.getpid()}"
    try:
        temporary.write_text(metrics.model_dump_json(indent=2) + "\n", encoding="utf-8")
        temporary.replace(path)
    except OSError as problem:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise BadInput(f"{path}: cannot write the summary: {problem.strerror}") from None


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader of our output left, as `| head` does; there is nobody to tell.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
