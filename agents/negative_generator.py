"""Negative generator: four wrong alternatives for each element (FINER section 2.3, spec 3.2).

`python -m agents.negative_generator scene_graphs.jsonl --output DIR` writes `negatives.jsonl`.
What fails the mechanical checks is asked again with the reason; an element that has fewer than
four in the end is dropped, with the reason. Another `--backend` makes another set;
`grainwise diff` compares the two.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from agents.base import Agent, AgentContext, gather
from agents.command import AgentCommand, Results, moved
from agents.negative_checks import problem, rival_texts, tidy
from runtime.errors import ToolkitError
from schemas.finer import ElementQuestion, NegativeAnswer, NegativeInput
from schemas.scene_graph import (
    NEGATIVES,
    DroppedElement,
    Element,
    NegatedGraph,
    SceneGraph,
    elements,
    with_negatives,
)

ROUNDS = 3
CHUNK = 12
REFUSED = "refused: "
"""What a record's usage counts, by kind of problem, besides calls and tokens."""

_TOLD = 3  # problems that one element is told of at once


class Generated(NamedTuple):
    """Four valid negatives of one element, or none and why it is dropped."""

    negatives: tuple[str, ...]
    reason: str


class NegativeGenerator(Agent[SceneGraph, NegatedGraph]):
    """Asks for the negatives of a graph, some elements at a time."""

    name = "negative_generator"
    steps = ("negative_generator",)

    async def run(self, item: SceneGraph, context: AgentContext) -> NegatedGraph:
        """The graph with four negatives for each element that is not dropped.

        Raises ToolkitError when the backend gives no usable answer.
        """
        listed = list(elements(item))
        found = await generate([element_question(one) for one in listed], item, context)
        return negated(item, dict(zip(listed, found, strict=True)))

    def estimate(self, item: SceneGraph) -> dict[str, int]:
        """One call for each chunk, and about one more for what is refused."""
        chunks = -(-sum(1 for _ in elements(item)) // CHUNK)
        return {"negative_generator": 2 * chunks}


def element_question(
    element: Element, avoid: tuple[str, ...] = (), problem: str | None = None
) -> ElementQuestion:
    """The question for the negatives of one element."""
    return ElementQuestion(
        kind=element.kind,
        text=element.text,
        subject=element.subject,
        object=element.object,
        avoid=avoid,
        problem=problem,
    )


async def generate(
    questions: Sequence[ElementQuestion],
    graph: SceneGraph | NegatedGraph,
    context: AgentContext,
    keep: Sequence[tuple[str, ...]] | None = None,
) -> list[Generated]:
    """Negatives for some elements of one graph, in their order.

    `keep` are negatives that each element has already: only the missing ones are asked for.
    Raises ToolkitError when the backend gives no usable answer.
    """
    kept = keep or [()] * len(questions)
    pending = [
        _Pending(question, graph, given) for question, given in zip(questions, kept, strict=True)
    ]
    chunks = [pending[start : start + CHUNK] for start in range(0, len(pending), CHUNK)]
    await gather(_fill(chunk, graph, context) for chunk in chunks)
    return [one.result() for one in pending]


async def _fill(
    chunk: Sequence[_Pending], graph: SceneGraph | NegatedGraph, context: AgentContext
) -> None:
    """Ask for what is missing until nothing is, or `ROUNDS` times."""
    names = tuple(dict.fromkeys(item.name for item in graph.objects))
    for _ in range(ROUNDS):
        missing = [one for one in chunk if len(one.negatives) < NEGATIVES]
        if not missing:
            return
        asked = tuple(one.question() for one in missing)
        inputs = NegativeInput(caption=graph.caption, objects=names, elements=asked)

        def in_range(answer: NegativeAnswer, count: int = len(asked)) -> None:
            wrong = [one.element for one in answer.sets if one.element >= count]
            if wrong:
                message = f"sets: {wrong} are no indices of the {count} elements, from 0"
                raise ToolkitError("semantic", message)

        answer = await context.ask("negative_generator", inputs, NegativeAnswer, validate=in_range)
        for number, one in enumerate(missing):
            given = [text for found in answer.sets if found.element == number
                     for text in found.negatives]  # fmt: skip
            context.answers.update(one.take(given))


class _Pending:
    """One element on its way to four negatives."""

    def __init__(
        self, question: ElementQuestion, graph: SceneGraph | NegatedGraph, keep: tuple[str, ...]
    ) -> None:
        self._asked = question
        self._rivals, self._caption = rival_texts(question, graph), graph.caption
        self.negatives = list(keep[:NEGATIVES])
        self._refused: dict[str, str] = {}
        self._last: dict[str, str] = {}
        self._rounds = 0

    def question(self) -> ElementQuestion:
        """What is asked in the next round: with all that must not come again, and why."""
        if not self._rounds:
            return self._asked.model_copy(update={"avoid": (*self._asked.avoid, *self.negatives)})
        avoid = (*self._asked.avoid, *self.negatives, *self._refused)
        return self._asked.model_copy(update={"avoid": avoid, "problem": self._problem()})

    def take(self, given: Sequence[str]) -> Counter[str]:
        """Keep the valid ones of an answer; count the others by kind of problem."""
        self._rounds += 1
        self._last = {}
        counts: Counter[str] = Counter()
        for text in (tidy(self._asked, answer) for answer in given):
            if len(self.negatives) == NEGATIVES:
                break
            wrong = problem(self._asked, text, self.negatives, self._rivals, self._caption)
            if wrong is None:
                self.negatives.append(text)
            else:
                counts[REFUSED + wrong.partition(":")[0]] += 1
                self._last[text] = wrong
        self._refused |= {text: wrong for text, wrong in self._last.items() if text}
        return counts

    def result(self) -> Generated:
        """Four negatives, or the reason why there are none."""
        if len(self.negatives) == NEGATIVES:
            return Generated(tuple(self.negatives), "")
        return Generated((), self._problem())

    def _problem(self) -> str:
        """How many are missing, and what was wrong with some of the last answers."""
        found = f"{len(self.negatives)} of {NEGATIVES} valid negatives were found"
        reasons = [f'"{text}": {wrong}' for text, wrong in self._last.items()][:_TOLD]
        return "; ".join([found, *reasons])


def negated(graph: SceneGraph, found: Mapping[Element, Generated]) -> NegatedGraph:
    """The graph with what was found for each of its elements; the others are dropped."""
    dropped = tuple(
        DroppedElement(kind=one.kind, text=one.text, reason=has.reason)
        for one, has in found.items()
        if has.reason
    )
    negatives = {one.place: has.negatives for one, has in found.items()}
    return with_negatives(graph, negatives, dropped)


def write_negatives(results: Results) -> Iterator[str]:
    """Write `negatives.jsonl`; yield how many elements have four negatives, and what failed."""
    from agents.execute import in_words, write_rejected
    from runtime.files import write_jsonl

    counts: Counter[str] = Counter()

    def rows() -> Iterator[NegatedGraph]:
        for outcome in results.outcomes():
            counts.update({n: int(v) for n, v in outcome.usage.items() if n.startswith(REFUSED)})
            if outcome.value is not None:
                graph = NegatedGraph.model_validate(outcome.value)
                for element in elements(graph):
                    counts[element.kind] += 1
                    counts[f"{element.kind} kept"] += len(element.negatives) == NEGATIVES
                yield graph

    graphs = write_jsonl(results.directory / "negatives.jsonl", rows())
    rejected = write_rejected(results)
    reasons = in_words(rejected)
    yield f"{graphs:,} graphs in negatives.jsonl; rejected: {reasons or 'none'}"
    yield from _summary(counts)


def _summary(counts: Mapping[str, int]) -> Iterator[str]:
    """Shares with four valid negatives by kind, and why answers were refused."""
    kinds = ("object", "attribute", "relation")
    total = sum(counts[kind] for kind in kinds)
    kept = sum(counts[f"{kind} kept"] for kind in kinds)
    parts = ", ".join(f"{counts[f'{kind} kept']:,} of {counts[kind]:,} {kind}s" for kind in kinds)
    share = f"{kept / total:.1%}" if total else "none"
    yield f"four valid negatives: {share} of {total:,} elements ({parts}); {total - kept:,} dropped"
    refused = {name: number for name, number in counts.items() if name.startswith(REFUSED)}
    if refused:
        listed = ", ".join(
            f"{number:,} {name.removeprefix(REFUSED)}" for name, number in sorted(refused.items())
        )
        yield f"{sum(refused.values()):,} answers refused: {listed}"


COMMAND = AgentCommand(
    NegativeGenerator(),
    "agents.negative_generator",
    "Generate four wrong alternatives for every element of scene graphs.",
    SceneGraph,
    moved,
    ("negatives.jsonl",),
    write_negatives,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run this agent as a command."""
    return COMMAND.main(argv)


if __name__ == "__main__":
    sys.exit(main())
