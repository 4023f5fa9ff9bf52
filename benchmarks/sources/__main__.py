"""`python -m benchmarks.sources FORMAT INPUT --output DIR`."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from benchmarks.sources import (
    coco,
    coco_regions,
    comprecap,
    docci,
    pixmo,
    plain,
    visual_genome,
    visual_genome_regions,
)
from benchmarks.sources.base import BadRow, Imported, Rejected, Request, Source
from benchmarks.sources.output import (
    CAPTIONS,
    GRAPHS,
    MANIFEST,
    REGIONS,
    REJECTED,
    check_output,
)
from runtime.command_line import exit_on_error, positive_int
from runtime.errors import ToolkitError
from runtime.files import atomic_writer, write_json
from runtime.manifest import versions
from schemas.region import RegionText
from schemas.scene_graph import CaptionRecord, SceneGraph

FORMATS = {
    "comprecap": comprecap.SOURCE,
    "docci": docci.SOURCE,
    "pixmo": pixmo.SOURCE,
    "coco": coco.SOURCE,
    "visual-genome": visual_genome.SOURCE,
    "coco-regions": coco_regions.SOURCE,
    "visual-genome-regions": visual_genome_regions.SOURCE,
    "plain": plain.SOURCE,
}
NAMES: dict[type, str] = {SceneGraph: GRAPHS, RegionText: REGIONS, CaptionRecord: CAPTIONS}
"""The file of each kind of record."""


def main(argv: Sequence[str] | None = None) -> int:
    """Import a file; exit code 2 when it is not of the format."""
    return exit_on_error(_main)(argv)


def _main(argv: Sequence[str] | None) -> int:
    options = _parser().parse_args(argv)
    source = FORMATS[options.format]
    if options.images and not options.images.is_dir():
        raise ToolkitError("config", f"{options.images}: not a folder", "correct --images")
    inputs = [options.input, *source.others(options)]
    check_output(options.output, inputs, options.overwrite)
    request = Request(
        options.input,
        options.output,
        options.images,
        options.input.parent / source.images,
        options,
    )
    counts = write_import(source, request, options.limit)
    written = "; ".join(f"{name}: {counts[name]:,}" for name in NAMES.values() if counts[name])
    print(
        f"{written}; rows rejected: {counts['rows']:,}; parts of rows left out: {counts['parts']:,}"
    )
    _write_manifest(options, inputs, counts)
    print(f"wrote {options.output}")
    return 0


def _write_manifest(
    options: argparse.Namespace, inputs: Sequence[Path], counts: Counter[str]
) -> None:
    """What the records were made of; no local folders."""
    digests = {}
    for path in inputs:
        with path.open("rb") as file:
            digests[path.name] = hashlib.file_digest(file, "sha256").hexdigest()
    settings = {key: value for key, value in vars(options).items() if isinstance(value, str | int)}
    del settings["overwrite"]
    manifest = {
        "agent": "sources",
        "versions": versions(),
        "inputs": digests,
        "settings": settings,
        "counts": counts,
    }
    write_json(options.output / MANIFEST, manifest)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.sources",
        description="Turn a public data set into captions, scene graphs or regions.",
    )
    formats = parser.add_subparsers(dest="format", metavar="FORMAT", required=True)
    for name, source in FORMATS.items():
        own = formats.add_parser(name, help=source.title, description=source.title)
        own.add_argument("input", metavar="INPUT", type=Path, help=source.expected)
        own.add_argument("--output", metavar="DIR", type=Path, required=True,
                         help="folder for the result")  # fmt: skip
        own.add_argument("--images", metavar="DIR", type=Path,
                         help="folder of images; rows without theirs are rejected")  # fmt: skip
        own.add_argument("--limit", metavar="N", type=positive_int, help="stop after N records")
        own.add_argument("--overwrite", action="store_true",
                         help="replace the import that DIR holds")  # fmt: skip
        source.add_flags(own)
    return parser


def write_import(source: Source, request: Request, limit: int | None) -> Counter[str]:
    """Write the records of each kind to their file, and `rejected.jsonl`.

    Returns how many there are by file, and of `rows` and `parts` left out. Files of other kinds
    that an earlier import left are removed. Raises ToolkitError("input") when no row could be
    used; nothing is written then.
    """
    items = _limited(_imported(source, request), limit)
    early: list[Rejected] = []
    first = next((item for item in items if not _is_rejected(item, early)), None)
    if first is None:
        reason = f"; {early[0].row}: {early[0].reason}" if early else ""
        message = f"{request.input}: no row can be used{reason}"
        raise ToolkitError("input", message, f"expected {source.expected}")
    counts: Counter[str] = Counter()
    with ExitStack() as open_files:
        files = {REJECTED: open_files.enter_context(atomic_writer(request.output / REJECTED))}
        for item in chain(early, [first], items):
            if isinstance(item, Rejected):
                counts["parts"] += len(item.parts)
                counts["rows"] += not item.parts
                files[REJECTED].write(_line(item))
                continue
            name = NAMES[type(item)]
            if name not in files:
                files[name] = open_files.enter_context(atomic_writer(request.output / name))
            counts[name] += 1
            files[name].write(item.model_dump_json(exclude_none=True) + "\n")
    for name in NAMES.values() - files.keys():
        (request.output / name).unlink(missing_ok=True)
    return counts


def _line(item: Rejected) -> str:
    """A line of JSON; half a surrogate pair, which UTF-8 cannot hold, stays an escape."""
    said = {key: value for key, value in asdict(item).items() if value}
    text = json.dumps(said, ensure_ascii=False) + "\n"
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _is_rejected(item: Imported, early: list[Rejected]) -> bool:
    if isinstance(item, Rejected):
        early.append(item)
        return True
    return False


def _limited(items: Iterator[Imported], limit: int | None) -> Iterator[Imported]:
    """Everything up to the `limit`th record."""
    if limit is None:
        yield from items
        return
    left = limit
    for item in items:
        yield item
        left -= not isinstance(item, Rejected)
        if left == 0:
            return


def _imported(source: Source, request: Request) -> Iterator[Imported]:
    """Records, each id once, and what was left out, in the order of the file."""
    seen: dict[bytes, str] = {}
    for place, row in source.rows(request):
        for item in _converted(source, request, row):
            if isinstance(item, Rejected):
                yield replace(item, row=item.row or place)
                continue
            if isinstance(item, RegionText):  # many share an image, and none has a name
                yield item
                continue
            digest = hashlib.blake2b(item.id.encode(), digest_size=16).digest()
            if digest in seen:
                reason = f"id: {item.id!r} was already used in {seen[digest]}"
                yield Rejected(reason, item.id, row=place)
            else:
                seen[digest] = place
                yield item


def _converted(source: Source, request: Request, row: object) -> Iterator[Imported]:
    try:
        if isinstance(row, BadRow):
            raise row
        if not isinstance(row, dict):
            raise BadRow(f"expected an object with {source.expected}")
        items = list(source.convert(row, request))
        for item in items:
            if not isinstance(item, Rejected):
                item.model_dump_json()  # only this finds text that cannot be written
        yield from items
    except BadRow as problem:
        yield Rejected(str(problem))
    except (UnicodeEncodeError, PydanticSerializationError):
        yield Rejected("a text has half a surrogate pair (such as \\ud800), which is no character")
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(map(str, first["loc"]))
        yield Rejected(f"{field}: {first['msg']}")


if __name__ == "__main__":
    sys.exit(main())
