"""Discriminator: does a vision model see through the negatives? (FINER section 2.3, spec 3.3.)

`python -m agents.discriminator negatives.jsonl --output DIR` shows the image and five shuffled
statements, the true one and its four negatives, and writes `negatives.jsonl` (what survived) and
`verdicts.jsonl` (every round with every probability). What the model takes for true, or cannot
tell from the truth, is generated again; what is still ambiguous at the end is dropped.

The paper gives no thresholds. By default an element is ambiguous when the entropy over its five
options is above 0.5 nats, as when the positive has 80 % and one negative the rest; negatives of
more than 10 %, half of an equal share, are generated again.
"""

from __future__ import annotations

import math
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Mapping, Sequence

from agents.base import Agent, AgentContext, gather
from agents.command import CaptionedCommand, Flags, moved, require_caption
from agents.discriminator_report import write_discriminated
from agents.discriminator_rounds import ElementTest, Evidence, Thresholds
from runtime.command_line import positive_int, share
from schemas.config import MAX_ENTROPY, Config
from schemas.finer import DiscriminatedGraph
from schemas.scene_graph import (
    NEGATIVES,
    DroppedElement,
    NegatedGraph,
    elements,
    with_negatives,
)


class Discriminator(Agent[NegatedGraph, DiscriminatedGraph]):
    """Tests all elements of a graph at once. An element without four negatives stays as it is."""

    name = "discriminator"
    steps = ("discriminator", "negative_generator")

    def __init__(self, thresholds: Thresholds | None = None, text_only: bool = False) -> None:
        self.thresholds, self.text_only = thresholds or Thresholds(), text_only
        self.settings = {**self.thresholds.model_dump(), "text_only": text_only}
        self.needs: Mapping[str, set[str]] = {} if text_only else {"discriminator": {"vision"}}
        self.votes = {"discriminator": self.thresholds.votes}

    async def run(self, item: NegatedGraph, context: AgentContext) -> DiscriminatedGraph:
        """The graph with what survived, and all verdicts.

        Raises ToolkitError, of kind "image" when the image cannot be read.
        """
        evidence = await self._evidence(item, context)
        tested = await gather(
            ElementTest(element, item, evidence, self.thresholds, context).run()
            for element in elements(item)
            if len(element.negatives) == NEGATIVES
        )
        dropped = tuple(
            DroppedElement(kind=one.element.kind, text=one.element.text, reason=one.reason)
            for one in tested
            if one.reason
        )
        negatives = {one.element.place: one.negatives for one in tested}
        graph = with_negatives(item, negatives, item.dropped + dropped)
        graph = graph.model_copy(update={"tested_against": evidence.kind})
        verdicts = tuple(verdict for one in tested for verdict in one.verdicts)
        return DiscriminatedGraph(id=item.id, graph=graph, verdicts=verdicts)

    def estimate(self, item: NegatedGraph) -> dict[str, int]:
        """All rounds of every element."""
        count = sum(len(element.negatives) == NEGATIVES for element in elements(item))
        rounds = self.thresholds.max_rounds
        return {"discriminator": count * rounds, "negative_generator": count * (rounds - 1)}

    async def _evidence(self, graph: NegatedGraph, context: AgentContext) -> Evidence:
        if not self.text_only:
            return Evidence((await context.image(graph.image),), None)
        return Evidence((), require_caption(graph.caption, graph.id))


def _entropy(text: str) -> float:
    """An argparse type: an entropy of five options."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 <= value <= MAX_ENTROPY:
        raise ArgumentTypeError(f"expected a number from 0 to {MAX_ENTROPY:.3f}, got {text!r}")
    return value


def _add_flags(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("--regenerate-with", metavar="BACKEND",
        help="backend of the negative generator, where negatives are generated again")  # fmt: skip
    add("--text-only", action="store_true",
        help="test against the captions instead of the images, and mark the output so")  # fmt: skip
    add("--max-entropy", metavar="X", type=_entropy, help=_decided("max_entropy",
        "an element is ambiguous above this entropy, in nats, at most ln 5 = 1.609"))  # fmt: skip
    add("--regenerate-above", metavar="P", type=share, help=_decided("regenerate_above",
        "of an ambiguous element, replace the negatives above this probability, or else the "
        "likeliest one"))  # fmt: skip
    add("--max-rounds", metavar="N", type=positive_int, help=_decided("max_rounds",
        "drop what is ambiguous in the Nth round"))  # fmt: skip
    add("--votes", metavar="K", type=positive_int, help=_decided("votes",
        "calls for each question where the backend gives no log-probabilities"))  # fmt: skip


def _decided(name: str, text: str) -> str:
    """The help of a flag that wins over the config."""
    default = Thresholds.model_fields[name].default
    return f"{text} (default: discriminator.{name} of the config, else {default})"


def _agent(own: Namespace, config: Config) -> Discriminator:
    flags = {name: getattr(own, name) for name in Thresholds.model_fields}
    given = {name: value for name, value in flags.items() if value is not None}
    thresholds = Thresholds.model_validate(config.discriminator.model_dump() | given)
    return Discriminator(thresholds, own.text_only)


def _backends(own: Namespace) -> tuple[str, ...]:
    return (f"negative_generator={own.regenerate_with}",) if own.regenerate_with else ()


COMMAND = CaptionedCommand(
    Discriminator(),
    "agents.discriminator",
    "Keep the negatives that a vision model can tell from what the image shows.",
    NegatedGraph,
    moved,
    ("negatives.jsonl", "verdicts.jsonl"),
    write_discriminated,
    Flags(_add_flags, _agent, _backends),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run this agent as a command."""
    return COMMAND.main(argv)


if __name__ == "__main__":
    sys.exit(main())
