"""Supervised fine-tuning with TRL on the chosen answers, or on rows of prompt and completion.

`python -m training.sft --config FILE --data pairs.jsonl --output DIR`, also under
`accelerate launch -m`. Only the answer is trained, not the prompt.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

from runtime.command_line import exit_on_error
from training.script import Method, run


def _classes() -> tuple[type, Callable[..., Any]]:
    from trl import SFTConfig, SFTTrainer

    return SFTConfig, SFTTrainer


METHOD = Method("sft", "Supervised fine-tuning on the chosen answers.", _classes, rejected=False)


def main(argv: Sequence[str] | None = None) -> int:
    """Train and return the exit code."""
    return exit_on_error(lambda words: run(METHOD, words))(argv)


if __name__ == "__main__":
    sys.exit(main())
