"""The training loop: checks, transformers' Trainer with the three losses in its log, the result."""

from __future__ import annotations

import dataclasses
import sys
import time
from collections import defaultdict
from importlib import metadata
from pathlib import Path
from typing import Any

from transformers import Trainer, TrainerCallback, TrainingArguments, set_seed

from runtime.errors import ToolkitError
from runtime.files import write_json, write_jsonl
from schemas.fgam import FgamConfig
from training.config import trl_arguments
from training.data import Loaded, check_share
from training.fgam.data import Collator, FgamData, RegionDataset, has_pairs, load_data
from training.fgam.model import FgamModel, load_encoder
from training.output import check_output, claim, last_checkpoint
from training.script import load_processor

_LIBRARIES = ("grainwise", "accelerate", "torch", "transformers")


@dataclasses.dataclass(frozen=True)
class Job:
    """A training as the command line says."""

    source: Path
    config: FgamConfig
    captions: Path | None
    regions: Path
    output: Path
    overwrite: bool


def run(job: Job, fingerprint: dict[str, Any]) -> None:
    """Train, or go on where the same training was interrupted.

    Raises ToolkitError for what is wrong with config, data or model, before anything is written.
    """
    started = time.monotonic()
    arguments = training_arguments(job)
    main_process = arguments.process_index == 0
    if main_process:
        check_output(job.output, fingerprint, job.overwrite)
    data = _load(job)
    processor = load_processor(job.config.model, has_images=True)
    set_seed(arguments.seed)
    model = FgamModel(load_encoder(job.config.model), job.config)
    collator = Collator(processor, model.encoder.config)
    if main_process:
        claim(job.output, fingerprint, job.overwrite)
        _report_data(job, data)
    # The first process may just have discarded the checkpoints of a former training.
    arguments.distributed_state.wait_for_everyone()
    dataset = RegionDataset(data.examples, job.config.max_regions, arguments.seed)
    trainer = FgamTrainer(model=model, args=arguments, train_dataset=dataset,
                          data_collator=collator, processing_class=collator.processor,
                          callbacks=[_DrawAgain(dataset)])  # fmt: skip
    trainer.train(resume_from_checkpoint=last_checkpoint(job.output))
    state = trainer.accelerator.get_state_dict(trainer.model_wrapped)
    if main_process:
        model.save(job.output, state)
        collator.processor.save_pretrained(job.output)
        execution = {"command": sys.argv, "processes": arguments.world_size,
                     "seconds": round(time.monotonic() - started, 1)}  # fmt: skip
        report = fingerprint | _report(data, trainer) | {"execution": execution}
        write_json(job.output / "manifest.json", report)
        print(f"{trainer.state.global_step} steps, wrote {job.output}", flush=True)


def _load(job: Job) -> FgamData:
    """The data of a job. Raises ToolkitError for too many dropped rows, or nothing to learn."""
    data = load_data(job.captions, job.regions)
    for path, loaded in _files(job, data):
        check_share(loaded, path, job.config.max_dropped)
    if job.config.lambda_spatial and not has_pairs(data.examples):
        message = f"{job.regions}: no image has two regions, so there is no spatial loss"
        raise ToolkitError("input", message, "set `lambda_spatial: 0`, or give more regions")
    return data


def _files(job: Job, data: FgamData) -> list[tuple[Path, Loaded]]:
    captions = [(job.captions, data.captions)] if job.captions else []
    return [*captions, (job.regions, data.regions)]


def training_arguments(job: Job) -> TrainingArguments:
    """The config's `train` as transformers takes it.

    Raises ToolkitError (config) for what it does not know or what makes no sense here,
    (prerequisite) when one process sees several GPUs.
    """
    settings = job.config.train
    arguments = trl_arguments(TrainingArguments, settings, job.source, job.output, "train")
    # The collator needs what no argument of the model is named after.
    arguments.remove_unused_columns = False
    if arguments.eval_strategy != "no":
        message = f"{job.source}: train.eval_strategy: there is no evaluation during the training"
        raise ToolkitError("config", message, "run python -m training.fgam.evaluate on the result")
    if arguments.n_gpu > 1:
        message = f"{arguments.n_gpu} GPUs are visible to one process"
        hint = "accelerate launch -m training.fgam …, or set CUDA_VISIBLE_DEVICES=0"
        raise ToolkitError("prerequisite", message, hint)
    return arguments


class FgamTrainer(Trainer):
    """transformers' Trainer that logs the mean of each loss, too."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        self._losses: dict[str, list[Any]] = defaultdict(list)

    def get_decay_parameter_names(self, model: Any) -> list[str]:
        """Weight decay is for weights and would pull the temperatures of the losses to 1."""
        names = super().get_decay_parameter_names(model)
        return [name for name in names if not name.endswith(("logit_scale", "log_scale"))]

    def compute_loss(
        self, model: Any, inputs: Any, return_outputs: bool = False, **settings: Any
    ) -> Any:
        """The loss of a batch, as transformers asks for it."""
        loss, outputs = super().compute_loss(model, inputs, return_outputs=True, **settings)
        for name, value in outputs.items():
            if name != "loss":
                self._losses[name].append(value.detach())
        return (loss, outputs) if return_outputs else loss

    def log(self, logs: dict[str, float], start_time: float | None = None) -> None:
        """Write a row of the log, with each loss averaged since the row before."""
        means = {name: sum(map(float, values)) / len(values)
                 for name, values in self._losses.items()}  # fmt: skip
        self._losses.clear()
        super().log(logs | means, start_time)


class _DrawAgain(TrainerCallback):
    """Other regions and captions of the same images in each epoch."""

    def __init__(self, dataset: RegionDataset) -> None:
        self._dataset = dataset

    def on_epoch_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        self._dataset.epoch = int(state.epoch or 0)


def _report_data(job: Job, data: FgamData) -> None:
    files = _files(job, data)
    rows = ({"file": path.name} | dataclasses.asdict(item)
            for path, loaded in files for item in loaded.dropped)  # fmt: skip
    write_jsonl(job.output / "dropped.jsonl", rows)
    for path, loaded in files:
        print(f"{path}: {loaded.summary()}", flush=True)
    if data.clipped:
        print(f"{job.regions}: {data.clipped} boxes clipped to their images", flush=True)


def _report(data: FgamData, trainer: Trainer) -> dict[str, Any]:
    return {
        "versions": {name: metadata.version(name) for name in _LIBRARIES},
        "counts": {"images": len(data.examples), "captions": len(data.captions.rows),
                   "regions": len(data.regions.rows), "clipped": data.clipped,
                   "dropped": len(data.captions.dropped) + len(data.regions.dropped)},
        "log": trainer.state.log_history,
    }  # fmt: skip
