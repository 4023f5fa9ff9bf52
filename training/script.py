"""What the training commands share: check the data, train with TRL, save, say what was done."""

from __future__ import annotations

import argparse
import atexit
import dataclasses
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from pathlib import Path
from typing import Any

from runtime.command_line import add_reviewed_only
from runtime.config import read_yaml
from runtime.errors import ToolkitError
from runtime.files import write_json, write_jsonl
from runtime.sources import Source
from schemas.training import RLConfig, TrainConfig
from training.checks import Needs
from training.config import trl_arguments
from training.data import Loaded, Row, check_share, drop_long, load_rows, split, to_dataset
from training.output import check_output, claim, last_checkpoint, read_hash
from training.policy import load_policy

_LIBRARIES = ("grainwise", "accelerate", "datasets", "peft", "torch", "transformers", "trl")


@dataclass(frozen=True)
class Method:
    """A way to train. `classes` imports TRL and returns its config class and its trainer.

    `more` opens what else the trainer is made with, before a model is loaded, given the config,
    its file and the rows.
    """

    name: str
    description: str
    classes: Callable[[], tuple[type, Callable[..., Any]]]
    rejected: bool = True
    margin: bool = False
    answer: bool = True
    more: Callable[[Any, Path, list[Row]], AbstractContextManager[dict[str, Any]]] = lambda *_: (
        nullcontext({})
    )


@dataclass(frozen=True)
class Options:
    """The flags of a training command."""

    config: Path
    data: Path
    output: Path
    overwrite: bool
    reviewed_only: bool

    @cached_property
    def source(self) -> Source:
        """The data, without what reviewers did not accept where only that is wanted."""
        source = Source.of(self.data)
        return source.only_reviewed() if self.reviewed_only else source


@dataclass(frozen=True)
class _Job:
    """A training that has passed all checks."""

    config: TrainConfig
    loaded: Loaded
    train: list[Row]
    held_out: list[Row]
    arguments: Any
    trainer: Callable[..., Any]
    processor: Any


def run(method: Method, argv: Sequence[str] | None) -> int:
    """Train as the flags say. Raises ToolkitError for what is wrong, before a model is loaded."""
    options = parse(method.name, method.description, argv)
    train(method, read_yaml(options.config, TrainConfig), options)
    return 0


def train(method: Method, config: TrainConfig, options: Options) -> None:
    """Train into the output folder. Raises ToolkitError as `run` does."""
    started = time.monotonic()
    fingerprint = identity(method, config, options.source)
    main_process = os.environ.get("RANK", "0") == "0"
    if main_process:
        check_output(options.output, fingerprint, options.overwrite)
    job = _prepare(method, options, config)
    with method.more(config, options.config, job.loaded.rows) as more:
        if main_process:
            claim(options.output, fingerprint, options.overwrite)
            dropped = map(dataclasses.asdict, job.loaded.dropped)
            write_jsonl(options.output / "dropped.jsonl", dropped)
            print(f"{options.data}: {job.loaded.summary()}", flush=True)
        trainer, metrics = _train(job, options.output, more)
    if main_process:
        execution = {"command": sys.argv, "processes": job.arguments.world_size,
                     "seconds": round(time.monotonic() - started, 1)}  # fmt: skip
        manifest = fingerprint | _report(job, trainer, metrics) | {"execution": execution}
        write_json(options.output / "manifest.json", manifest)
        print(f"{trainer.state.global_step} steps, wrote {options.output}", flush=True)
    job.arguments.distributed_state.wait_for_everyone()


def check(method: Method, config: TrainConfig, options: Options) -> None:
    """All that `train` does before a model is loaded, writing nothing. Raises ToolkitError."""
    job = _prepare(method, options, config)
    with method.more(config, options.config, job.loaded.rows):
        pass


def identity(method: Method, config: TrainConfig, data: Source) -> dict[str, Any]:
    """What tells a training from another one. Raises ToolkitError (input) without the data."""
    dumped = config.model_dump(mode="json")
    return {"method": method.name, "config": dumped, "data": read_hash(data)}


