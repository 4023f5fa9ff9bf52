"""`python -m benchmarks.sources FORMAT INPUT --output DIR`."""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, replace
from itertools import chain
from pathlib import Path

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from benchmarks.sources import coco, comprecap, docci, pixmo, plain, visual_genome
from benchmarks.sources.base import BadRow, Imported, Rejected, Request, Source
from benchmarks.sources.output import CAPTIONS, GRAPHS, MANIFEST, REJECTED, check_output
from runtime.command_line import exit_on_error, positive_int
from runtime.errors import ToolkitError
from runtime.files import atomic_writer, write_json
from runtime.manifest import versions
from schemas.scene_graph import SceneGraph

FORMATS = {
    "comprecap": comprecap.SOURCE,
    "docci": docci.SOURCE,
    "pixmo": pixmo.SOURCE,
    "coco": coco.SOURCE,
    "visual-genome": visual_genome.SOURCE,
    "plain": plain.SOURCE,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Import a file; exit code 2 when it is not of the format."""
    return exit_on_error(_main)(argv)


def _main(argv: Sequence[str] | None) -> int:
    options = _parser().parse_args(argv)
    source = FORMATS[options.format]
    if options.images and not options.images.is_dir():
        raise ToolkitError("config", f"{options.images}: not a folder", "correct --images")
    check_output(options.output, options.input, options.overwrite)
    request = Request(
        options.input,
        options.output,
        options.images,
        options.input.parent / source.images,
        options,
    )
    counts = write_import(source, request, options.limit)
    name = GRAPHS if counts["graphs"] else CAPTIONS
    print(
        f"{name}: {counts['records']:,}; rows rejected: {counts['rows']:,}; "
        f"parts of rows left out: {counts['parts']:,}"
    )
    _write_manifest(options, counts)
    print(f"wrote {options.output}")
    return 0


def _write_manifest(options: argparse.Namespace, counts: Counter[str]) -> None:
    """What the records were made of; no local folders."""
    with options.input.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    settings = {key: value for key, value in vars(options).items() if isinstance(value, str | int)}
    del settings["overwrite"]
    manifest = {
        "agent": "sources",
        "versions": versions(),
        "inputs": {options.input.name: digest},
        "settings": settings,
        "counts": counts,
    }
    write_json(options.output / MANIFEST, manifest)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.sources",
        description="Turn a public data set into captions.jsonl or scene_graphs.jsonl.",
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
    """Write the records and `rejected.jsonl`; returns how many `records`, `rows`, `parts`.

    A file of the other kind that an earlier import left is removed. Raises ToolkitError("input")
    when no row could be used; nothing is written then.
    """
    items = _limited(_imported(source, request), limit)
    early: list[Rejected] = []
    first = next((item for item in items if not _is_rejected(item, early)), None)
    if first is None:
        reason = f"; {early[0].row}: {early[0].reason}" if early else ""
        message = f"{request.input}: no row can be used{reason}"
        raise ToolkitError("input", message, f"expected {source.expected}")
    counts = Counter(graphs=int(isinstance(first, SceneGraph)))
    name, other = (GRAPHS, CAPTIONS) if counts["graphs"] else (CAPTIONS, GRAPHS)
    with (
        atomic_writer(request.output / name) as records,
        atomic_writer(request.output / REJECTED) as rejected,
    ):
        for item in chain(early, [first], items):
            if isinstance(item, Rejected):
                counts["parts"] += len(item.parts)
                counts["rows"] += not item.parts
                rejected.write(_line(item))
            else:
                counts["records"] += 1
                records.write(item.model_dump_json(exclude_none=True) + "\n")
    (request.output / other).unlink(missing_ok=True)
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
    for place, row in source.rows(request.input):
        for item in _converted(source, request, row):
            if isinstance(item, Rejected):
                yield replace(item, row=place)
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
