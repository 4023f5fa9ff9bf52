"""Attribute consistency of one prediction with one entity (GranFact appendix C.2, spec 1.4)."""

from __future__ import annotations


def attribute_score(
    *, correct: int, wrong: int, recalled: int, predicted_facts: int, truth_facts: int
) -> float:
    """Harmonic mean of fact precision and fact recall, in [0, 1] (rebuilt from the prose).

    All arguments are counts of facts. Both sides without facts give 1; an empty denominator
    gives 0 for its term.
    """
    if predicted_facts == 0 and truth_facts == 0:
        return 1.0
    precision = correct / (correct + wrong) if correct + wrong else 0.0
    recall = recalled / truth_facts if truth_facts else 0.0
    return 2 * precision * recall / (precision + recall) if precision + recall else 0.0
