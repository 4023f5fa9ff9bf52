"""Region-text pre-training of a dual encoder (FGAM section 3.2).

`python -m training.fgam --config FILE --data regions.jsonl --captions captions.jsonl --output DIR`,
also under `accelerate launch -m`.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from runtime.command_line import exit_on_error
from runtime.config import read_yaml
from runtime.errors import ToolkitError
from schemas.fgam import FgamConfig
from training.output import read_hash


def main(argv: Sequence[str] | None = None) -> int:
    """Train and return the exit code."""
    return exit_on_error(_main)(argv)


def _main(argv: Sequence[str] | None) -> int:
    options = _parse(argv)
    config = read_yaml(options.config, FgamConfig)
    if config.lambda_global and options.captions is None:
        message = f"--captions is missing, and lambda_global of {options.config} is not 0"
        hint = "give captions of the images, or set `lambda_global: 0`"
        raise ToolkitError("input", message, hint)
    fingerprint = {
        "method": "fgam",
        "config": config.model_dump(mode="json"),
        "data": read_hash(options.data),
        "captions": read_hash(options.captions) if options.captions else None,
    }
    try:
        from training.fgam.train import Job, run
    except ImportError as error:
        hint = "pip install 'grainwise[train]'"
        raise ToolkitError("prerequisite", f"training needs {error.name}", hint) from error
    run(Job(options.config, config, options.captions, options.data, options.output,
            options.overwrite), fingerprint)  # fmt: skip
    return 0


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m training.fgam",
        description="Train a dual encoder on captions, regions and how regions lie.",
        epilog="On several GPUs: accelerate launch -m training.fgam",
    )
    add = parser.add_argument
    add("--config", metavar="FILE", type=Path, required=True, help="a training/configs/fgam-*.yaml")
    add("--data", metavar="FILE", type=Path, required=True, help="regions.jsonl")
    add("--captions", metavar="FILE", type=Path,
        help="captions of the same images; not needed with lambda_global: 0")  # fmt: skip
    add("--output", metavar="DIR", type=Path, required=True, help="directory for the result")
    add("--overwrite", action="store_true", help="discard the training that DIR holds")
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
