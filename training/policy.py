"""Loads the model that is trained: by its name, or with the adapter that training goes on with."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from schemas.training import TrainConfig
from training.config import peft_config


def load_policy(config: TrainConfig, arguments: Any) -> tuple[Any, Any]:
    """What TRL's trainers take as `model` and `peft_config`.

    A folder with an adapter becomes its base model with that adapter, trainable, and no new one.
    It is not merged: the result is then one small adapter of the same base model, and TRL keeps a
    frozen copy of it as the reference of a KL term or of DPO, so that both are measured from the
    model that was given and not from its base.
    """
    if not (Path(config.model) / "adapter_config.json").exists():
        return config.model, peft_config(config.lora)
    from peft import PeftConfig, PeftModel
    from trl.trainer.utils import create_model_from_path

    name = PeftConfig.from_pretrained(config.model).base_model_name_or_path
    settings = dict(arguments.model_init_kwargs or {})
    arguments.model_init_kwargs = None  # they are used up here
    if arguments.world_size > 1:
        settings["device_map"] = None
    base = create_model_from_path(name, **settings)
    return PeftModel.from_pretrained(base, config.model, is_trainable=True), None
