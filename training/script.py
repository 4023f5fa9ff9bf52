"""What the training commands share: check the data, train with TRL, save, say what was done."""

from __future__ import annotations

import argparse
import dataclasses
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from runtime.errors import ToolkitError
from runtime.files import write_json, write_jsonl
from schemas.training import TrainConfig
from training.checks import Needs
from training.config import load_config, peft_config, trl_arguments
from training.data import Loaded, check_share, drop_long, load_rows, split, to_dataset
from training.output import claim, file_sha256, last_checkpoint

_LIBRARIES = ("grainwise", "accelerate", "datasets", "peft", "torch", "transformers", "trl")


@dataclass(frozen=True)
class Method:
    """A way to train. `classes` imports TRL and returns its config class and its trainer."""

    name: str
    description: str
    classes: Callable[[], tuple[type, Callable[..., Any]]]
    rejected: bool = True
    margin: bool = False


@dataclass(frozen=True)
class _Options:
    config: Path
    data: Path
    output: Path
    overwrite: bool


def run(method: Method, argv: Sequence[str] | None) -> int:
    """Train as the flags say. Raises ToolkitError for what is wrong, before a model is loaded."""
    options = _parse(method, argv)
    config = load_config(options.config)
    needs = Needs(method.rejected, method.margin, config.text_only)
    loaded = load_rows(options.data, needs)
    check_share(loaded, options.data, config.max_dropped)
    try:
        config_class, trainer_class = method.classes()
    except ImportError as error:
        hint = "pip install 'grainwise[train]'"
        raise ToolkitError("prerequisite", f"training needs {error.name}", hint) from error
    arguments = trl_arguments(config_class, config.trl, options.config, options.output)
    processor = load_processor(config.model, loaded.has_images)
    loaded = drop_long(loaded, processor, arguments.max_length)
    check_share(loaded, options.data, config.max_dropped)
    _train(method, options, config, loaded, processor, trainer_class, arguments)
    return 0


def _parse(method: Method, argv: Sequence[str] | None) -> _Options:
    parser = argparse.ArgumentParser(
        prog=f"python -m training.{method.name}",
        description=method.description,
        epilog="On several GPUs: accelerate launch -m training." + method.name,
    )
    add = parser.add_argument
    add("--config", metavar="FILE", type=Path, required=True, help="one of training/configs")
    add("--data", metavar="FILE", type=Path, required=True, help="pairs.jsonl of a run")
    add("--output", metavar="DIR", type=Path, required=True, help="directory for the result")
    add("--overwrite", action="store_true", help="discard the training that DIR holds")
    return _Options(**vars(parser.parse_args(argv)))


def load_processor(model: str, has_images: bool) -> Any:
    """The model's processor, or its tokenizer if it has no vision.

    Raises ToolkitError (prerequisite) when it is not there, (capability) when images need one
    that takes images.
    """
    from transformers import AutoProcessor, ProcessorMixin

    try:
        processor = AutoProcessor.from_pretrained(model)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        hint = "give a folder with a model, or an id of the Hugging Face hub while online"
        raise ToolkitError("prerequisite", f"model {model}: {reason}", hint) from error
    if has_images and not isinstance(processor, ProcessorMixin):
        raise ToolkitError(
            "capability",
            f"model {model} takes no images, but the data has some",
            "choose a vision-language model, or set `text_only: true` in the config",
        )
    return processor


def _train(
    method: Method,
    options: _Options,
    config: TrainConfig,
    loaded: Loaded,
    processor: Any,
    trainer_class: Callable[..., Any],
    arguments: Any,
) -> None:
    main_process = arguments.process_index == 0
    started = time.monotonic()
    passed = {"config": config.model_dump(mode="json"), "data": file_sha256(options.data)}
    if main_process:
        claim(options.output, {"method": method.name, **passed}, options.overwrite)
        write_jsonl(options.output / "dropped.jsonl", map(dataclasses.asdict, loaded.dropped))
        print(f"{options.data}: {loaded.summary()}", flush=True)
    train_rows, held_out = split(loaded.rows, config.held_out, arguments.seed)
    trainer = trainer_class(
        model=config.model,
        args=arguments,
        train_dataset=to_dataset(train_rows),
        eval_dataset=to_dataset(held_out) if held_out else None,
        processing_class=processor,
        peft_config=peft_config(config.lora),
    )
    trainer.train(resume_from_checkpoint=last_checkpoint(options.output))
    metrics = trainer.evaluate() if held_out else {}
    trainer.save_model(str(options.output))
    if main_process:
        manifest = {
            "method": method.name,
            **passed,
            "versions": {name: metadata.version(name) for name in _LIBRARIES},
            "counts": {"train": len(train_rows), "held_out": len(held_out),
                       "dropped": len(loaded.dropped)},
            "metrics": metrics,
            "log": trainer.state.log_history,
            "execution": {"command": sys.argv, "processes": arguments.world_size,
                          "seconds": round(time.monotonic() - started, 1)},
        }  # fmt: skip
        write_json(options.output / "manifest.json", manifest)
        print(f"{trainer.state.global_step} steps, wrote {options.output}", flush=True)
