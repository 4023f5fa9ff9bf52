"""GranFact: the nine metrics of each model and prompt style, with intervals and by domain.

`python -m benchmarks.granfact evaluate IMAGES --output DIR` (GranFact section 4.3, spec 1.8).
The input is the one of `agents.rsr`; `model` names the model that responded and `styles` the
prompt style of each response.
"""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from agents.attribute_judge import judge_attributes
from agents.base import Agent, AgentContext
from agents.category_judge import CategoryJudge
from agents.command import AgentCommand, Results
from agents.judged import record_example
from agents.response_parser import ResponseParser
from agents.stages import split_responses, write_judged
from runtime.command_line import exit_on_error
from runtime.errors import ToolkitError
from runtime.files import atomic_writer, write_json
from schemas.judged import ExampleResult
from schemas.record import PROMPT_STYLES, ImageRecord, JudgedRecord, ResponseRecord
from scoring.metrics import ResultsByImage, score_example

METRICS = ("IRR", "P", "R", "F1", "gIRR", "gP", "gR", "gF1", "G")

Group = tuple[str, str, str]
"""Model, prompt style, domain ("all" for the whole)."""


class GranFactJudge(Agent[ResponseRecord, JudgedRecord]):
    """Parses a response and judges it, without any rewriting."""

    name = "granfact"
    steps = ("response_parser", "category_judge", "attribute_judge")

    async def run(self, item: ResponseRecord, context: AgentContext) -> JudgedRecord:
        """The first three steps of `agents.rsr`, so that both share their cached calls."""
        parsed = await ResponseParser().run(item, context)
        judged = await CategoryJudge().run(parsed, context)
        pairs = await judge_attributes(
            judged.predictions, judged.entities, judged.judgements, context
        )
        return judged.model_copy(update={"judgements": pairs})

    def estimate(self, item: ResponseRecord) -> dict[str, int]:
        """A guess from lengths: about one object in fifteen words."""
        objects = max(1, len(item.response.split()) // 15)
        nodes = sum(entity.depth for entity in item.entities or ()) or objects
        return {
            **ResponseParser().estimate(item),
            "category_judge": max(1, objects * nodes // 2),
            "attribute_judge": objects,
        }


def style_of(record: ResponseRecord) -> str:
    """The stated style, else the one whose prompt was used, else "custom"."""
    if record.style:
        return record.style
    return next((name for name, text in PROMPT_STYLES.items() if text == record.prompt), "custom")


def collect(results: Results) -> dict[Group, ResultsByImage]:
    """Results by group; each response counts in its domain and in "all"."""
    groups: dict[Group, ResultsByImage] = defaultdict(ResultsByImage)
    values = (outcome.value for outcome in results.outcomes() if outcome.value is not None)
    records = map(JudgedRecord.model_validate, values)
    # The responses of an image stand together, as they come from one row.
    for _, image in groupby(records, key=lambda record: record.image_id):
        scored: dict[Group, list[ExampleResult]] = defaultdict(list)
        for record in image:
            result = score_example(record_example(record))
            for domain in {"all", record.domain or "all"}:
                scored[record.model or "unnamed", style_of(record), domain].append(result)
        for group, of_image in scored.items():
            groups[group].add(of_image)
    return groups


def tabulate(groups: Mapping[Group, ResultsByImage], seed: int) -> list[dict[str, Any]]:
    """One row for each group: metrics, intervals, examples, empty responses."""
    from scoring.bootstrap import bootstrap

    return [
        {"model": model, "style": style, "domain": domain, "images": len(kept)}
        | kept.metrics().model_dump()
        | {"intervals": bootstrap(kept, seed=seed)}
        for (model, style, domain), kept in sorted(groups.items())
    ]


def write_evaluation(results: Results) -> Iterator[str]:
    """Write the judged files, `metrics.json` and `metrics.md`; yield the table."""
    yield from write_judged(results)
    rows = tabulate(collect(results), results.seed)
    write_json(results.directory / "metrics.json", rows)
    with atomic_writer(results.directory / "metrics.md") as file:
        file.write(markdown(rows))
    yield from table(rows)


def markdown(rows: Sequence[dict[str, Any]]) -> str:
    """The table with 95 % intervals, whole set first, then by domain."""
    head = ["model", "style", "domain", "examples", *METRICS]
    lines = ["# GranFact", "", "Metrics in percent; 95 % bootstrap intervals over images.", ""]
    lines += ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    for row in sorted(rows, key=lambda row: row["domain"] != "all"):
        cells = [row["model"], row["style"], row["domain"], str(row["examples"])]
        cells += [_cell(row, name) for name in METRICS]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n"


def _cell(row: dict[str, Any], name: str) -> str:
    low, high = row["intervals"][name]
    return f"{100 * row[name]:.1f} [{100 * low:.1f}, {100 * high:.1f}]"


def table(rows: Sequence[dict[str, Any]]) -> Iterator[str]:
    """The whole set as plain text, for a terminal."""
    yield f"{'model':14} {'style':13} {'n':>5} " + " ".join(f"{name:>6}" for name in METRICS)
    for row in rows:
        if row["domain"] == "all":
            numbers = " ".join(f"{100 * row[name]:6.1f}" for name in METRICS)
            yield f"{row['model']:14} {row['style']:13} {row['examples']:5} {numbers}"


EVALUATE = AgentCommand(
    GranFactJudge(),
    "benchmarks.granfact evaluate",
    "Judge responses and write the nine GranFact metrics by model, style and domain.",
    ImageRecord,
    split_responses,
    ("judgements.jsonl", "judged.jsonl", "metrics.json", "metrics.md"),
    write_evaluation,
)


def main(argv: Sequence[str] | None = None) -> int:
    """`evaluate` is the only subcommand so far."""
    return exit_on_error(_main)(argv)


def _main(argv: Sequence[str] | None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] not in ("evaluate", "-h", "--help"):
        message = "expected `python -m benchmarks.granfact evaluate INPUT --output DIR`"
        raise ToolkitError("config", message, "add the word `evaluate`")
    return EVALUATE.main(words[1:] if words[0] == "evaluate" else words)


if __name__ == "__main__":
    sys.exit(main())
