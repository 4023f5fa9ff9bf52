"""`python -m benchmarks.finer build NEGATIVES --output DIR`: graphs with negatives → questions.

Writes `multi_obj.csv`, `multi_attr.csv`, `multi_rel.csv`, `wh.csv` and `levels.csv`, with the
columns of the published benchmark, and `manifest.json` (FINER section 2.4, spec 3.4 and 3.5).
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from agents.command import relocate
from benchmarks.questions import MAX_ATTRIBUTES, multi_attr, multi_obj, multi_rel
from benchmarks.questions_levels import levels
from benchmarks.questions_parts import Parts, usable_parts
from benchmarks.questions_row import Row
from benchmarks.questions_row import Source as Origin
from benchmarks.questions_wh import wh
from runtime.command_line import add_reviewed_only, exit_on_error, positive_int, whole_number
from runtime.csv_rows import csv_writer
from runtime.errors import ToolkitError
from runtime.files import (
    InputFile,
    atomic_writer,
    partial_files,
    read_records,
    validate_all,
    write_json,
)
from runtime.manifest import versions
from runtime.reviews import REVIEWS
from runtime.sources import Place, Source
from runtime.store import check_fingerprint, open_locked
from schemas.config import RunConfig
from schemas.scene_graph import NegatedGraph, elements

MANIFEST, _LOCK = "manifest.json", ".lock"

Setting = Callable[[Origin, Parts], Iterator[Row]]
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


FILES = {*(f"{name}.csv" for name in settings(MAX_ATTRIBUTES)), MANIFEST, _LOCK}


def main(argv: Sequence[str] | None = None) -> int:
    """Build the questions; exit code 2 for bad input or an output directory that is in use."""
    return exit_on_error(_main)(argv)


def _main(argv: Sequence[str] | None) -> int:
    options = _parser().parse_args(argv)
    options.source = Source.of(options.input)
    if options.reviewed_only:
        options.source = options.source.only_reviewed()
    source, tested = _checked(options)
    identity = {
        "inputs": dict(source.files),
        "seed": options.seed,
        "settings": {"max_attributes": options.max_attributes, "limit": options.limit},
    }
    with claim_output(options.output, identity, options.overwrite):
        counts = write_questions(options)
        # The manifest last: without one, the questions are those of a build that was killed.
        write_json(
            options.output / MANIFEST,
            identity
            | {
                "agent": "finer_build",
                "versions": versions(),
                "tested_against": tested,
                "negatives_from": _read(options.input.with_name(MANIFEST)).get("models", {}),
                "counts": {"graphs": source.records, **counts},
            },
        )
    for line in table(counts):
        print(line)
    if tested["image"] < source.records:
        print(
            f"negatives tested against the image: {tested['image']:,} graphs, against the caption "
            f"only: {tested['caption']:,}, not at all: {tested['none']:,}"
        )
    print(f"wrote {options.output}")
    return 0


def _checked(options: argparse.Namespace) -> tuple[InputFile, dict[str, int]]:
    """The input, and its graphs by what the discriminator had.

    Raises ToolkitError("input"), also when there are no negatives at all.
    """
    tested = {"image": 0, "caption": 0, "none": 0}
    negatives = 0

    def visit(_: Place, graph: NegatedGraph) -> None:
        nonlocal negatives
        tested[graph.tested_against or "none"] += 1
        negatives += sum(len(element.negatives) for element in elements(graph))

    source = validate_all(options.source, NegatedGraph, limit=options.limit, visit=visit)
    if not negatives:
        message = f"{options.input}: no element has four negatives"
        hint = "make them first: python -m agents.negative_generator GRAPHS --output DIR"
        if options.reviewed_only:
            message = f"{options.input}: reviewers accepted none of its negatives"
            hint = "go on with `grainwise review`"
        raise ToolkitError("input", message, hint)
    return source, tested


def _read(manifest: Path) -> dict[str, Any]:
    """What a manifest says; nothing where there is none."""
    try:
        found = json.loads(manifest.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


@contextmanager
def claim_output(directory: Path, identity: Mapping[str, Any], overwrite: bool) -> Iterator[None]:
    """Keep the directory for one build, and remove what a killed one left.

    The same build may be repeated. Raises ToolkitError("input") for a directory that holds other
    questions, unless with `overwrite`, or other files, or where another build is going on.
    """
    if directory.exists() and not directory.is_dir():
        raise ToolkitError("input", f"{directory}: not a directory", "choose another --output")
    names = {path.name for path in directory.iterdir()} if directory.exists() else set()
    # What people decided on the questions, and the report on them, stay beside them.
    allowed = {*FILES, REVIEWS, "report"}
    if any(name not in allowed and not name.endswith(".partial") for name in names):
        message = f"{directory}: has files that no build of questions left there"
        raise ToolkitError("input", message, "choose another --output or an empty directory")
    with os.fdopen(open_locked(directory / _LOCK)):
        if (directory / MANIFEST).exists() and not overwrite:
            found = _read(directory / MANIFEST)
            was = {key: found[key] for key in identity if key in found}
            check_fingerprint(directory, was, identity)
        for path in partial_files(directory):
            path.unlink()
        yield


def write_questions(options: argparse.Namespace) -> Counts:
    """Write the CSV files, graph by graph; returns the questions by setting and stem.

    No file appears before all are complete. Raises ToolkitError("input").
    """
    makers = settings(options.max_attributes)
    counts: Counts = {name: Counter() for name in makers}
    with ExitStack() as files:
        writers = {
            name: csv_writer(
                files.enter_context(atomic_writer(options.output / f"{name}.csv")), Row._fields
            )
            for name in makers
        }
        for graph in read_records(options.source, NegatedGraph, limit=options.limit):
            image = relocate(graph.image, options.input.parent, options.output)
            parts, source = usable_parts(graph), Origin(graph.id, image, options.seed)
            for name, make in makers.items():
                rows = list(make(source, parts))
                writers[name].writerows(rows)
                counts[name].update(_stem(row.qtype) for row in rows)
        (options.output / MANIFEST).unlink(missing_ok=True)  # before the first file is replaced
    return counts


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
    add("--seed", metavar="N", type=whole_number, default=RunConfig().seed,
        help="seed of everything random (default: %(default)s)")  # fmt: skip
    add("--max-attributes", metavar="N", type=positive_int, default=MAX_ATTRIBUTES,
        help=f"most attributes of a question (default: {MAX_ATTRIBUTES})")  # fmt: skip
    add("--limit", metavar="N", type=positive_int, help="use only the first N graphs")
    add_reviewed_only(parser)
    add("--overwrite", action="store_true", help="replace the questions that DIR holds")
    return parser


if __name__ == "__main__":
    sys.exit(main())
