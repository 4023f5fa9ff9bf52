"""Config files: the shipped ones hold the papers' values, and mistakes are named."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from trl import DPOConfig, SFTConfig

from runtime.errors import ToolkitError
from schemas.training import TrainConfig
from training.config import load_config, peft_config, trl_arguments
from training.rp_dpo import RPDPOConfig

# Those of training.fgam, which does not use TRL, have their own test.
CONFIGS = [
    path
    for path in sorted((Path(__file__).parents[2] / "training/configs").glob("*.yaml"))
    if not path.name.startswith("fgam-")
]
ON_CPU = {"use_cpu": True, "bf16": False}


def config_class(path: Path) -> type[Any]:
    if "sft" in path.name:
        return SFTConfig
    return DPOConfig if "dpo" in path.name and "rp_dpo" not in path.name else RPDPOConfig


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_shipped_configs_are_complete(path: Path, tmp_path: Path) -> None:
    config = load_config(path)
    arguments = trl_arguments(config_class(path), config.trl | ON_CPU, path, tmp_path)
    for key, value in config.trl.items():
        assert getattr(arguments, key) == value or key in ON_CPU, key
    lora = peft_config(config.lora)
    assert lora.target_modules == "all-linear"


def test_rp_dpo_has_the_papers_values(tmp_path: Path) -> None:
    config = load_config(next(path for path in CONFIGS if path.stem == "rp_dpo_qwen3_vl_8b"))
    assert config.lora is not None
    assert (config.lora.rank, config.lora.alpha) == (32, 32)
    expected = {"beta": 0.1, "granularity_weight": 0.5, "per_device_train_batch_size": 1,
                "gradient_accumulation_steps": 16, "max_steps": 33, "bf16": True}  # fmt: skip
    assert expected.items() <= config.trl.items()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("modle: x", r"model: required but missing"),
        ("model: x\ntext_onyl: true", r"text_onyl: unknown key, did you mean `text_only`"),
        ("model: x\nlora: {rnak: 3}", r"lora.rnak: unknown key, did you mean `rank`"),
        ("model: x\nheld_out: 1", r"held_out: expected a value less than 1, got 1"),
        ("model: ''", r"model: expected the id or the folder of a model"),
        ("- a", r"expected an object, got a list"),
        ("a: [", r"not valid YAML"),
    ],
)
def test_mistakes_in_a_config_are_named(text: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ToolkitError, match=message) as caught:
        load_config(path)
    assert str(path) in caught.value.message
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            {"learning_rat": 1},
            r"c.yaml: trl.learning_rat: unknown key, did you mean `learning_rate`",
        ),
        ({"learning_rate": "fast"}, r"c.yaml: trl.learning_rate: expected a valid number.* 'fast'"),
        ({"max_steps": 1.5}, r"c.yaml: trl.max_steps: expected a valid integer"),
        ({"eval_strategy": "sometimes"}, r"c.yaml: trl"),
        ({"granularity_weight": 0.5}, r"trl.granularity_weight: unknown key"),
    ],
)
def test_mistakes_in_trl_settings_are_named(
    settings: dict[str, Any], message: str, tmp_path: Path
) -> None:
    with pytest.raises(ToolkitError, match=message):
        trl_arguments(DPOConfig, settings | ON_CPU, Path("c.yaml"), tmp_path)


def test_a_float_may_be_written_as_yaml_reads_a_text(tmp_path: Path) -> None:
    arguments = trl_arguments(
        RPDPOConfig, {"learning_rate": "1e-5", **ON_CPU}, Path("c.yaml"), tmp_path
    )
    assert arguments.learning_rate == 1e-5
    assert arguments.granularity_weight == 0.5


def test_the_docs_name_every_config() -> None:
    text = (CONFIGS[0].parents[2] / "docs/training.md").read_text(encoding="utf-8")
    for path in CONFIGS:
        assert f"`{path.stem}`" in text or (path.stem.startswith("smoke_") and "`smoke_*`" in text)
    (block,) = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    assert TrainConfig.model_validate(yaml.safe_load(block)).lora is not None
