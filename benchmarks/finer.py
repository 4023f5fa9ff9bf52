"""FINER: questions of scene graphs, the answers of a model, and their paired accuracy.

`python -m benchmarks.finer build|evaluate|score …` (FINER section 2, spec 3.4 and 3.5).
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from runtime.command_line import exit_on_error
from runtime.errors import ToolkitError
from schemas.validation import nearest

COMMANDS = {
    "build": "graphs with negatives → pairs of questions and the seven-level study",
    "evaluate": "questions → what a model answers, and its scores",
    "score": "answers in a CSV file → paired accuracy",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Run one of the commands; without one, list them."""
    return exit_on_error(_main)(argv)


def _main(argv: Sequence[str] | None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help"):
        print("usage: python -m benchmarks.finer COMMAND …   (COMMAND --help for its flags)\n")
        for name, text in COMMANDS.items():
            print(f"  {name:10} {text}")
        return 0
    if words[0] not in COMMANDS:
        message = f"unknown command {words[0]!r}{nearest(words[0], COMMANDS)}"
        raise ToolkitError("config", message, f"expected one of {', '.join(COMMANDS)}")
    return int(importlib.import_module(f"benchmarks.finer_{words[0]}").main(words[1:]))


if __name__ == "__main__":
    sys.exit(main())
