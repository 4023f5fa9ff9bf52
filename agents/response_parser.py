"""Response parser: free text → the objects it claims (GranFact section 4.2.1, appendix C.1).

`python -m agents.response_parser IMAGES --output DIR` writes `parsed.jsonl`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from agents.base import Agent, AgentContext, gather
from schemas.entity import GroundTruthEntity, ParsedResponse, ParseInput, PredictedEntity
from schemas.record import ParsedRecord, ResponseRecord


async def parse(
    text: str, domain: str | None, context: AgentContext
) -> tuple[PredictedEntity, ...]:
    """Entities that `text` claims, in order of first mention."""
    inputs = ParseInput.model_validate({"response": text, "domain": domain})
    answer = await context.ask("response_parser", inputs, ParsedResponse)
    return answer.entities


class ResponseParser(Agent[ResponseRecord, ParsedRecord]):
    """Parses the response, and the reference where there are no annotated entities."""

    name = "response_parser"
    steps = ("response_parser",)

    async def run(self, item: ResponseRecord, context: AgentContext) -> ParsedRecord:
        """One or two calls."""
        if item.entities is not None:
            predictions = await parse(item.response, item.domain, context)
            return _parsed(item, item.entities, "entities", predictions)
        reference = item.reference or ""
        predictions, claims = await gather(
            [parse(text, item.domain, context) for text in (item.response, reference)]
        )
        return _parsed(item, tuple(map(_as_ground_truth, claims)), "reference", predictions)

    def estimate(self, item: ResponseRecord) -> dict[str, int]:
        """One call for the response, one for a reference."""
        return {"response_parser": 1 if item.entities is not None else 2}


def _as_ground_truth(claim: PredictedEntity) -> GroundTruthEntity:
    return GroundTruthEntity(
        path=(claim.category,), quantity=claim.quantity, attributes=claim.attributes
    )


def _parsed(
    item: ResponseRecord,
    entities: tuple[GroundTruthEntity, ...],
    source: str,
    predictions: tuple[PredictedEntity, ...],
) -> ParsedRecord:
    fields = item.model_dump(exclude={"entities"})
    return ParsedRecord(**fields, entities=entities, ground_truth=source, predictions=predictions)


def main(argv: Sequence[str] | None = None) -> int:
    """Run this agent as a command."""
    from agents.stages import PARSE

    return PARSE.main(argv)


if __name__ == "__main__":
    sys.exit(main())
