"""The commands of the description agents: what each reads, and the files it writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from agents.attribute_judge import AttributeJudge
from agents.category_judge import CategoryJudge
from agents.command import AgentCommand, Results, moved, relocate
from agents.response_parser import ResponseParser
from agents.rsr import SemanticRollback
from agents.rsr_files import write_rsr
from runtime.files import write_jsonl
from schemas.record import ImageRecord, JudgedRecord, ParsedRecord, ResponseRecord


def split_responses(row: ImageRecord, source: Path, target: Path) -> Iterator[ResponseRecord]:
    """One record for each response of an image."""
    for index, response in enumerate(row.responses):
        yield ResponseRecord(
            id=f"{row.id}#{index}",
            image_id=row.id,
            index=index,
            image=relocate(row.image, source, target),
            domain=row.domain,
            prompt=row.prompt,
            model=row.model,
            style=row.styles[index] if row.styles else None,
            response=response,
            entities=row.entities,
            reference=row.reference,
        )


def _values(results: Results) -> Iterator[dict[str, object]]:
    return (outcome.value for outcome in results.outcomes() if outcome.value is not None)


def _write_stage(results: Results, name: str) -> Iterator[str]:
    from agents.execute import in_words, write_rejected

    count = write_jsonl(results.directory / name, _values(results))
    rejected = write_rejected(results)
    reasons = in_words(rejected)
    yield f"{count:,} records in {name}; rejected: {reasons or 'none'}"


def _write_parsed(results: Results) -> Iterable[str]:
    return _write_stage(results, "parsed.jsonl")


def _write_levels(results: Results) -> Iterable[str]:
    return _write_stage(results, "levels.jsonl")


def write_judged(results: Results) -> Iterator[str]:
    """Write `judgements.jsonl`, and `judged.jsonl` for the scorer (spec 1.9)."""
    from agents.judged import record_example

    yield from _write_stage(results, "judgements.jsonl")
    examples = (record_example(JudgedRecord.model_validate(value)) for value in _values(results))
    write_jsonl(results.directory / "judged.jsonl", examples)
    yield "score it with: python -m scoring " + str(results.directory / "judged.jsonl")


PARSE = AgentCommand(
    ResponseParser(),
    "agents.response_parser",
    "Parse image descriptions into the objects they claim.",
    ImageRecord,
    split_responses,
    ("parsed.jsonl",),
    _write_parsed,
)
CATEGORIES = AgentCommand(
    CategoryJudge(),
    "agents.category_judge",
    "Judge how fine each parsed object is on every annotated category path.",
    ParsedRecord,
    moved,
    ("levels.jsonl",),
    _write_levels,
)
ATTRIBUTES = AgentCommand(
    AttributeJudge(),
    "agents.attribute_judge",
    "Judge which described facts hold, and write the scorer's input.",
    JudgedRecord,
    moved,
    ("judgements.jsonl", "judged.jsonl"),
    write_judged,
)
RSR = AgentCommand(
    SemanticRollback(),
    "agents.rsr",
    "Rewrite unreliable image descriptions and pair them for preference training.",
    ImageRecord,
    split_responses,
    ("pairs.jsonl", "revisions.jsonl", "scores.json"),
    write_rsr,
)
