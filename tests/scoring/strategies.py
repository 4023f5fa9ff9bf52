"""Random judged examples: ties, empty sides, uncertain counts, large quantities."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

QUANTITIES = st.one_of(st.integers(1, 4), st.integers(1, 10**6))
# Few different values, so that ties are common.
ATTRIBUTE_SCORES = st.sampled_from([0.0, 0.25, 0.5, 1 / 3, 1.0])


@st.composite
def examples(draw: Any, uncertain: bool = True) -> dict[str, Any]:
    flags = st.booleans() if uncertain else st.just(False)

    def items(prefix: str, most: int, **extra: Any) -> list[dict[str, Any]]:
        count = draw(st.integers(0, most))
        rows = []
        for index in range(count):
            doubtful = draw(flags)
            rows.append(
                {
                    "id": f"{prefix}{index}",
                    "quantity": draw(QUANTITIES),
                    "uncertain": doubtful,
                    **{name: draw(values) for name, values in extra.items()},
                }
            )
        return rows

    predictions = items("p", 8)
    entities = items("g", 14, depth=st.integers(1, 5))
    judgements = [
        {
            "prediction": p["id"],
            "entity": g["id"],
            "level": draw(st.integers(0, g["depth"])),
            "attribute_score": draw(ATTRIBUTE_SCORES),
        }
        for p in predictions
        for g in entities
        if draw(st.integers(0, 2)) == 0
    ]
    return {
        "id": "example",
        "predictions": predictions,
        "entities": entities,
        "judgements": judgements,
    }
