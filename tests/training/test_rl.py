"""Reinforcement learning on a tiny vision-language model, with a critic over HTTP and without."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file
from trl import GRPOTrainer, RLOOTrainer

from tests.agents.critics import DOLLAR, critic_server, images_shown, score
from tests.training.models import write_pairs
from tests.training.rl_runs import RL, SFT, flags, log_of, write_config, write_run
from training import rl, sft

ROOT = Path(__file__).parents[2]
OWN = "tests.training.rewards:ascending"


@pytest.fixture
def run(images: list[str], tmp_path: Path) -> Path:
    return write_run(tmp_path, images)


def adapter(folder: Path) -> dict[str, torch.Tensor]:
    return {name: w for name, w in load_file(folder / "adapter_model.safetensors").items()}


def trained(weights: dict[str, torch.Tensor]) -> bool:
    """The second matrix of a new adapter is 0 until it is trained."""
    return any(
        float(weight.abs().max()) > 1e-5 for name, weight in weights.items() if "lora_B" in name
    )


@pytest.mark.parametrize("method", ["grpo", "rloo"])
def test_the_reward_is_what_the_critic_says(
    method: str, vlm: Path, run: Path, tmp_path: Path
) -> None:
    with critic_server(tmp_path) as (critic, server, critics):
        config = write_config(tmp_path, vlm, method=method, reward_config=critics.name, trl=RL)
        assert rl.main(flags(config, run / "rl.jsonl", tmp_path / "out")) == 0
        assert images_shown(server) == {1}
    groups: dict[str, list[float]] = {}
    for item in critic.asked:
        groups.setdefault(item.question, []).append(score(item))
    rewards = list(groups.values())
    assert [len(set(group)) for group in rewards] == [4, 4]
    log = log_of(tmp_path / "out")
    assert [row["reward"] for row in log] == pytest.approx([statistics.mean(g) for g in rewards])
    assert [row["critic/failed"] for row in log] == [0.0, 0.0]
    assert trained(adapter(tmp_path / "out"))


@pytest.mark.parametrize("method", ["grpo", "rloo"])
def test_an_own_function_gets_the_columns_and_none_is_neutral(
    method: str, vlm: Path, run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = {"grpo": GRPOTrainer, "rloo": RLOOTrainer}[method]
    generate, advantages = trainer._generate_and_score_completions, []

    def spied(self: Any, inputs: Any) -> Any:
        output = generate(self, inputs)
        advantages.append(output["advantages"].tolist())
        return output

    monkeypatch.setattr(trainer, "_generate_and_score_completions", spied)
    rows = [json.loads(line) | {"wanted": "cats"} for line in (run / "rl.jsonl").open()]
    write_pairs(run / "rl.jsonl", rows)
    settings = RL | {"max_steps": 1, "beta": 0.0}
    config = write_config(tmp_path, vlm, method=method, reward=OWN, trl=settings)
    assert rl.main(flags(config, run / "rl.jsonl", tmp_path / "out")) == 0
    if method == "grpo":
        mean, deviation = 4 / 3, statistics.stdev([0, 1, 3])
        expected = [(reward - mean) / deviation for reward in (0, 1, mean, 3)]
    else:
        expected = [0 - 4 / 2, 1 - 3 / 2, 0, 3 - 1 / 2]  # each against the mean of the other two
    assert advantages == [pytest.approx(expected, abs=1e-3)]
    assert log_of(tmp_path / "out")[0]["reward"] == pytest.approx(4 / 3)


def test_a_second_epoch_asks_nothing(vlm: Path, run: Path, tmp_path: Path) -> None:
    """A greedy policy that does not learn says the same again."""
    settings = RL | {"learning_rate": 0.0, "max_steps": -1, "num_train_epochs": 2}
    settings["generation_kwargs"] = RL["generation_kwargs"] | {"do_sample": False}
    with critic_server(tmp_path) as (_, server, critics):
        config = write_config(tmp_path, vlm, reward_config=critics.name, trl=settings)
        assert rl.main(flags(config, run / "rl.jsonl", tmp_path / "out")) == 0
        assert server.stats["requests"] == 4
    assert [row["critic/cached"] for row in log_of(tmp_path / "out")] == [0.75] * 4 + [1.0] * 4


def test_without_money_the_training_stops_and_goes_on_later(
    vlm: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    with critic_server(tmp_path, price=DOLLAR, run={"budget_usd": 4}) as (_, _, critics):
        config = write_config(tmp_path, vlm, reward_config=critics.name, trl=RL)
        assert rl.main(flags(config, run / "rl.jsonl", output)) == 4
    assert "the budget of $4.00 is spent" in capsys.readouterr().err
    assert [path.name for path in output.glob("checkpoint-*")] == ["checkpoint-1"]
    assert not (output / "manifest.json").exists()
    stopped = adapter(output / "checkpoint-1")
    with critic_server(tmp_path):
        assert rl.main(flags(config, run / "rl.jsonl", output)) == 0
    assert [row["step"] for row in log_of(output)] == [1, 2]
    weights = adapter(output)
    assert any(not torch.equal(weights[name], weight) for name, weight in stopped.items())


@pytest.mark.parametrize(
    ("settings", "message", "code"),
    [
        ({"reward": "no_such_module:f"}, "reward: no_such_module:f: No module named", 2),
        ({"reward": "tests.training.rewards:ascend"}, "did you mean `ascending`", 2),
        ({"reward": "ascending"}, "config.yaml: reward: expected MODULE:FUNCTION", 2),
        ({"reward_config": "no.yaml"}, "no.yaml: No such file", 2),
        ({"reward_config": None}, "reward_config: the critic needs", 2),
        ({"vision": False}, "critic needs vision", 3),
        ({"max_prompt_length": 12}, "4 too long", 2),
        ({"trl": RL | {"num_generations": 3}}, "config.yaml: trl: ", 2),
    ],
)
def test_mistakes_are_named_before_a_model_is_loaded(
    settings: dict[str, Any],
    message: str,
    code: int,
    vlm: Path,
    run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with critic_server(tmp_path, vision=settings.pop("vision", True)) as (_, _, critics):
        config = write_config(
            tmp_path, vlm, **{"reward_config": critics.name, "trl": RL} | settings
        )
        assert rl.main(flags(config, run / "rl.jsonl", tmp_path / "out")) == code
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_rows_that_cannot_be_used_are_dropped(
    vlm: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [json.loads(line) for line in (run / "rl.jsonl").open()]
    rows[1]["images"] = ["gone.png"]
    rows[2]["prompt"][0]["content"][1]["text"] = "word " * 300
    write_pairs(run / "rl.jsonl", rows)
    with critic_server(tmp_path) as (_, _, critics):
        config = write_config(tmp_path, vlm, reward_config=critics.name, max_dropped=0.5,
                              max_prompt_length=100, trl=RL | {"max_steps": 1})  # fmt: skip
        assert rl.main(flags(config, run / "rl.jsonl", tmp_path / "out")) == 0
    assert "2 of 4 rows; dropped: 1 image missing, 1 too long" in capsys.readouterr().out
    dropped = [json.loads(line) for line in (tmp_path / "out/dropped.jsonl").open()]
    assert [row["id"] for row in dropped] == ["q1", "q2"]
    assert "for images, but max_prompt_length is 100" in dropped[1]["message"]


def test_revisions_are_trained_as_they_are(vlm: Path, run: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path, vlm, trl=SFT)
    assert sft.main(flags(config, run / "sft.jsonl", tmp_path / "out")) == 0
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert manifest["counts"] == {"train": 4, "held_out": 0, "dropped": 0}
    losses = [row["loss"] for row in manifest["log"] if "loss" in row]
    assert len(losses) == 3 and losses[-1] < losses[0]
    assert trained(adapter(tmp_path / "out"))


@pytest.mark.slow
def test_one_process_stops_all(vlm: Path, run: Path, tmp_path: Path) -> None:
    """The others would wait for its rewards until the launcher gives up."""
    settings = RL | {"ddp_backend": "gloo", "max_steps": 4}
    reward = "tests.training.rewards:stops_on_second_process"
    config = write_config(tmp_path, vlm, reward=reward, reward_config="any", trl=settings)
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc_per_node", "2",
               "--standalone", "-m", "training.rl",
               *flags(config, run / "rl.jsonl", tmp_path / "out")]  # fmt: skip
    environment = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1",
                   "CUDA_VISIBLE_DEVICES": ""}  # fmt: skip
    done = subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=300
    )
    assert done.returncode != 0
    assert done.stderr.count("error: the second process has no money") == 2
    assert [path.name for path in (tmp_path / "out").glob("checkpoint-*")] == ["checkpoint-1"]
