"""RP-DPO: direct preference optimisation with a margin for each pair (GranFact section 5.3).

`python -m training.rp_dpo --config FILE --data pairs.jsonl --output DIR`, also under
`accelerate launch -m`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from runtime.command_line import exit_on_error
from training.script import Method, run

if TYPE_CHECKING:
    from training.rp_dpo_trainer import RPDPOConfig, RPDPOTrainer

__all__ = ["RPDPOConfig", "RPDPOTrainer", "main"]


def _classes() -> tuple[type, Callable[..., Any]]:
    from training import rp_dpo_trainer

    return rp_dpo_trainer.RPDPOConfig, rp_dpo_trainer.RPDPOTrainer


METHOD = Method("rp_dpo", "RP-DPO: DPO with a margin for each pair.", _classes, margin=True)


def __getattr__(name: str) -> Any:
    """`RPDPOTrainer` and `RPDPOConfig`, imported when asked for: they load torch."""
    if name in ("RPDPOConfig", "RPDPOTrainer"):
        from training import rp_dpo_trainer

        return getattr(rp_dpo_trainer, name)
    raise AttributeError(name)


def main(argv: Sequence[str] | None = None) -> int:
    """Train and return the exit code."""
    return exit_on_error(lambda words: run(METHOD, words))(argv)


if __name__ == "__main__":
    sys.exit(main())
