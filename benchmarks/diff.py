"""Two runs of the negative generator or the discriminator side by side (FINER section 2.3).

`python -m benchmarks.diff RUN_A RUN_B` reads `negatives.jsonl` of both directories, and
`verdicts.jsonl` where there is one, and prints how they differ. It writes nothing, unless asked to
by `--json FILE`.
"""

from __future__ import annotations

import heapq
import re
import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from itertools import zip_longest
from pathlib import Path
from typing import Any, NamedTuple, get_args

from agents.phrases import statement
from runtime.command_line import exit_on_error, positive_int
from runtime.errors import ToolkitError
from runtime.files import read_records, refuse_input, write_json
from schemas.finer import Verdict
from schemas.scene_graph import NEGATIVES, ElementKind, NegatedGraph, elements

KINDS: tuple[ElementKind, ...] = get_args(ElementKind)

_WORD = re.compile(r"\w+")
_ARTICLES = {"a", "an", "the"}
_WIDTH = 44


class Key(NamedTuple):
    """An element by what it says; `number` tells elements of a graph apart that say the same."""

    graph: str
    kind: ElementKind
    text: str
    subject: str | None
    object: str | None
    number: int = 0


Run = Mapping[Key, tuple[str, ...]]
"""Negatives by element."""


def read_run(directory: Path) -> dict[Key, tuple[str, ...]]:
    """All elements of a run, in order; without negatives where they were dropped.

    Raises ToolkitError("input") when the directory holds no run, or a row is not valid.
    """
    path = directory / "negatives.jsonl"
    if not path.is_file():
        raise ToolkitError(
            "input",
            f"{directory}: has no negatives.jsonl",
            "give the --output directory of agents.negative_generator or agents.discriminator",
        )
    run: dict[Key, tuple[str, ...]] = {}
    for graph in read_records(path, NegatedGraph):
        for item in elements(graph):
            key = Key(graph.id, item.kind, item.text, item.subject, item.object)
            while key in run:
                key = key._replace(number=key.number + 1)
            run[key] = item.negatives
    return run


def read_rejections(directory: Path) -> dict[str, float]:
    """Share of the tested elements that the discriminator rejected in round 1, by kind and "all".

    Empty where there is no `verdicts.jsonl`. Raises ToolkitError("input") for an invalid row.
    """
    path = directory / "verdicts.jsonl"
    tested, rejected = Counter[str](), Counter[str]()
    for verdict in read_records(path, Verdict) if path.is_file() else ():
        if verdict.round == 1:
            tested.update((verdict.kind, "all"))
            rejected.update((verdict.kind, "all") if verdict.decision != "keep" else ())
    return {kind: rejected[kind] / tested[kind] for kind in tested}


def overlap(one: Sequence[str], other: Sequence[str]) -> float:
    """Jaccard index of two sets of texts; case, punctuation and articles do not count."""
    first, second = ({_normal(text) for text in texts} for texts in (one, other))
    return len(first & second) / len(first | second)


def compare(a: Run, b: Run, overlaps: Mapping[Key, float], kind: str) -> dict[str, Any]:
    """The figures of one kind of element, or of "all"; None where there is nothing to count.

    `overlap` is the mean over the elements with four negatives in both runs, `valid` the share of
    the common elements that have four in each run.
    """
    of_a, of_b = ([key for key in run if kind in (key.kind, "all")] for run in (a, b))
    common = [key for key in of_a if key in b]
    shared = [overlaps[key] for key in common if key in overlaps]
    return {
        "common": len(common),
        "only": [len(of_a) - len(common), len(of_b) - len(common)],
        "overlap": _mean(shared),
        "valid": [_mean([len(run[key]) == NEGATIVES for key in common]) for run in (a, b)],
    }


