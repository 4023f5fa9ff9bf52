"""`grainwise COMMAND …`: a thin index of the commands that `python -m` runs."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Sequence

from runtime.command_line import exit_on_error
from runtime.errors import ToolkitError
from schemas.validation import nearest

COMMANDS = {
    "rsr": ("agents.rsr", "responses → preference pairs with margins (the main job)"),
    "response-parser": ("agents.response_parser", "responses → the objects they claim"),
    "category-judge": ("agents.category_judge", "claimed objects → level on each category path"),
    "attribute-judge": ("agents.attribute_judge", "compatible pairs → facts that hold"),
    "caption-parser": ("agents.caption_parser", "captions → scene graphs"),
    "graph-scores": ("benchmarks.graph_scores", "scene graphs against a reference, by kind"),
    "negative-generator": ("agents.negative_generator", "scene graphs → four negatives each"),
    "discriminator": ("agents.discriminator", "negatives → those that a vision model sees through"),
    "finer-tuning": ("agents.finer_tuning", "captions or graphs → question pairs for training"),
    "finer": ("benchmarks.finer", "negatives → questions; answers of a model → paired accuracy"),
    "region-writer": ("agents.region_writer", "captions → boxes with texts for region training"),
    "diff": ("benchmarks.diff", "two runs of the negative generator side by side"),
    "import": ("benchmarks.sources", "CompreCap, DOCCI, PixMo, COCO, Visual Genome → our files"),
    "export": (
        "benchmarks.exports",
        "questions → Hugging Face, VLMEvalKit, lmms-eval; pairs → TRL, LLaMA-Factory, ms-swift",
    ),
    "rectifier": (
        "agents.rectifier",
        "questions → responses corrected with a critic, step by step",
    ),
    "rp-dpo": ("training.rp_dpo", "preference pairs with margins → a tuned model"),
    "dpo": ("training.dpo", "preference pairs → a tuned model"),
    "sft": ("training.sft", "answers → a tuned model"),
    "rl": ("training.rl", "prompts and a reward, such as the critic's → a tuned model"),
    "hybrid": ("training.hybrid", "revisions, then prompts and a reward → a tuned model"),
    "fgam": ("training.fgam", "regions and captions → a dual encoder aligned with both"),
    "score": ("scoring", "judged responses → the nine GranFact metrics"),
    "granfact": ("benchmarks.granfact", "responses of models → table of metrics with intervals"),
    "report": ("pages.report", "finished runs → one page: scores, plots, samples"),
    "review": ("pages.review", "a page on which a person accepts, rejects and edits what was made"),
    "check": ("agents.check", "ask every configured backend whether it works"),
}


PACKAGES = {"scoring", "benchmarks.sources", "benchmarks.exports", "training.fgam"}
"""Commands that are packages: their `__main__` has the function."""


PAIR_FORMATS = {"trl", "llamafactory", "ms-swift"}
"""Formats of `export` for training pairs; the others are for questions."""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command; without one, list them."""
    return exit_on_error(_main)(argv)


def _main(argv: Sequence[str] | None) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    if not words or words[0] in ("-h", "--help"):
        print("usage: grainwise COMMAND …   (grainwise COMMAND --help for its flags)\n")
        for name, (module, text) in COMMANDS.items():
            print(f"  {name:18} {text}  [python -m {module}]")
        return 0
    if words[0] not in COMMANDS:
        message = f"unknown command {words[0]!r}{nearest(words[0], COMMANDS)}"
        raise ToolkitError("config", message, "run `grainwise --help` for the list")
    check_agents_package()
    module = COMMANDS[words[0]][0]
    if words[0] == "export" and PAIR_FORMATS.intersection(words[1:2]):
        module = "training.exports"
    target = f"{module}.__main__" if module in PACKAGES else module
    return int(importlib.import_module(target).main(words[1:]))


def check_agents_package() -> None:
    """Raises ToolkitError("prerequisite") when `agents` is the package of `openai-agents`."""
    if importlib.util.find_spec("agents.rsr") is None:
        raise ToolkitError(
            "prerequisite",
            "the package `agents` of this environment is not grainwise's; openai-agents installs "
            "one of the same name",
            "use an environment of its own for grainwise, or `pip uninstall openai-agents`",
        )


if __name__ == "__main__":
    sys.exit(main())
