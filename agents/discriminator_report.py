"""The files of the discriminator, and what it says of them at the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from agents.command import Results
from runtime.files import write_jsonl
from schemas.scene_graph import NEGATIVES, elements


def write_discriminated(results: Results) -> Iterator[str]:
    """Write `negatives.jsonl`, `verdicts.jsonl` and `rejected.jsonl`; yield the summary."""
    from agents.execute import in_words, write_rejected

    directory = results.directory
    count = write_jsonl(directory / "negatives.jsonl", (value["graph"] for value in _of(results)))
    write_jsonl(directory / "verdicts.jsonl", _verdicts(results))
    rejected = write_rejected(results)
    reasons = in_words(rejected)
    yield f"{count:,} graphs in negatives.jsonl; rejected: {reasons or 'none'}"
    yield from summary(_tested(results), _verdicts(results))
    if results.settings["text_only"]:
        yield "text only: tested against the captions, no image was seen"


def summary(tested: int, verdicts: Iterable[dict[str, Any]]) -> Iterator[str]:
    """What became of the `tested` elements, and how sure the model was in round 1."""
    counts: Counter[str] = Counter()
    entropy = 0.0
    for verdict in verdicts:
        counts[verdict["decision"]] += 1
        if verdict["round"] == 1:
            probabilities = verdict["probabilities"]
            counts["on top"] += max(probabilities) == probabilities[verdict["positive"]]
            counts[verdict["method"]] += 1
            entropy += verdict["entropy"]
    yield (
        f"{tested:,} elements tested: {counts['keep']:,} kept, {tested - counts['keep']:,} "
        f"dropped, {counts['regenerate']:,} rounds of regeneration"
    )
    answered = counts["logprobs"] + counts["votes"]
    if answered:
        yield (
            f"round 1: the positive on top in {counts['on top'] / answered:.1%}, mean entropy "
            f"{entropy / answered:.3f} nats ({counts['logprobs']:,} by log-probabilities, "
            f"{counts['votes']:,} by votes)"
        )


def _tested(results: Results) -> int:
    return sum(
        len(element.negatives) == NEGATIVES
        for item, outcome in zip(results.items(), results.outcomes(), strict=True)
        if outcome.value is not None
        for element in elements(item)
    )


def _of(results: Results) -> Iterator[dict[str, Any]]:
    return (outcome.value for outcome in results.outcomes() if outcome.value is not None)


def _verdicts(results: Results) -> Iterator[dict[str, Any]]:
    return (verdict for value in _of(results) for verdict in value["verdicts"])
