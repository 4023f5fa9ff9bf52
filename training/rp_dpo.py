"""RP-DPO: direct preference optimisation with a margin for each pair (GranFact section 5.3).

`python -m training.rp_dpo --config FILE --data pairs.jsonl --output DIR`, also under
`accelerate launch -m`.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from runtime.command_line import exit_on_error
from training.script import Method, run


def main(argv: Sequence[str] | None = None) -> int:
    """Train and return the exit code."""
    method = Method("rp_dpo", "RP-DPO: DPO with a margin for each pair.", needs_margin=True)
    return exit_on_error(lambda words: run(method, words))(argv)


if __name__ == "__main__":
    sys.exit(main())
