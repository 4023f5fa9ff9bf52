"""`--dry-run`: how many calls a run would make, how many tokens, what it would cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from agents.base import Agent, In, Out
from prompts import load_prompt
from schemas.config import BackendConfig, Config, LiteLLMConfig

CHARACTERS_A_TOKEN = 4
INPUT_TOKENS = {"response_parser": 300, "category_judge": 30, "attribute_judge": 150, "rsr": 500}
OUTPUT_TOKENS = {"response_parser": 250, "category_judge": 10, "attribute_judge": 60, "rsr": 250}


def dry_run(agent: Agent[In, Out], items: Iterable[In], config: Config) -> None:
    """Print the estimate; nothing is asked and nothing is written."""
    calls: Counter[str] = Counter()
    records = 0
    for item in items:
        records += 1
        calls.update(agent.estimate(item))
    print(f"{records:,} records; estimated upper bounds, before caching of identical questions:")
    total = 0.0
    for step in agent.steps:
        prompt = len(load_prompt(step).text) // CHARACTERS_A_TOKEN + INPUT_TOKENS[step]
        sent, received = calls[step] * prompt, calls[step] * OUTPUT_TOKENS[step]
        cost = _cost(config.backend(step), sent, received)
        total += cost or 0.0
        price = "price unknown" if cost is None else f"${cost:,.2f}"
        print(
            f"  {step:16} {config.backend_name(step):12} {calls[step]:>10,} calls "
            f"{sent:>14,} + {received:,} tokens  {price}"
        )
    print(f"  total ${total:,.2f}; nothing was called")


def _cost(profile: BackendConfig, sent: int, received: int) -> float | None:
    """US dollars from the config's price, else from LiteLLM's table; None where neither knows."""
    if profile.price:
        return (sent * profile.price.input + received * profile.price.output) / 1e6
    if not isinstance(profile, LiteLLMConfig):
        return 0.0
    from backends.prices import table_price

    price = table_price(profile.model)
    return None if price is None else (sent * price.input + received * price.output) / 1e6