def compare_runs(first: Path, second: Path, count: int) -> dict[str, Any]:
    """The figures by kind, and `count` examples of each kind where the runs differ most.

    Raises ToolkitError("input") when a run cannot be read or they have no element in common.
    """
    a, b = read_run(first), read_run(second)
    if not any(key in b for key in a):
        raise ToolkitError(
            "input",
            f"{first} and {second}: no element in common",
            "compare runs on the same scene_graphs.jsonl",
        )
    both = (key for key in a if len(a[key]) == len(b.get(key, ())) == NEGATIVES)
    overlaps = {key: overlap(a[key], b[key]) for key in both}
    rejections = [read_rejections(directory) for directory in (first, second)]
    kinds = {
        kind: compare(a, b, overlaps, kind) | {"rejected": [r.get(kind) for r in rejections]}
        for kind in (*KINDS, "all")
    }
    examples = [
        {**key._asdict(), "overlap": overlaps[key], "negatives": [a[key], b[key]]}
        for kind in KINDS
        for key in heapq.nsmallest(
            count,
            (key for key in overlaps if key.kind == kind and overlaps[key] < 1),
            key=overlaps.__getitem__,
        )
    ]
    return {"runs": [str(first), str(second)], "kinds": kinds, "examples": examples}


def table(found: Mapping[str, Any]) -> Iterator[str]:
    """The comparison as plain text, for a terminal."""
    first, second = found["runs"]
    yield from (f"A  {first}", f"B  {second}", "")
    heads = (
        "common",
        "only A",
        "only B",
        "overlap",
        "valid A",
        "valid B",
        "reject. A",
        "reject. B",
    )
    yield f"{'':10}" + "".join(f"{head:>10}" for head in heads)
    for kind, row in found["kinds"].items():
        counts = "".join(f"{count:>10,}" for count in (row["common"], *row["only"]))
        shares = (row["overlap"], *row["valid"], *row["rejected"])
        yield f"{kind:10}{counts}" + "".join(f"{_percent(share):>10}" for share in shares)
    yield ""
    yield "overlap: mean Jaccard index of the negatives, over elements with four in both runs"
    yield "valid: share of the common elements with four negatives"
    yield "reject.: share of the tested elements that the discriminator rejected in round 1"
    for example in found["examples"]:
        yield from _side_by_side(example)


def _side_by_side(example: Mapping[str, Any]) -> Iterator[str]:
    said = statement(*(example[name] for name in ("kind", "text", "subject", "object")))
    yield ""
    yield f"{example['graph']}: {said}  (overlap {_percent(example['overlap'])})"
    for one, other in zip_longest(*example["negatives"], fillvalue=""):
        yield f"  {one:{_WIDTH}}  {other}"


def _normal(text: str) -> str:
    return " ".join(word for word in _WORD.findall(text.casefold()) if word not in _ARTICLES)


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def _percent(share: float | None) -> str:
    return "n/a" if share is None else f"{share:.1%}"


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit code."""
    return exit_on_error(_main)(argv)


def _main(argv: Sequence[str] | None) -> int:
    parser = ArgumentParser(
        prog="python -m benchmarks.diff",
        description="Compare the negatives of two runs on the same scene graphs.",
    )
    add = parser.add_argument
    add("run_a", metavar="RUN_A", type=Path, help="output directory of a run")
    add("run_b", metavar="RUN_B", type=Path, help="output directory of another one")
    add("--examples", metavar="N", type=positive_int, default=3,
        help="examples of each kind, where the runs differ most (default: 3)")  # fmt: skip
    add("--json", metavar="FILE", type=Path, help="also write the figures and the examples to FILE")
    options = parser.parse_args(argv)
    if options.json:
        refuse_input(options.json, [*options.run_a.glob("*"), *options.run_b.glob("*")])
    found = compare_runs(options.run_a, options.run_b, options.examples)
    for line in table(found):
        print(line)
    if options.json:
        write_json(options.json, found)
    return 0


if __name__ == "__main__":
    sys.exit(main())
