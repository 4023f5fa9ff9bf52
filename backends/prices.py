"""What a model costs by LiteLLM's table."""

from __future__ import annotations

from backends.quiet_litellm import import_litellm
from schemas.config import Price


def table_price(model: str) -> Price | None:
    """US dollars for a million tokens; None where the table does not know the model."""
    table = import_litellm().model_cost
    entry = table.get(model)
    if entry is None:  # OpenAI's and Anthropic's stand there without the provider's name
        provider, _, name = model.partition("/")
        entry = table.get(name)
        if entry is None or entry.get("litellm_provider") != provider:
            return None
    per_token = (entry.get("input_cost_per_token"), entry.get("output_cost_per_token"))
    return Price(input=(per_token[0] or 0.0) * 1e6, output=(per_token[1] or 0.0) * 1e6)
