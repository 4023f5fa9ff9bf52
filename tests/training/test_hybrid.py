"""SFT, then RL from there, in one command."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForImageTextToText

from agents.rectifier import main as rectifier
from tests.agents.critics import DOLLAR, critic_server, score
from tests.e2e.test_rectifier import write_captions, write_questions
from tests.servers.answers import Answers
from tests.training.rl_runs import RL, SFT, flags, log_of, write_config, write_run
from training import hybrid

STILL = RL | {"learning_rate": 0.0, "beta": 0.1}
"""RL that learns nothing: what comes out is what went in."""


@pytest.fixture
def run(images: list[str], tmp_path: Path) -> Path:
    (tmp_path / "run").mkdir()
    return write_run(tmp_path / "run", images)


def both(folder: Path, model: Path, critics: Path, trl: dict[str, Any], **more: Any) -> Path:
    settings = {"reward_config": critics.name, "trl": trl}
    return write_config(folder, model, sft={"trl": SFT}, rl=settings, **more)


def test_what_the_rectifier_wrote_is_trained_on(vlm: Path, tmp_path: Path) -> None:
    """From questions about photographs to a tuned model, without touching a file between."""
    questions = write_questions(tmp_path, 6)
    with critic_server(tmp_path) as (critic, server, critics):
        captions = json.loads(write_captions(tmp_path).read_text())
        server._answers = Answers("rules", captions)
        rectified = tmp_path / "rectified"
        command = [str(questions), "--config", str(critics), "--output", str(rectified)]
        assert rectifier([*command, "--max-steps", "2"]) == 0
        server._answers, before = critic, len(server.bodies)
        trl = {"learning_rate": 0.05, "max_steps": 3}
        config = both(tmp_path, vlm, critics, RL | trl)
        assert hybrid.main(flags(config, rectified, tmp_path / "out")) == 0
    assert 0 < len(critic.asked) == len(server.bodies) - before
    log = log_of(tmp_path / "out/rl")
    assert len(log) == 3
    assert sum(row["reward"] for row in log) / 3 == pytest.approx(mean(map(score, critic.asked)))
    assert json.loads((tmp_path / "out/sft/manifest.json").read_text())["counts"]["dropped"] == 0


@pytest.mark.parametrize("lora", [True, False])
def test_rl_begins_where_sft_ended(lora: bool, vlm: Path, run: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    with critic_server(tmp_path) as (_, server, critics):
        more: dict[str, Any] = {} if lora else {"lora": None}
        config = both(tmp_path, vlm, critics, STILL, **more)
        assert hybrid.main(flags(config, run, output)) == 0
        assert server.stats["requests"] > 0
    file = "adapter_model.safetensors" if lora else "model.safetensors"
    first, second = (load_file(output / name / file) for name in ("sft", "rl"))
    assert first.keys() == second.keys()
    for name, weight in first.items():
        torch.testing.assert_close(second[name], weight, rtol=0, atol=0)
    start = {} if lora else load_file(vlm / file)
    zero = torch.zeros(())
    moved = [name for name, w in first.items() if (w - start.get(name, zero)).abs().max() > 1e-3]
    assert any("lora_B" in name or not lora for name in moved), "SFT must have changed the model"
    kl = [row["kl"] for row in log_of(output / "rl")]
    assert kl == pytest.approx([0.0, 0.0], abs=1e-6), "the reference is what SFT gave"


def test_rl_trains_the_adapter_of_sft(vlm: Path, run: Path, tmp_path: Path) -> None:
    output = tmp_path / "out"
    with critic_server(tmp_path) as (_, _, critics):
        config = both(tmp_path, vlm, critics, RL | {"beta": 0.1})
        assert hybrid.main(flags(config, run, output)) == 0
    first, second = (
        load_file(output / name / "adapter_model.safetensors") for name in ("sft", "rl")
    )
    assert any((second[name] - weight).abs().max() > 1e-5 for name, weight in first.items())
    assert log_of(output / "rl")[1]["kl"] > 0
    base = AutoModelForImageTextToText.from_pretrained(vlm)
    ids = torch.tensor([[5, 7, 8]])
    before = base(input_ids=ids).logits
    tuned = PeftModel.from_pretrained(base, output / "rl")
    assert (tuned(input_ids=ids).logits - before).abs().max() > 1e-4


def test_a_finished_sft_is_not_repeated(
    vlm: Path, run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    with critic_server(tmp_path, price=DOLLAR, run={"budget_usd": 4}) as (_, _, critics):
        config = both(tmp_path, vlm, critics, RL)
        assert hybrid.main(flags(config, run, output)) == 4
    done = (output / "sft/manifest.json").read_bytes()
    assert not (output / "rl/manifest.json").exists()
    with critic_server(tmp_path):
        assert hybrid.main(flags(config, run, output)) == 0
        assert (output / "sft/manifest.json").read_bytes() == done
        assert [row["step"] for row in log_of(output / "rl")] == [1, 2]
        assert hybrid.main(flags(config, run, output)) == 2
        assert "rl: holds a finished training" in capsys.readouterr().err
        assert hybrid.main(flags(config, run, output, "--overwrite")) == 0
    assert (output / "sft/manifest.json").read_bytes() != done


@pytest.mark.parametrize(
    ("change", "message", "code"),
    [
        ({"reward": "no_such_module:f"}, "reward: no_such_module:f", 2),
        ({"max_prompt_length": 3}, "nothing to train on", 2),
        ({"vision": False}, "critic needs vision", 3),
        ({"taken": True}, "rl: is not an empty directory", 2),
        ({"rewrad": "a:b"}, "rl.rewrad: unknown key, did you mean `reward`", 2),
    ],
)
def test_what_is_wrong_with_rl_is_said_before_sft(
    change: dict[str, Any],
    message: str,
    code: int,
    vlm: Path,
    run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    if change.pop("taken", False):
        (tmp_path / "out/rl").mkdir(parents=True)
        (tmp_path / "out/rl/thesis.tex").write_text("years of work")
    with critic_server(tmp_path, vision=change.pop("vision", True)) as (_, _, critics):
        settings = {"reward_config": critics.name, "trl": RL} | change
        config = write_config(tmp_path, vlm, sft={"trl": SFT}, rl=settings)
        assert hybrid.main(flags(config, run, tmp_path / "out")) == code
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out/sft").exists()
