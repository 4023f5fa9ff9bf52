"""`python -m benchmarks.finer build NEGATIVES --output DIR`: graphs with negatives → questions.

Writes `multi_obj.csv`, `multi_attr.csv`, `multi_rel.csv`, `wh.csv` and `levels.csv`, with the
columns of the published benchmark, and `manifest.json` (FINER section 2.4, spec 3.4 and 3.5).
"""

from __future__ import annotations

import argparse
import csv
import json
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
from runtime.files import abandoned_files, atomic_writer, read_numbered, validate_all, write_json
from runtime.manifest import versions
from schemas.scene_graph import NegatedGraph, elements

DEFAULT_SEED = 17
MANIFEST = "manifest.json"

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
    source = validate_all(options.input, NegatedGraph, limit=options.limit)
    tested = _tested_against(options)
    identity = {
        "inputs": {options.input.name: source.sha256},
        "seed": options.seed,
        "settings": {"max_attributes": options.max_attributes, "limit": options.limit},
    }
    claim_output(options.output, identity, options.overwrite)
    counts = write_questions(options)
    # The manifest last: without one, the questions are those of a build that was killed.
    write_json(
        options.output / MANIFEST,
        identity
        | {
            "agent": "finer_build",
            "versions": versions(),
            "tested_against": tested,
            "negatives_from": _models(options.input.with_name(MANIFEST)),
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


def _tested_against(options: argparse.Namespace) -> dict[str, int]:
    """Graphs by what the discriminator had. Raises ToolkitError("input") without any negatives."""
    tested = {"image": 0, "caption": 0, "none": 0}
    usable = False
    for _, graph in read_numbered(options.input, NegatedGraph, limit=options.limit):
        tested[graph.tested_against or "none"] += 1
        usable = usable or any(element.negatives for element in elements(graph))
    if not usable:
        message = f"{options.input}: no element has four negatives"
        hint = "make them first: python -m agents.negative_generator GRAPHS --output DIR"
        raise ToolkitError("input", message, hint)
    return tested


def _models(manifest: Path) -> dict[str, Any]:
    """The models that the run beside the input used, where its manifest says."""
    try:
        found = json.loads(manifest.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    models = found.get("models") if isinstance(found, dict) else None
    return models if isinstance(models, dict) else {}


def claim_output(directory: Path, identity: Mapping[str, Any], overwrite: bool) -> None:
    """Make the directory ready for a build, and remove what a killed one left.

    The same build may be repeated. Raises ToolkitError("input") for a directory that holds other
    questions, unless with `overwrite`, or other files.
    """
    if directory.exists() and not directory.is_dir():
        raise ToolkitError("input", f"{directory}: not a directory", "choose another --output")
    names = {path.name for path in directory.iterdir()} if directory.exists() else set()
    if any(name not in FILES and not name.endswith(".partial") for name in names):
        message = f"{directory}: has files that no build of questions left there"
        raise ToolkitError("input", message, "choose another --output or an empty directory")
    manifest = directory / MANIFEST
    if manifest.exists() and not overwrite and not _is_of(manifest, identity):
        hint = "choose another --output, or replace them with --overwrite"
        raise ToolkitError("input", f"{directory}: holds the questions of another build", hint)
    manifest.unlink(missing_ok=True)
    for path in abandoned_files(directory):
        path.unlink()


def _is_of(manifest: Path, identity: Mapping[str, Any]) -> bool:
    try:
        found = json.loads(manifest.read_text(encoding="utf-8"))
    except ValueError:
        return False
    return isinstance(found, dict) and all(found.get(key) == identity[key] for key in identity)


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
        for _, graph in read_numbered(options.input, NegatedGraph, limit=options.limit):
            image = relocate(graph.image, options.input.parent, options.output)
            parts, source = usable_parts(graph), Source(graph.id, image, options.seed)
            for name, make in makers.items():
                rows = list(make(source, parts))
                writers[name].writerows(rows)
                counts[name].update(_stem(row.qtype) for row in rows)
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
    add("--seed", metavar="N", type=int, default=DEFAULT_SEED,
        help=f"seed of everything random (default: {DEFAULT_SEED})")  # fmt: skip
    add("--max-attributes", metavar="N", type=positive_int, default=MAX_ATTRIBUTES,
        help=f"most attributes of a question (default: {MAX_ATTRIBUTES})")  # fmt: skip
    add("--limit", metavar="N", type=positive_int, help="use only the first N graphs")
    add("--overwrite", action="store_true", help="replace the questions that DIR holds")
    return parser


if __name__ == "__main__":
    sys.exit(main())
