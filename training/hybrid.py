"""SFT on the revisions, then RL from the model that it gave: one config (FGAM section 3.3.3).

`python -m training.hybrid --config FILE --data DIR --output DIR`, also under
`accelerate launch -m`. DIR holds `sft.jsonl` and `rl.jsonl`; the results are in `sft` and `rl`.
"""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Sequence

from runtime.command_line import exit_on_error
from runtime.config import read_yaml
from schemas.training import HybridConfig, RLConfig, TrainConfig
from training.output import check_output, is_finished
from training.rl import METHODS
from training.script import Options, check, identity, parse, train
from training.sft import METHOD as SFT

_DESCRIPTION = "Supervised fine-tuning on revisions, then reinforcement learning from there."


def main(argv: Sequence[str] | None = None) -> int:
    """Train twice and return the exit code."""
    return exit_on_error(_main)(argv)


def _main(argv: Sequence[str] | None) -> int:
    data = "folder with the sft.jsonl and rl.jsonl of agents.rectifier"
    options = parse("hybrid", _DESCRIPTION, argv, data=data)
    config = read_yaml(options.config, HybridConfig)
    shared = config.model_dump(include={"model", "lora", "text_only"})
    sft = TrainConfig(**shared, **config.sft.model_dump())
    rl = RLConfig(**shared, **config.rl.model_dump())
    first, second = _part(options, "sft"), _part(options, "rl")
    method = METHODS[rl.method]
    # What is wrong with the second training is said before the hours of the first.
    check(method, rl, second)
    rl = rl.model_copy(update={"model": str(first.output.resolve())})
    check_output(second.output, identity(method, rl, second.source), options.overwrite)
    if not is_finished(first.output, identity(SFT, sft, first.source)) or options.overwrite:
        train(SFT, sft, first)
        _free_memory()
    train(method, rl, second)
    return 0


def _part(options: Options, name: str) -> Options:
    data, output = options.data / f"{name}.jsonl", options.output / name
    return dataclasses.replace(options, data=data, output=output)


def _free_memory() -> None:
    """Make room for the second model."""
    from accelerate.utils.memory import clear_device_cache

    clear_device_cache(garbage_collection=True)


if __name__ == "__main__":
    sys.exit(main())
