"""DPO with TRL, as FINER-Tuning does it (FINER section 3).

`python -m training.dpo --config FILE --data pairs.jsonl --output DIR`, also under
`accelerate launch -m`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from runtime.command_line import exit_on_error
from training.script import Method, run


def _classes() -> tuple[type, Callable[..., Any]]:
    from trl import DPOConfig, DPOTrainer

    return DPOConfig, DPOTrainer


METHOD = Method("dpo", "Direct preference optimisation of chosen over rejected.", _classes)


def main(argv: Sequence[str] | None = None) -> int:
    """Train and return the exit code."""
    return exit_on_error(lambda words: run(METHOD, words))(argv)


if __name__ == "__main__":
    sys.exit(main())