def _prepare(method: Method, options: Options, config: TrainConfig) -> _Job:
    """The cheap checks come first, then those that need TRL and the model's processor.

    Raises ToolkitError for what is wrong.
    """
    needs = Needs(method.rejected, method.margin, config.text_only, method.answer)
    loaded = load_rows(options.source, needs)
    check_share(loaded, options.data, config.max_dropped)
    try:
        config_class, trainer = method.classes()
    except ImportError as error:
        hint = "pip install 'grainwise[train]'"
        raise ToolkitError("prerequisite", f"training needs {error.name}", hint) from error
    arguments = trl_arguments(config_class, config.trl, options.config, options.output)
    if arguments.n_gpu > 1:
        message = f"{arguments.n_gpu} GPUs are visible to one process"
        hint = f"accelerate launch -m training.{method.name} …, or set CUDA_VISIBLE_DEVICES=0"
        raise ToolkitError("prerequisite", message, hint)
    processor = load_processor(config.model, loaded.has_images)
    if isinstance(config, RLConfig):
        limit, name = config.max_prompt_length, "max_prompt_length"
    else:
        limit, name = arguments.max_length, "max_length"
    loaded = drop_long(loaded, processor, limit, name)
    check_share(loaded, options.data, config.max_dropped)
    train, held_out = split(loaded.rows, config.held_out, arguments.seed)
    if arguments.eval_strategy != "no" and not held_out:
        message = f"{options.config}: trl.eval_strategy: needs rows to evaluate on"
        raise ToolkitError("config", message, "set `held_out` to a share of the images")
    return _Job(config, loaded, train, held_out, arguments, trainer, processor)


def parse(
    name: str, description: str, argv: Sequence[str] | None, data: str = "pairs.jsonl of a run"
) -> Options:
    """The flags of `python -m training.NAME`; `data` says what is given as `--data`."""
    parser = argparse.ArgumentParser(
        prog=f"python -m training.{name}",
        description=description,
        epilog=f"On several GPUs: accelerate launch -m training.{name}",
    )
    add = parser.add_argument
    add("--config", metavar="FILE", type=Path, required=True, help="one of training/configs")
    add("--data", metavar="FILE", type=Path, required=True, help=data)
    add("--output", metavar="DIR", type=Path, required=True, help="directory for the result")
    add_reviewed_only(parser)
    add("--overwrite", action="store_true", help="discard the training that DIR holds")
    return Options(**vars(parser.parse_args(argv)))


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


def _train(job: _Job, output: Path, more: dict[str, Any]) -> tuple[Any, dict[str, float]]:
    processes = job.arguments.distributed_state
    # One that leaves with the group still open may abort, and torchrun then ends the others too.
    atexit.register(processes.destroy_process_group)
    # The first process may just have discarded the checkpoints of a former training.
    processes.wait_for_everyone()
    model, adapter = load_policy(job.config, job.arguments)
    trainer = job.trainer(
        model=model,
        args=job.arguments,
        train_dataset=to_dataset(job.train),
        eval_dataset=to_dataset(job.held_out) if job.held_out else None,
        processing_class=job.processor,
        peft_config=adapter,
        **more,
    )
    try:
        trainer.train(resume_from_checkpoint=last_checkpoint(output))
    except ToolkitError:  # a reward function stops a training; the steps that were made are kept
        if trainer.state.global_step:
            trainer._save_checkpoint(trainer.model, trial=None)
        raise
    trainer.save_model(str(output))
    last = trainer.state.log_history[-2:]  # an evaluation of the last step is followed by a summary
    done = [row for row in last if "eval_loss" in row and row["step"] == trainer.state.global_step]
    if job.held_out and not done:
        return trainer, trainer.evaluate()
    return trainer, dict(*done)


def _report(job: _Job, trainer: Any, metrics: dict[str, float]) -> dict[str, Any]:
    return {
        "versions": {name: metadata.version(name) for name in _LIBRARIES},
        "counts": {"train": len(job.train), "held_out": len(job.held_out),
                   "dropped": len(job.loaded.dropped)},
        "metrics": metrics,
        "log": trainer.state.log_history,
    }  # fmt: skip
