"""Reinforcement learning with TRL: GRPO or RLOO with the critic as reward (FGAM section 3.3.3).

`python -m training.rl --config FILE --data rl.jsonl --output DIR`, also under
`accelerate launch -m`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from runtime.command_line import exit_on_error
from runtime.config import read_yaml
from schemas.training import RLConfig
from training.data import Row
from training.rewards import open_reward
from training.script import Method, parse, train


def _grpo() -> tuple[type, Callable[..., Any]]:
    from trl import GRPOConfig, GRPOTrainer

    return GRPOConfig, GRPOTrainer


def _rloo() -> tuple[type, Callable[..., Any]]:
    from trl import RLOOConfig, RLOOTrainer

    return RLOOConfig, RLOOTrainer


@contextmanager
def _reward(config: RLConfig, source: Path, rows: list[Row]) -> Iterator[dict[str, Any]]:
    with open_reward(config, source, rows) as reward:
        yield {"reward_funcs": [reward]}


_DESCRIPTION = "Reinforcement learning with a reward function, such as the critic's consistency."
METHODS = {
    name: Method("rl", _DESCRIPTION, classes, rejected=False, answer=False, more=_reward)
    for name, classes in {"grpo": _grpo, "rloo": _rloo}.items()
}


def main(argv: Sequence[str] | None = None) -> int:
    """Train and return the exit code."""
    return exit_on_error(_main)(argv)


def _main(argv: Sequence[str] | None) -> int:
    options = parse("rl", _DESCRIPTION, argv, data="rl.jsonl of agents.rectifier")
    config = read_yaml(options.config, RLConfig)
    train(METHODS[config.method], config, options)
    return 0


if __name__ == "__main__":
    sys.exit(main())
