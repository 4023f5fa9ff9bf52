"""The command as users start it on several devices: two gloo processes are one process."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from tests.training.models import make_pairs, write_pairs

ROOT = Path(__file__).parents[2]
KINDS = ["reliability"] * 4 + ["granularity"] * 9


def launch(processes: int, accumulation: int, model: Path, folder: Path) -> Path:
    """Train as on several devices; the folder of the result."""
    config = {
        "model": str(model),
        "lora": {"rank": 4, "alpha": 8},
        "trl": {
            "beta": 0.3, "per_device_train_batch_size": 2, "num_train_epochs": 2,
            "gradient_accumulation_steps": accumulation, "optim": "sgd", "learning_rate": 0.2,
            "lr_scheduler_type": "constant", "use_cpu": True, "bf16": False, "logging_steps": 1,
            "max_length": 256, "seed": 3,
            **({"ddp_backend": "gloo"} if processes > 1 else {}),
        },
    }  # fmt: skip
    file = folder / f"config{processes}.yaml"
    file.write_text(json.dumps(config))
    output = folder / f"output{processes}"
    # On a CPU accelerate launches one process only; torchrun launches two of the same command.
    launcher = (
        ["accelerate.commands.launch", "--cpu", "--mixed_precision", "no", "--num_machines", "1",
         "--num_processes", "1", "--dynamo_backend", "no"]
        if processes == 1
        else ["torch.distributed.run", "--nproc_per_node", str(processes), "--standalone"]
    )  # fmt: skip
    command = [sys.executable, "-m", *launcher, "-m", "training.rp_dpo", "--config", str(file),
               "--data", str(folder / "pairs.jsonl"), "--output", str(output)]  # fmt: skip
    environment = {
        **os.environ,
        "HF_HUB_OFFLINE": "1",
        "CUDA_VISIBLE_DEVICES": "",
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    return output


@pytest.mark.slow
@pytest.mark.parametrize("task", ["text", "vision"])
def test_two_processes_are_one(
    task: str, text_model: Path, vlm: Path, images: list[str], tmp_path: Path
) -> None:
    """13 pairs do not fill the last batches: no pair may count twice."""
    pairs = make_pairs(KINDS, images=images if task == "vision" else ())
    write_pairs(tmp_path / "pairs.jsonl", pairs)
    model = vlm if task == "vision" else text_model
    one, two = (launch(n, 4 // n, model, tmp_path) for n in (1, 2))
    manifests = [json.loads((folder / "manifest.json").read_text()) for folder in (one, two)]
    assert [m["execution"]["processes"] for m in manifests] == [1, 2]
    logs = [[row for row in m["log"] if "loss" in row] for m in manifests]
    assert len(logs[0]) == 4
    for mine, other in zip(*logs, strict=True):
        same: dict[str, Any] = {key: mine[key] for key in mine if "/" in key or key == "loss"}
        assert {key: other[key] for key in same} == pytest.approx(same, abs=1e-5)
    weights = [load_file(folder / "adapter_model.safetensors") for folder in (one, two)]
    assert weights[0].keys() == weights[1].keys()
    for name, weight in weights[0].items():
        torch.testing.assert_close(weights[1][name], weight, rtol=0, atol=1e-5)
