"""The commands: train, go on, refuse, and say why."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from peft import PeftModel
from safetensors.torch import load_file
from transformers import AutoModelForImageTextToText, TrainingArguments

from tests.training.models import make_pairs, write_pairs
from training import dpo, rp_dpo, sft

ROOT = Path(__file__).parents[2]
MIXED = ["reliability"] * 4 + ["granularity"] * 6
COMMANDS = {"dpo": dpo.main, "rp_dpo": rp_dpo.main, "sft": sft.main}


def write_config(
    folder: Path, model: object, trl: dict[str, Any] | None = None, **more: Any
) -> Path:
    settings = {"per_device_train_batch_size": 2, "max_steps": 3, "learning_rate": 0.01,
                "use_cpu": True, "bf16": False, "logging_steps": 1, "seed": 3}  # fmt: skip
    config = {"model": str(model), "lora": {"rank": 4, "alpha": 8}, **more}
    path = folder / "config.yaml"
    path.write_text(json.dumps(config | {"trl": settings | (trl or {})}))
    return path


@pytest.fixture
def pairs(images: list[str], tmp_path: Path) -> Path:
    return write_pairs(tmp_path / "pairs.jsonl", make_pairs(MIXED, images=images))


def arguments(config: Path, data: Path, output: Path, *more: str) -> list[str]:
    return ["--config", str(config), "--data", str(data), "--output", str(output), *more]


@pytest.mark.parametrize("method", COMMANDS)
def test_a_vision_model_trains_and_loads_again(
    method: str, vlm: Path, pairs: Path, tmp_path: Path
) -> None:
    output = tmp_path / "out"
    config = write_config(tmp_path, vlm, held_out=0.3)
    assert COMMANDS[method](arguments(config, pairs, output)) == 0
    manifest = json.loads((output / "manifest.json").read_text())
    assert manifest["method"] == method
    assert manifest["counts"] == {"train": 7, "held_out": 3, "dropped": 0}
    steps = [row for row in manifest["log"] if "loss" in row]
    assert len(steps) == 3
    assert manifest["metrics"]["eval_loss"] > 0
    if method == "rp_dpo":
        assert {"margin_met", "rewards/margins"} <= steps[0].keys()
        assert "eval_accuracy/granularity" in manifest["metrics"]
    base = AutoModelForImageTextToText.from_pretrained(vlm)
    tuned = PeftModel.from_pretrained(base, output)
    ids = torch.tensor([[5, 6, 7]])
    with torch.no_grad():
        logits = tuned(input_ids=ids).logits
        with tuned.disable_adapter():
            assert (tuned(input_ids=ids).logits - logits).abs().max() > 1e-5
    made = tuned.generate(input_ids=ids, attention_mask=torch.ones_like(ids), max_new_tokens=3)
    assert made.shape[1] > 3


def test_all_weights_can_be_trained(text_model: Path, tmp_path: Path) -> None:
    data = write_pairs(tmp_path / "pairs.jsonl", make_pairs(MIXED))
    config = write_config(tmp_path, text_model, lora=None)
    assert rp_dpo.main(arguments(config, data, tmp_path / "out")) == 0
    before, after = (load_file(f / "model.safetensors") for f in (text_model, tmp_path / "out"))
    name = "model.layers.0.mlp.up_proj.weight"
    assert (before[name] - after[name]).abs().max() > 1e-5


def test_an_interrupted_training_goes_on(vlm: Path, pairs: Path, tmp_path: Path) -> None:
    config = write_config(tmp_path, vlm, {"max_steps": 6, "save_steps": 2})
    whole, again = tmp_path / "whole", tmp_path / "again"
    assert rp_dpo.main(arguments(config, pairs, whole)) == 0
    again.mkdir()
    shutil.copy(whole / ".training.json", again)
    for step in (2, 4):
        shutil.copytree(whole / f"checkpoint-{step}", again / f"checkpoint-{step}")
    assert rp_dpo.main(arguments(config, pairs, again)) == 0
    weights = [load_file(folder / "adapter_model.safetensors") for folder in (whole, again)]
    for name, weight in weights[0].items():
        torch.testing.assert_close(weights[1][name], weight)
    log = json.loads((again / "manifest.json").read_text())["log"]
    assert [row["step"] for row in log if "loss" in row] == [1, 2, 3, 4, 5, 6]
    assert not (again / "checkpoint-1").exists()


def test_the_output_belongs_to_one_training(
    vlm: Path, pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    config = write_config(tmp_path, vlm, {"max_steps": 1})
    assert dpo.main(arguments(config, pairs, output)) == 0
    assert dpo.main(arguments(config, pairs, output)) == 2
    assert "holds a finished training" in capsys.readouterr().err
    (output / "manifest.json").unlink()
    write_config(tmp_path, vlm, {"max_steps": 2})
    assert rp_dpo.main(arguments(config, pairs, output)) == 2
    assert "another method and config" in capsys.readouterr().err
    assert dpo.main(arguments(config, pairs, output, "--overwrite")) == 0
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.tex").write_text("years of work")
    assert dpo.main(arguments(config, pairs, other, "--overwrite")) == 2
    assert "not an empty directory" in capsys.readouterr().err
    assert (other / "thesis.tex").exists()


def test_what_was_dropped_is_written_and_said(
    vlm: Path, images: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = make_pairs(MIXED, images=images)
    rows[3]["images"] = ["gone.png"]
    data = write_pairs(tmp_path / "pairs.jsonl", rows)
    config = write_config(tmp_path, vlm, {"max_steps": 1}, max_dropped=0.2)
    assert rp_dpo.main(arguments(config, data, tmp_path / "out")) == 0
    assert "9 of 10 rows; dropped: 1 image missing" in capsys.readouterr().out
    (dropped,) = (tmp_path / "out/dropped.jsonl").read_text().splitlines()
    assert json.loads(dropped)["row"] == 4
    assert json.loads(dropped)["id"] == "pair-3"
    write_config(tmp_path, vlm, {"max_steps": 1}, max_dropped=0.05)
    assert rp_dpo.main(arguments(config, data, tmp_path / "strict")) == 5
    assert "raise `max_dropped`" in capsys.readouterr().err
    assert not (tmp_path / "strict").exists()


def test_images_are_never_cut(
    vlm: Path, pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_config(tmp_path, vlm, {"max_length": 12})
    assert rp_dpo.main(arguments(config, pairs, tmp_path / "out")) == 2
    error = capsys.readouterr().err
    assert "nothing to train on: 0 of 10 rows; dropped: 10 too long" in error
    assert "7 of them for images, but max_length is 12" in error


def test_a_model_without_vision_is_refused_images(
    text_model: Path, pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_config(tmp_path, text_model)
    assert rp_dpo.main(arguments(config, pairs, tmp_path / "out")) == 3
    assert "takes no images" in capsys.readouterr().err
    config = write_config(tmp_path, text_model, {"max_steps": 1}, text_only=True)
    assert rp_dpo.main(arguments(config, pairs, tmp_path / "out")) == 0


def test_a_missing_model_file_or_config_is_named(
    pairs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_config(tmp_path, tmp_path / "no-model")
    assert dpo.main(arguments(config, pairs, tmp_path / "out")) == 3
    assert f"model {tmp_path / 'no-model'}: " in capsys.readouterr().err
    assert dpo.main(arguments(tmp_path / "no.yaml", pairs, tmp_path / "out")) == 2
    assert "no.yaml: No such file" in capsys.readouterr().err
    assert dpo.main(arguments(config, tmp_path / "no.jsonl", tmp_path / "out")) == 2
    assert "no.jsonl: No such file" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_something_must_be_held_out_and_something_left(
    vlm: Path, images: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    data = write_pairs(tmp_path / "pairs.jsonl", make_pairs(MIXED, images=images[:1]))
    config = write_config(tmp_path, vlm, {"eval_strategy": "steps"})
    assert dpo.main(arguments(config, data, tmp_path / "out")) == 2
    assert "trl.eval_strategy: needs rows to evaluate on" in capsys.readouterr().err
    config = write_config(tmp_path, vlm, held_out=0.5)
    assert dpo.main(arguments(config, data, tmp_path / "out")) == 2
    assert "held_out: all rows are of one image" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_several_gpus_need_a_launcher(
    vlm: Path,
    pairs: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(TrainingArguments, "n_gpu", 2)
    assert dpo.main(arguments(write_config(tmp_path, vlm), pairs, tmp_path / "out")) == 3
    assert "accelerate launch -m training.dpo" in capsys.readouterr().err


@pytest.mark.parametrize("name", [*COMMANDS, "rl", "hybrid", "exports", "small_models"])
def test_help_loads_nothing_heavy(name: str) -> None:
    code = (
        "import runpy, sys\n"
        "sys.argv = ['x', '--help']\n"
        "try:\n"
        f"    runpy.run_module('training.{name}', run_name='__main__', alter_sys=True)\n"
        "except SystemExit:\n"
        "    pass\n"
        "heavy = {'torch', 'trl', 'transformers', 'datasets', 'numpy', 'pyarrow', 'peft'}\n"
        "print('loaded', sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert "usage: " in done.stdout
    assert done.stderr.splitlines()[-1] == "loaded []"
