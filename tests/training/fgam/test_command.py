"""The command: trains with each config, goes on, saves what loads again, and says what is wrong."""

from __future__ import annotations

import json
import math
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
import yaml
from safetensors.torch import load_file, save_file
from transformers import AutoModel, AutoProcessor, TrainingArguments

from runtime.config import read_yaml
from runtime.errors import ToolkitError
from schemas.fgam import FgamConfig, LossWeights
from tests.training.fgam.models import settings
from training.config import trl_arguments
from training.fgam import evaluate
from training.fgam.__main__ import main
from training.fgam.data import Collator, RegionDataset, load_data
from training.fgam.model import FgamModel, load_encoder, load_model
from training.fgam.train import FgamTrainer

ROOT = Path(__file__).parents[3]
STAGE_1 = ("global", "region", "spatial", "full")
SHIPPED = [ROOT / f"training/configs/fgam-{name}.yaml" for name in STAGE_1]


def write_config(folder: Path, model: object, train: dict[str, Any], **more: Any) -> Path:
    path = folder / "config.yaml"
    path.write_text(json.dumps({"model": str(model), "train": train, **more}))
    return path


def arguments(config: Path, scenes: Path, output: Path, *more: str) -> list[str]:
    return [
        "--config",
        str(config),
        "--data",
        str(scenes / "regions.jsonl"),
        "--captions",
        str(scenes / "captions.jsonl"),
        "--output",
        str(output),
        *more,
    ]


