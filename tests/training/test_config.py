"""Config files: the shipped ones hold the papers' values, and mistakes are named."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from trl import DPOConfig, GRPOConfig, SFTConfig

from agents.command import AGENT_NAMES
from runtime.config import load_config, read_yaml
from runtime.errors import ToolkitError
from schemas.training import HybridConfig, RLConfig, TrainConfig, TrainSettings
from training.config import peft_config, trl_arguments
from training.rp_dpo import RPDPOConfig

ROOT = Path(__file__).parents[2]
CONFIG_FILES = sorted((ROOT / "training/configs").glob("*.yaml"))
STAGE_2 = ("fgam-sft", "fgam-rl", "fgam-hybrid")
FGAM = {path.stem: path for path in CONFIG_FILES if path.stem in STAGE_2}
# Those of training.fgam, which does not use TRL, have their own test.
CONFIGS = [p for p in CONFIG_FILES if p.stem in FGAM or not p.stem.startswith("fgam-")]
ON_CPU = {"use_cpu": True, "bf16": False}


def config_class(path: Path) -> type[Any]:
    if "sft" in path.name:
        return SFTConfig
    if path.stem == "fgam-rl":
        return GRPOConfig
    return DPOConfig if "dpo" in path.name and "rp_dpo" not in path.name else RPDPOConfig


ONE_TRAINING = [path for path in CONFIGS if path.stem != "fgam-hybrid"]


@pytest.mark.parametrize("path", ONE_TRAINING, ids=lambda path: path.stem)
def test_shipped_configs_are_complete(path: Path, tmp_path: Path) -> None:
    config = read_yaml(path, RLConfig if path.stem == "fgam-rl" else TrainConfig)
    arguments = trl_arguments(config_class(path), config.trl | ON_CPU, path, tmp_path)
    for key, value in config.trl.items():
        assert getattr(arguments, key) == value or key in ON_CPU, key
    lora = peft_config(config.lora)
    assert lora.target_modules == "all-linear"


def test_the_hybrid_config_holds_the_other_two() -> None:
    hybrid = read_yaml(FGAM["fgam-hybrid"], HybridConfig)
    sft = read_yaml(FGAM["fgam-sft"], TrainConfig)
    rl = read_yaml(FGAM["fgam-rl"], RLConfig)
    for part, whole in ((hybrid.sft, sft), (hybrid.rl, rl)):
        assert isinstance(part, TrainSettings)
        assert part.model_dump() == whole.model_dump(exclude={"model", "lora", "text_only"})
        assert (whole.model, whole.lora) == (hybrid.model, hybrid.lora)
        assert part.trl["optim"] == "adamw_torch" and part.trl["lr_scheduler_type"] == "cosine"
    assert rl.reward_config is not None
    critic = load_config(FGAM["fgam-rl"].parent / rl.reward_config, agents=AGENT_NAMES)
    assert getattr(critic.backend("critic"), "vision", False), "the critic must see"


def test_rp_dpo_has_the_papers_values(tmp_path: Path) -> None:
    path = next(path for path in CONFIGS if path.stem == "rp_dpo_qwen3_vl_8b")
    config = read_yaml(path, TrainConfig)
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
        read_yaml(path, TrainConfig)
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
        ({"seed": -1}, r"c.yaml: trl.seed: expected greater than or equal to 0, got -1"),
        ({"data_seed": 2**32}, r"c.yaml: trl.data_seed: expected less than 4294967296"),
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
    text = (ROOT / "docs/training.md").read_text(encoding="utf-8")
    for path in CONFIGS:
        assert f"`{path.stem}`" in text or (path.stem.startswith("smoke_") and "`smoke_*`" in text)
    blocks = re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)
    for block, model in zip(blocks, (TrainConfig, HybridConfig), strict=True):
        assert model.model_validate(yaml.safe_load(block)).lora is not None
