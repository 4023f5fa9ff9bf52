"""What a model costs by LiteLLM's table, for estimates before anything is asked."""

from __future__ import annotations

from backends.litellm_driver import import_litellm
from schemas.config import Price


def table_price(model: str) -> Price | None:
    """US dollars for a million tokens; None where the table does not know the model."""
    entry = import_litellm().model_cost.get(model)
    if entry is None:
        return None
    per_token = (entry.get("input_cost_per_token"), entry.get("output_cost_per_token"))
    return Price(input=(per_token[0] or 0.0) * 1e6, output=(per_token[1] or 0.0) * 1e6)
