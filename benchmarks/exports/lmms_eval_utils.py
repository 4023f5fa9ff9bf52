"""Functions of the lmms-eval tasks in this folder: prompt, reading of answers, paired accuracy."""

from __future__ import annotations

from typing import Any

from benchmarks.finer_prompt import UNPARSED, chosen_option, prompt


def doc_to_visual(doc: dict[str, Any]) -> list[Any]:
    """The image of a question."""
    return [doc["image"].convert("RGB")]


def doc_to_text(doc: dict[str, Any], lmms_eval_specific_kwargs: Any = None) -> str:
    """The prompt of the published evaluation; questions of Yes and No are asked as they are."""
    return prompt(doc["question"], doc["choices"])


def doc_to_target(doc: dict[str, Any]) -> str:
    """The text of the right option."""
    return str(doc["choices"][doc["gt_index"]])


def process_results(doc: dict[str, Any], results: list[str]) -> dict[str, Any]:
    """What one answer adds to the metrics of its setting."""
    chosen = chosen_option(results[0], doc["choices"])
    right = chosen == doc["gt_index"]
    return {
        "paired_accuracy": {"pair": doc["pair"], "right": right},
        "accuracy": float(right),
        "unparsed": float(chosen == UNPARSED),
    }


def process_level_results(doc: dict[str, Any], results: list[str]) -> dict[str, float]:
    """What one answer adds to the metrics of the seven-level study."""
    chosen = chosen_option(results[0], doc["choices"])
    right = float(chosen == doc["gt_index"])
    return {doc["qtype"]: right, "accuracy": right, "unparsed": float(chosen == UNPARSED)}


def paired_accuracy(items: list[dict[str, Any]]) -> float:
    """Share of pairs with both answers right; a pair of which one was not asked is left out."""
    pairs: dict[int, list[bool]] = {}
    for item in items:
        pairs.setdefault(item["pair"], []).append(item["right"])
    asked = [all(answers) for answers in pairs.values() if len(answers) == 2]
    return sum(asked) / len(asked) if asked else 0.0
