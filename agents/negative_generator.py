"""Negative generator: four wrong alternatives for every element (FINER section 2.3, spec 3.2).

`python -m agents.negative_generator scene_graphs.jsonl --output DIR` writes `negatives.jsonl`. What
fails the mechanical checks is asked again with the reason; an element that still has fewer than
four is dropped and counted.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from agents.base import Agent, AgentContext, gather
from agents.command import AgentCommand, Results, relocate
from schemas.finer import ElementQuestion, NegativeAnswer, NegativeInput
from schemas.scene_graph import (
    NEGATIVES,
    DroppedElement,
    Element,
    NegatedGraph,
    NegatedObject,
    NegatedRelation,
    SceneGraph,
    elements,
)

ROUNDS = 3
CHUNK = 12
"""Elements in one call: more make answers long, and mixed up."""


class Generated(NamedTuple):
    """Four valid negatives, or none and the reason."""

    negatives: tuple[str, ...]
    reason: str


@dataclass
class _Wanted:
    """An element on its way to four negatives."""

    question: ElementQuestion
    others: frozenset[str]
    kept: list[str]
    refused: dict[str, str] = field(default_factory=dict)

    def take(self, candidates: Sequence[str], caption: str) -> None:
        """Keep what passes the checks, up to four; remember why the rest does not."""
        from agents.negative_checks import problem

        for candidate in candidates:
            if len(self.kept) < NEGATIVES:
                reason = problem(self.question, candidate, self.kept, self.others, caption)
                if reason is None:
                    self.kept.append(candidate)
                else:
                    self.refused[candidate] = reason

    def again(self) -> ElementQuestion:
        """The question with everything that must not come again."""
        avoid = dict.fromkeys((*self.question.avoid, *self.kept, *self.refused))
        reasons = "; ".join(f'"{text}": {reason}' for text, reason in self.refused.items())
        problem = reasons or self.question.problem
        return self.question.model_copy(update={"avoid": tuple(avoid), "problem": problem})

    def result(self) -> Generated:
        if len(self.kept) == NEGATIVES:
            return Generated(tuple(self.kept), "")
        last = next((f': "{c}": {why}' for c, why in reversed(self.refused.items())), "")
        return Generated((), f"{len(self.kept)} of {NEGATIVES} valid{last}")


class NegativeGenerator(Agent[SceneGraph, NegatedGraph]):
    """Asks for the negatives of a graph, a dozen elements at a time."""

    name = "negative_generator"
    steps = ("negative_generator",)

    async def run(self, item: SceneGraph, context: AgentContext) -> NegatedGraph:
        """Raises ToolkitError when the backend gives no answer."""
        listed = list(elements(item))
        found = await generate([element_question(e) for e in listed], item, context)
        return _negated(item, listed, found)

    def estimate(self, item: SceneGraph) -> dict[str, int]:
        """One call for each dozen of elements; refused ones are asked again."""
        count = sum(1 for _ in elements(item))
        return {"negative_generator": -(-count // CHUNK) + 1}


def element_question(
    element: Element, avoid: tuple[str, ...] = (), problem: str | None = None
) -> ElementQuestion:
    """The question about one element of a graph."""
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
    """Four valid negatives for each element of `graph` that is asked about.

    `keep` holds negatives that an element has already; only the missing ones are made. Raises
    ToolkitError when the backend gives no answer.
    """
    kept = keep or [()] * len(questions)
    wanted = [
        _Wanted(question, _others(question, graph), list(has))
        for question, has in zip(questions, kept, strict=True)
    ]
    for _ in range(ROUNDS):
        missing = [item for item in wanted if len(item.kept) < NEGATIVES]
        chunks = [missing[start : start + CHUNK] for start in range(0, len(missing), CHUNK)]
        await gather(_ask(chunk, graph, context) for chunk in chunks)
    return [item.result() for item in wanted]


async def _ask(
    chunk: Sequence[_Wanted], graph: SceneGraph | NegatedGraph, context: AgentContext
) -> None:
    inputs = NegativeInput(
        caption=graph.caption,
        objects=tuple(item.name for item in graph.objects),
        elements=tuple(item.again() for item in chunk),
    )
    legend = "\n".join(
        f"element {number}: {item.question.kind} {item.question.text!r}"
        for number, item in enumerate(chunk)
    )
    answer = await context.ask("negative_generator", inputs, NegativeAnswer, legend=legend)
    for found in answer.sets:
        # An index that was not asked for is left alone: its element is simply asked again.
        if found.element < len(chunk):
            chunk[found.element].take(found.negatives, graph.caption or "")


def _others(question: ElementQuestion, graph: SceneGraph | NegatedGraph) -> frozenset[str]:
    """What else the graph says of the same thing; things of one name are taken for one."""
    return frozenset(
        element.text
        for element in elements(graph)
        if element.kind == question.kind
        and element.subject == question.subject
        and element.object == question.object
        and element.text != question.text
    )


def _negated(
    graph: SceneGraph, listed: Sequence[Element], found: Sequence[Generated]
) -> NegatedGraph:
    sets = {
        (element.kind, element.index, element.attribute): made.negatives
        for element, made in zip(listed, found, strict=True)
    }
    objects = tuple(
        NegatedObject(
            **dict(item),
            negatives=sets["object", index, None],
            attribute_negatives=tuple(
                sets["attribute", index, place] for place in range(len(item.attributes))
            ),
        )
        for index, item in enumerate(graph.objects)
    )
    relations = tuple(
        NegatedRelation(**dict(item), negatives=sets["relation", index, None])
        for index, item in enumerate(graph.relations)
    )
    dropped = tuple(
        DroppedElement(kind=element.kind, text=element.text, reason=made.reason)
        for element, made in zip(listed, found, strict=True)
        if not made.negatives
    )
    return NegatedGraph(
        id=graph.id, image=graph.image, caption=graph.caption,
        objects=objects, relations=relations, dropped=dropped,
    )  # fmt: skip


def write_negatives(results: Results) -> Iterator[str]:
    """Write `negatives.jsonl`; yield how many elements of each kind have their four negatives."""
    from agents.execute import write_rejected
    from runtime.files import write_jsonl

    all_of: Counter[str] = Counter()
    dropped: Counter[str] = Counter()

    def rows() -> Iterator[NegatedGraph]:
        for outcome in results.outcomes():
            if outcome.value is not None:
                graph = NegatedGraph.model_validate(outcome.value)
                all_of.update(element.kind for element in elements(graph))
                dropped.update(element.kind for element in graph.dropped)
                yield graph

    graphs = write_jsonl(results.directory / "negatives.jsonl", rows())
    rejected = write_rejected(results)
    for kind, count in all_of.items():
        valid = count - dropped[kind]
        share = 100 * valid / count
        yield f"{kind:10} {valid:,} of {count:,} with four valid negatives ({share:.1f} %)"
    reasons = ", ".join(f"{number:,} {kind}" for kind, number in rejected.items())
    yield f"{graphs:,} graphs in negatives.jsonl; rejected: {reasons or 'none'}"


def _moved(row: SceneGraph, source: Path, target: Path) -> Iterator[SceneGraph]:
    yield row.model_copy(update={"image": relocate(row.image, source, target)})


COMMAND = AgentCommand(
    NegativeGenerator(),
    "agents.negative_generator",
    "Make four wrong alternatives for every object, attribute and relation.",
    SceneGraph,
    _moved,
    ("negatives.jsonl",),
    write_negatives,
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run this agent as a command."""
    return COMMAND.main(argv)


if __name__ == "__main__":
    sys.exit(main())
