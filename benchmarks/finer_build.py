"""`python -m benchmarks.finer build NEGATIVES --output DIR`: graphs with negatives → questions.

Writes `multi_obj.csv`, `multi_attr.csv`, `multi_rel.csv`, `wh.csv` and `levels.csv`, with the
columns of the published benchmark, and `manifest.json` (FINER section 2.4, spec 3.4 and 3.5).
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any

from agents.command import relocate
from benchmarks.questions import MAX_ATTRIBUTES, multi_attr, multi_obj, multi_rel
from benchmarks.questions_levels import levels
from benchmarks.questions_parts import Parts, usable_parts
from benchmarks.questions_row import Row, Source
from benchmarks.questions_wh import wh
from runtime.command_line import exit_on_error, positive_int
from runtime.errors import ToolkitError
from runtime.files import atomic_writer, partial_files, read_numbered, validate_all, write_json
from runtime.manifest import versions
from schemas.scene_graph import NegatedGraph

DEFAULT_SEED = 17
MANIFEST = "manifest.json"
IMAGE_LENGTH = 200
"""Longest image path of a row, in characters."""

Setting = Callable[[Source, Parts], Iterator[Row]]
Counts = dict[str, Counter[str]]


def settings(max_attributes: int) -> dict[str, Setting]:
    """The question maker behind each CSV file, by the file's stem."""
    return {
        "multi_obj": multi_obj,
        "multi_attr": partial(multi_attr, most=max_attributes),
        "multi_rel": multi_rel,
        "wh": wh,
        "levels": levels,
    }


FILES = {*(f"{name}.csv" for name in settings(MAX_ATTRIBUTES)), MANIFEST}


def main(argv: Sequence[str] | None = None) -> int:
    """Build the questions; exit code 2 for bad input or an output directory that is in use."""
    return exit_on_error(_main)(argv)


def _main(argv: Sequence[str] | None) -> int:
    options = _parser().parse_args(argv)
    check_output(options.output, options.overwrite)
    source = validate_all(options.input, NegatedGraph, limit=options.limit)
    counts = write_questions(options)
    write_json(
        options.output / MANIFEST,
        {
            "agent": "finer_build",
            "versions": versions(),
            "seed": options.seed,
            "settings": {"max_attributes": options.max_attributes},
            "inputs": {options.input.name: source.sha256},
            "counts": {"graphs": source.records, **counts},
        },
    )
    for line in table(counts):
        print(line)
    print(f"wrote {options.output}")
    return 0


def check_output(directory: Path, overwrite: bool) -> None:
    """Raises ToolkitError("input") unless a build may write its files there.

    What killed builds left half-written is removed.
    """
    if directory.exists() and not directory.is_dir():
        raise ToolkitError("input", f"{directory}: not a directory", "choose another --output")
    names = {path.name for path in directory.iterdir()} if directory.exists() else set()
    unfinished = partial_files(directory)
    kept = names - {path.name for path in unfinished}
    if kept - FILES:
        message = f"{directory}: has files that no build of questions left there"
        raise ToolkitError("input", message, "choose another --output or an empty directory")
    if kept and not overwrite:
        hint = "choose another --output, or replace them with --overwrite"
        raise ToolkitError("input", f"{directory}: already holds questions", hint)
    for path in unfinished:
        path.unlink()


def write_questions(options: argparse.Namespace) -> Counts:
    """Write the CSV files, graph by graph; returns the questions by setting and stem.

    No file appears before all are complete. Raises ToolkitError("input").
    """
    makers = settings(options.max_attributes)
    counts: Counts = {name: Counter() for name in makers}
    with ExitStack() as files:
        # Quoted, as Python leaves a lone carriage return in an image's name bare.
        writers = {
            name: csv.writer(
                files.enter_context(atomic_writer(options.output / f"{name}.csv")),
                lineterminator="\n",
                quoting=csv.QUOTE_NONNUMERIC,
            )
            for name in makers
        }
        for writer in writers.values():
            writer.writerow(Row._fields)
        for line, graph in read_numbered(options.input, NegatedGraph, limit=options.limit):
            image = _image(graph.image, options, line)
            parts, source = usable_parts(graph), Source(graph.id, image, options.seed)
            for name, make in makers.items():
                rows = list(make(source, parts))
                writers[name].writerows(rows)
                counts[name].update(_stem(row.qtype) for row in rows)
    return counts


def _image(image: str, options: argparse.Namespace, line: int) -> str:
    """The image as seen from the output directory."""
    found = relocate(image, options.input.parent, options.output)
    if len(found) > IMAGE_LENGTH:
        message = (
            f"{options.input}:{line}: image: its path from {options.output} has {len(found)} "
            f"characters, and a question takes {IMAGE_LENGTH}"
        )
        raise ToolkitError("input", message, "choose an --output nearer to the images")
    return found


def _stem(qtype: str) -> str:
    return qtype.removesuffix("_pos").removesuffix("_neg")


def table(counts: Mapping[str, Mapping[str, int]]) -> Iterator[str]:
    """Questions by setting, then by number of elements or level, as lines for a terminal."""
    for name, by_stem in counts.items():
        parts = ", ".join(f"{stem}: {number:,}" for stem, number in sorted(by_stem.items()))
        yield f"{name:10} {sum(by_stem.values()):9,} questions{f'  ({parts})' if parts else ''}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.finer build",
        description="Make pairs of questions, and the seven-level study, of graphs with negatives.",
    )
    add: Callable[..., Any] = parser.add_argument
    add("input", metavar="NEGATIVES", type=Path, help="negatives.jsonl, or Parquet")
    add("--output", metavar="DIR", type=Path, required=True, help="directory for the CSV files")
    add("--seed", metavar="N", type=int, default=DEFAULT_SEED,
        help=f"seed of everything random (default: {DEFAULT_SEED})")  # fmt: skip
    add("--max-attributes", metavar="N", type=positive_int, default=MAX_ATTRIBUTES,
        help=f"most attributes of a question (default: {MAX_ATTRIBUTES})")  # fmt: skip
    add("--limit", metavar="N", type=positive_int, help="use only the first N graphs")
    add("--overwrite", action="store_true", help="replace the questions that DIR holds")
    return parser


if __name__ == "__main__":
    sys.exit(main())