@pytest.mark.parametrize("kind", ["clip", "siglip"])
def test_it_trains_and_what_it_saves_loads_again(
    kind: str, scenes: Path, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    folder, output = request.getfixturevalue(f"{kind}_folder"), tmp_path / "out"
    config = write_config(tmp_path, folder, settings())
    assert main(arguments(config, scenes, output)) == 0
    manifest = json.loads((output / "manifest.json").read_text())
    assert manifest["counts"]["images"] == 12
    steps = [row for row in manifest["log"] if "loss" in row]
    assert len(steps) == 3
    for row in steps:
        parts = row["loss_global"] + row["loss_region"] + row["loss_spatial"]
        assert row["loss"] == pytest.approx(parts, abs=2e-3)
    assert not [path for path in output.iterdir() if path.suffix in (".bin", ".pt", ".pickle")]
    before, plain = (AutoModel.from_pretrained(path) for path in (folder, output))
    moved = [name for name, value in plain.state_dict().items()
             if not torch.equal(value, before.state_dict()[name])]  # fmt: skip
    assert any(name.startswith("vision_model") for name in moved)
    assert any(name.startswith("text_model") for name in moved)
    assert AutoProcessor.from_pretrained(output).image_processor.do_center_crop is not True
    loaded = load_model(str(output))
    added = load_file(output / "fgam.safetensors")
    assert {"region_log_scale", "spatial_head.layers.0.weight"} <= added.keys()
    torch.testing.assert_close(loaded.state_dict()["region_log_scale"], added["region_log_scale"])
    facts = json.loads((output / "fgam.json").read_text())
    assert facts["region_temperature"] == pytest.approx(math.exp(-added["region_log_scale"].item()))
    assert facts["relations"][4:] == ["overlaps", "contains"]


def test_an_interrupted_training_goes_on(clip_folder: Path, scenes: Path, tmp_path: Path) -> None:
    train = settings(max_steps=5, save_strategy="steps", save_steps=4)
    config = write_config(tmp_path, clip_folder, train, max_regions=2)
    whole, again = tmp_path / "whole", tmp_path / "again"
    assert main(arguments(config, scenes, whole)) == 0
    again.mkdir()
    shutil.copy(whole / ".training.json", again)
    shutil.copytree(whole / "checkpoint-4", again / "checkpoint-4")
    assert main(arguments(config, scenes, again)) == 0
    for name in ("model.safetensors", "fgam.safetensors"):
        weights = [load_file(folder / name) for folder in (whole, again)]
        for key, weight in weights[0].items():
            torch.testing.assert_close(weights[1][key], weight)


def test_a_dropped_row_is_written_and_too_many_stop(
    clip_folder: Path, scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "scenes"
    shutil.copytree(scenes, folder)
    (folder / "images/000003.png").unlink()
    config = write_config(tmp_path, clip_folder, settings(max_steps=1), max_dropped=0.2)
    assert main(arguments(config, folder, tmp_path / "out")) == 0
    assert "11 of 12 rows; dropped: 1 image missing" in capsys.readouterr().out
    rows = [json.loads(line) for line in (tmp_path / "out/dropped.jsonl").read_text().splitlines()]
    assert {row["file"] for row in rows} == {"captions.jsonl", "regions.jsonl"}
    write_config(tmp_path, clip_folder, settings(max_steps=1), max_dropped=0.05)
    assert main(arguments(config, folder, tmp_path / "strict")) == 5
    assert not (tmp_path / "strict").exists()


@pytest.mark.parametrize(
    ("train", "more", "message"),
    [
        ({"learning_rat": 1}, {}, "train.learning_rat: unknown key, did you mean `learning_rate`"),
        ({"max_steps": "many"}, {}, "train.max_steps: expected a valid integer"),
        ({"eval_strategy": "epoch"}, {}, "train.eval_strategy: there is no evaluation"),
        ({}, {"lambda_regoin": 1}, "lambda_regoin: unknown key, did you mean `lambda_region`"),
        ({}, {"lambda_global": -1}, "lambda_global: expected a value greater than or equal to 0"),
        ({}, {f"lambda_{n}": 0 for n in ("global", "region", "spatial")}, "all are 0"),
    ],
)
def test_mistakes_in_a_config_are_named(
    train: dict[str, Any],
    more: dict[str, Any],
    message: str,
    clip_folder: Path,
    scenes: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    config = write_config(tmp_path, clip_folder, {"use_cpu": True} | train, **more)
    assert main(arguments(config, scenes, tmp_path / "out")) == 2
    error = capsys.readouterr().err
    assert str(config) in error
    assert message in error
    assert not (tmp_path / "out").exists()


def test_bad_input_is_named_and_nothing_is_written(
    clip_folder: Path, scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_config(tmp_path, clip_folder, settings())
    bad = tmp_path / "regions.jsonl"
    bad.write_text('{"image": "1.png", "box": [0, 0, 5], "text": "dog", "source": "x"}\n')
    words = arguments(config, scenes, tmp_path / "out")
    words[3] = str(bad)
    assert main(words) == 2
    assert f"{bad}:1: box" in capsys.readouterr().err
    words[3] = str(tmp_path / "none.jsonl")
    assert main(words) == 2
    assert "none.jsonl: No such file" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_the_output_belongs_to_one_training(
    clip_folder: Path, scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.tex").write_text("years of work")
    config = write_config(tmp_path, clip_folder, settings())
    assert main(arguments(config, scenes, tmp_path / "out", "--overwrite")) == 2
    assert "not an empty directory" in capsys.readouterr().err
    assert (tmp_path / "out/thesis.tex").exists()


def test_several_gpus_need_a_launcher(
    clip_folder: Path,
    scenes: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(TrainingArguments, "n_gpu", 2)
    config = write_config(tmp_path, clip_folder, settings())
    assert main(arguments(config, scenes, tmp_path / "out")) == 3
    assert "accelerate launch -m training.fgam" in capsys.readouterr().err


@pytest.mark.parametrize("path", SHIPPED, ids=lambda path: path.stem)
def test_shipped_configs_load(path: Path, tmp_path: Path) -> None:
    config = read_yaml(path, FgamConfig)
    used = {name for name in ("global", "region", "spatial") if getattr(config, f"lambda_{name}")}
    name = path.stem.removeprefix("fgam-")
    assert used == {"global", *({"region", "spatial"} if name == "full" else {name})}
    on_cpu = {"use_cpu": True, "bf16": False}
    trl_arguments(TrainingArguments, config.train | on_cpu, path, tmp_path, "train")


def test_the_docs_show_a_config_and_name_every_file() -> None:
    text = (ROOT / "docs/fgam.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```yaml\n(model.*?)```", text, re.DOTALL)
    FgamConfig.model_validate(yaml.safe_load(block))
    assert all(f"`{path.stem}`" in text for path in SHIPPED)


def test_shipped_configs_differ_in_the_weights_only() -> None:
    weights = {"lambda_region", "lambda_spatial"}
    configs = [read_yaml(path, FgamConfig).model_dump(exclude=weights) for path in SHIPPED]
    assert len(configs) == 4
    assert all(config == configs[0] for config in configs)


def test_what_is_learned_by_heart_is_known(
    clip_folder: Path,
    scenes: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All losses fall, and the evaluation of a result is better than that of a plain encoder."""
    monkeypatch.setattr(evaluate, "_PROBE_STEPS", 20)
    train = settings(per_device_train_batch_size=12, max_steps=40, learning_rate=3e-3)
    config = write_config(tmp_path, clip_folder, train)
    assert main(arguments(config, scenes, tmp_path / "out")) == 0
    log = json.loads((tmp_path / "out/manifest.json").read_text())["log"]
    for name in ("loss_global", "loss_region", "loss_spatial"):
        assert log[-2][name] < 0.75 * log[0][name], name
    capsys.readouterr()
    data = ["--data", str(scenes / "regions.jsonl"), "--probe-data", str(scenes / "regions.jsonl")]
    results = []
    for model in (clip_folder, tmp_path / "out"):
        assert evaluate.main([str(model), *data]) == 0
        results.append(json.loads(capsys.readouterr().out))
    plain, tuned = results
    assert plain["head_accuracy"] is None
    assert tuned["head_accuracy"] > tuned["commonest_relation"]
    assert tuned["retrieval_at_1"] > plain["retrieval_at_1"] + 0.1
    examples = load_data(scenes / "captions.jsonl", scenes / "regions.jsonl").examples
    assert tuned["regions"] == sum(len(example.regions) for example in examples)
    assert tuned["pairs"] == sum(len(e.regions) * (len(e.regions) - 1) for e in examples)
    assert tuned["texts"] == len({text for e in examples for _, text in e.regions})


def test_without_the_global_loss_captions_are_not_needed(
    clip_folder: Path, scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = write_config(tmp_path, clip_folder, settings(max_steps=1))
    words = arguments(config, scenes, tmp_path / "out")
    del words[4:6]
    assert main(words) == 2
    assert "--captions is missing" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
    write_config(tmp_path, clip_folder, settings(max_steps=1), lambda_global=0)
    assert main(words) == 0
    manifest = json.loads((tmp_path / "out/manifest.json").read_text())
    assert manifest["counts"]["images"] == 12
    assert manifest["counts"]["captions"] == manifest["counts"]["dropped"] == 0


def test_a_spatial_loss_needs_two_regions_of_an_image(
    clip_folder: Path, scenes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = json.loads((scenes / "regions.jsonl").read_text().splitlines()[0])
    alone = scenes / "one-region.jsonl"
    alone.write_text(json.dumps(row))
    config = write_config(tmp_path, clip_folder, settings(max_steps=1), max_dropped=1)
    words = arguments(config, scenes, tmp_path / "out")
    words[3] = str(alone)
    assert main(words) == 2
    assert f"{alone}: no image has two regions" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_weight_decay_does_not_reach_the_temperatures(clip_folder: Path, tmp_path: Path) -> None:
    model = FgamModel(load_encoder(str(clip_folder)), LossWeights())
    trainer = FgamTrainer(model=model, args=TrainingArguments(str(tmp_path), use_cpu=True))
    names = trainer.get_decay_parameter_names(model)
    assert "spatial_head.layers.0.weight" in names
    assert not [name for name in names if name.endswith("_scale")]


def test_weights_that_are_missing_are_named(clip_folder: Path, tmp_path: Path) -> None:
    model = FgamModel(load_encoder(str(clip_folder)), LossWeights())
    model.save(tmp_path, model.state_dict())
    load_model(str(tmp_path))
    added = load_file(tmp_path / "fgam.safetensors")
    del added["spatial_head.layers.0.weight"]
    save_file(added, tmp_path / "fgam.safetensors")
    with pytest.raises(ToolkitError, match=r"has no spatial_head\.layers\.0\.weight \("):
        load_model(str(tmp_path))


@pytest.mark.parametrize(
    ("rows", "said"), [(1, "1 of 1 rows"), (0, "0 of 1 rows; dropped: 1 image missing")]
)
def test_an_evaluation_needs_two_regions_of_an_image(
    rows: int, said: str, clip_folder: Path, scenes: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    row = json.loads((scenes / "regions.jsonl").read_text().splitlines()[0])
    alone = scenes / f"alone-{rows}.jsonl"
    alone.write_text(json.dumps(row if rows else row | {"image": "none.png"}) + "\n")
    files = ["--data", str(alone), "--probe-data", str(scenes / "regions.jsonl")]
    assert evaluate.main([str(clip_folder), *files]) == 2
    error = capsys.readouterr().err
    assert f"{alone}: no image has two regions: {said}" in error
    assert "nothing was written" not in error


def test_retrieval_counts_what_brute_force_counts(
    clip_folder: Path, scenes: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate, "_PROBE_STEPS", 1)
    model = load_model(str(clip_folder)).eval()
    collator = Collator(AutoProcessor.from_pretrained(clip_folder), model.encoder.config)
    examples = load_data(scenes / "captions.jsonl", scenes / "regions.jsonl").examples
    right = total = 0
    texts = sorted({text for example in examples for _, text in example.regions})
    with torch.no_grad():
        candidates = model.embed_texts(collator.tokenize(texts))
        for number, example in enumerate(examples):
            batch = collator([RegionDataset(examples, 9, 0)[number]])
            _, patches = model.embed_images(batch["pixel_values"])
            regions = model.embed_regions(patches, batch["boxes"], batch["present"])
            for region, (_, text) in zip(regions, example.regions, strict=True):
                scores = torch.cosine_similarity(region[None], candidates)
                right += texts[int(scores.argmax())] == text
                total += 1
    found = evaluate.evaluate(model, collator, examples, examples)
    assert found.retrieval_at_1 == pytest.approx(right / total)


@pytest.mark.slow
def test_two_processes_are_one(clip_folder: Path, scenes: Path, tmp_path: Path) -> None:
    """Two processes of 3 images take the steps of one of 6."""
    logs = []
    for processes in (1, 2):
        train = settings(per_device_train_batch_size=6 // processes, max_steps=4, optim="sgd",
                         lr_scheduler_type="constant", learning_rate=0.05, max_grad_norm=0,
                         **({"ddp_backend": "gloo"} if processes > 1 else {}))  # fmt: skip
        (tmp_path / str(processes)).mkdir()
        config = write_config(tmp_path / str(processes), clip_folder, train, max_regions=3)
        output = tmp_path / str(processes) / "out"
        launcher = ["-m", "torch.distributed.run", "--nproc_per_node", str(processes),
                    "--standalone", "-m", "training.fgam"]  # fmt: skip
        environment = {**os.environ, "CUDA_VISIBLE_DEVICES": "", "OMP_NUM_THREADS": "1"}
        done = subprocess.run(
            [sys.executable, *launcher, *arguments(config, scenes, output)],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr[-3000:]
        manifest = json.loads((output / "manifest.json").read_text())
        assert manifest["execution"]["processes"] == processes
        logs.append([row for row in manifest["log"] if "loss" in row])
    assert len(logs[0]) == 4
    for one, two in zip(*logs, strict=True):
        for name in ("loss_global", "loss_region", "loss_spatial"):
            assert two[name] == pytest.approx(one[name], abs=1e-4), name
    weights = [load_file(tmp_path / str(n) / "out/model.safetensors") for n in (1, 2)]
    for key, weight in weights[0].items():
        torch.testing.assert_close(weights[1][key], weight, rtol=0, atol=1e-5)
