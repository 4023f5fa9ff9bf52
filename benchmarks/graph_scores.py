"""How well a parser's scene graphs agree with a reference: precision, recall and F1 by kind.

`python -m benchmarks.graph_scores PREDICTED.jsonl GOLD.jsonl` (FINER section 2.2). The counts are
summed over all graphs before they are divided. `scoring.graph_match` says what counts as the same
element; synonyms are those of WordNet's nouns.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import get_args

from agents.phrases import statement
from runtime.command_line import exit_on_error, positive_int
from runtime.errors import ToolkitError
from runtime.files import read_records, refuse_input, validate_all, write_json
from schemas.scene_graph import Element, ElementKind, SceneGraph
from scoring.graph_match import GraphMatch, match_graphs

KINDS: tuple[ElementKind, ...] = get_args(ElementKind)


@dataclass(frozen=True, slots=True)
class KindScore:
    """Counts of elements of one kind, and what follows from them: shares from 0 to 1, 0/0 is 0."""

    matched: int
    predicted: int
    gold: int
    precision: float
    recall: float
    f1: float

    @classmethod
    def of(cls, matched: int, predicted: int, gold: int) -> KindScore:
        """The score of some counts."""
        both = predicted + gold
        return cls(
            matched,
            predicted,
            gold,
            matched / predicted if predicted else 0.0,
            matched / gold if gold else 0.0,
            2 * matched / both if both else 0.0,
        )


def compare(predicted: Path, gold: Path) -> dict[str, GraphMatch]:
    """Matches by graph id, in the order of `gold`. A graph that was not predicted is all missing.

    Raises ToolkitError("input") for an invalid row, and for a graph that `gold` does not have.
    """
    references = {graph.id: graph for graph in read_records(gold, SceneGraph)}
    graphs: dict[str, SceneGraph] = {}
    for graph in read_records(predicted, SceneGraph):
        if graph.id not in references:
            message = f"{predicted}: id: {graph.id!r} is not in {gold}"
            raise ToolkitError("input", message, "give the reference of the same captions")
        graphs[graph.id] = graph
    return {
        id: match_graphs(graphs.get(id, _without_elements(graph)), graph, same_kind)
        for id, graph in references.items()
    }


def same_kind(first: str, second: str) -> bool:
    """Whether two nouns are forms of one, or share a likely sense in WordNet."""
    from backends.rules.grammar import singular
    from backends.rules.wordnet import wordnet

    one, other = singular(first), singular(second)
    return one == other or not set(wordnet().synsets(one)).isdisjoint(wordnet().synsets(other))


def _without_elements(graph: SceneGraph) -> SceneGraph:
    return graph.model_copy(update={"objects": (), "relations": ()})


def score(matches: Sequence[GraphMatch]) -> dict[str, KindScore]:
    """Micro-averaged scores of each kind, and of all elements."""
    matched, extra, missing = Counter[str](), Counter[str](), Counter[str]()
    for match in matches:
        matched.update(element.kind for element, _ in match.matched)
        extra.update(element.kind for element in match.extra)
        missing.update(element.kind for element in match.missing)
    for counts in (matched, extra, missing):
        counts["all"] = counts.total()
    return {
        kind: KindScore.of(
            matched[kind], matched[kind] + extra[kind], matched[kind] + missing[kind]
        )
        for kind in (*KINDS, "all")
    }


def table(scores: dict[str, KindScore]) -> Iterator[str]:
    """The scores in percent, for a terminal."""
    yield f"{'kind':10} {'precision':>9} {'recall':>7} {'F1':>6} {'matched':>8} {'pred.':>6} gold"
    for kind, row in scores.items():
        shares = f"{100 * row.precision:9.1f} {100 * row.recall:7.1f} {100 * row.f1:6.1f}"
        yield f"{kind:10} {shares} {row.matched:8} {row.predicted:6} {row.gold:4}"


def disagreements(matches: dict[str, GraphMatch], shown: int) -> Iterator[str]:
    """What is missing (-) and extra (+) in the first `shown` graphs that differ."""
    differing = [(id, match) for id, match in matches.items() if match.missing or match.extra]
    for id, match in differing[:shown]:
        yield f"\n{id}"
        for kind in KINDS:
            for sign, side in (("-", match.missing), ("+", match.extra)):
                yield from (f"  {sign} {_line(item)}" for item in side if item.kind == kind)


def _line(item: Element) -> str:
    return f"{item.kind:9} {statement(item.kind, item.text, item.subject, item.object)}"


def main(argv: Sequence[str] | None = None) -> int:
    """Print the scores; exit code 2 for bad input."""
    return exit_on_error(_main)(argv)


def _main(argv: Sequence[str] | None) -> int:
    options = _parser().parse_args(argv)
    if options.json:
        refuse_input(options.json, [options.predicted, options.gold])
    for path in (options.predicted, options.gold):
        validate_all(path, SceneGraph)
    matches = compare(options.predicted, options.gold)
    scores = score(list(matches.values()))
    print("\n".join([*table(scores), *disagreements(matches, options.show)]))
    if options.json:
        write_json(options.json, {kind: asdict(row) for kind, row in scores.items()})
    return 0


def _parser() -> ArgumentParser:
    parser = ArgumentParser(
        prog="python -m benchmarks.graph_scores",
        description="Score predicted scene graphs against a reference, by kind of element.",
    )
    add = parser.add_argument
    add("predicted", metavar="PREDICTED", type=Path, help="scene_graphs.jsonl of the parser")
    add("gold", metavar="GOLD", type=Path, help="scene graphs of the same captions")
    add("--json", metavar="FILE", type=Path, help="write the scores here too")
    add("--show", metavar="N", type=positive_int, default=0,
        help="list what the first N graphs that differ miss and have too much")  # fmt: skip
    return parser


if __name__ == "__main__":
    sys.exit(main())
