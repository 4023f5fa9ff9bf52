"""`--dry-run`: how many calls a run would make, how many tokens, what it would cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from agents.base import Agent, In, Out
from backends.base import Backend
from backends.registry import check_needs, open_backend
from prompts import has_prompt, load_prompt
from schemas.config import BackendConfig, Config, LiteLLMConfig

CHARACTERS_A_TOKEN = 4
# Rough sizes of one call. An image is counted as 1,000 tokens.
INPUT_TOKENS = {
    "response_parser": 300, "category_judge": 30, "attribute_judge": 150, "rsr": 500,
    "caption_parser": 250, "caption_verifier": 1300, "negative_generator": 400,
    "discriminator": 1150, "finer_answer": 1150, "finer_tuning": 80,
    "model": 1500, "critic": 1250, "rater": 2500, "region_writer": 1000,
}  # fmt: skip
OUTPUT_TOKENS = {
    "response_parser": 250, "category_judge": 10, "attribute_judge": 60, "rsr": 250,
    "caption_parser": 400, "caption_verifier": 20, "negative_generator": 350,
    "discriminator": 1, "finer_answer": 3, "finer_tuning": 50,
    "model": 200, "critic": 150, "rater": 150, "region_writer": 250,
}  # fmt: skip


def dry_run(agent: Agent[In, Out], items: Iterable[In], config: Config) -> None:
    """Print the estimate; nothing is asked and nothing is written.

    Raises ToolkitError (capability) for a backend that cannot do what the agent needs.
    """

    def backend(step: str) -> Backend:
        return open_backend(config.backend(step))

    check_needs(config, agent.needs, backend)
    calls: Counter[str] = Counter()
    records = 0
    for item in items:
        records += 1
        calls.update(agent.estimate(item))
    for step, votes in agent.votes.items():
        calls[step] *= 1 if backend(step).capabilities.logprobs else votes
    print(f"{records:,} records; estimated calls, without retries, equal ones not merged:")
    total = 0.0
    for step in agent.steps:
        text = load_prompt(step, config.prompts).text if has_prompt(step) else ""
        prompt = len(text) // CHARACTERS_A_TOKEN + INPUT_TOKENS[step]
        sent, received = calls[step] * prompt, calls[step] * OUTPUT_TOKENS[step]
        cost = _cost(config.backend(step), sent, received)
        total += cost or 0.0
        price = "price unknown" if cost is None else f"${cost:,.2f}"
        print(
            f"  {step:18} {config.backend_name(step):12} {calls[step]:>10,} calls "
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
