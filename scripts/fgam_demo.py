"""`make fgam-demo`: what each loss of FGAM's stage 1 is good for, on drawn scenes, from scratch.

Trains a dual encoder of 190,000 weights with the global loss only, with the region loss, with the
spatial loss and with both, all else alike, from three seeds, and measures region-to-text retrieval
and spatial relations on held-out scenes. `--scale 10` takes ten times the scenes.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from examples.shapes.generate import write_scenes
from runtime.command_line import positive_int
from runtime.files import atomic_writer, read_records, write_json
from schemas.scene_graph import CaptionRecord

ROOT = Path(__file__).parents[1]
OUTPUT = ROOT / "runs/fgam-demo"
VARIANTS = {
    "global": (0.0, 0.0),
    "global + region": (1.0, 0.0),
    "global + spatial": (0.0, 1.0),
    "global + region + spatial": (1.0, 1.0),
}
"""Weights of the region and of the spatial loss; the global loss always has weight 1."""
UNTRAINED = "untrained"
SEEDS = (1, 2, 3)
TRAIN_SCENES, HELD_OUT_SCENES = 2000, 300
KEPT = 0.9
"""Share of a single loss's gain that both together must have for the gain to be kept."""
SETTINGS = {
    "per_device_train_batch_size": 32,
    "num_train_epochs": 7,
    "learning_rate": 2e-3,
    "lr_scheduler_type": "cosine",
    "warmup_steps": 0.1,
    "logging_steps": 20,
    "save_strategy": "no",
    "disable_tqdm": True,
}


def run(variant: str, seed: int) -> dict[str, Any]:
    """Train one variant from one seed and measure it on the held-out scenes."""
    import torch

    from training.fgam.__main__ import main as train
    from training.fgam.data import Collator, load_regions
    from training.fgam.evaluate import evaluate
    from training.fgam.model import load_model
    from training.script import load_processor

    gpu = torch.cuda.is_available()
    if not gpu:
        torch.set_num_threads(1)
    name = f"{variant.replace(' + ', '-')}-{seed}"
    folder = OUTPUT / f"model-{seed}"
    if variant != UNTRAINED:
        region, spatial = VARIANTS[variant]
        config = {"model": str(folder), "lambda_region": region, "lambda_spatial": spatial,
                  "train": SETTINGS | {"seed": seed, "use_cpu": not gpu}}  # fmt: skip
        write_json(OUTPUT / f"{name}.yaml", config)
        folder = OUTPUT / name
        flags = {"config": OUTPUT / f"{name}.yaml", "data": OUTPUT / "train/regions.jsonl",
                 "captions": OUTPUT / "train/captions.jsonl", "output": folder}  # fmt: skip
        if train([word for key, value in flags.items() for word in (f"--{key}", str(value))]):
            raise SystemExit(f"{name}: the training failed")
    model = load_model(str(folder)).to("cuda" if gpu else "cpu")
    collator = Collator(load_processor(str(folder), has_images=True), model.encoder.config)
    probe_on, _ = load_regions(OUTPUT / "train/regions.jsonl")
    held_out, _ = load_regions(OUTPUT / "held_out/regions.jsonl")
    result = asdict(evaluate(model, collator, held_out, probe_on[: 4 * HELD_OUT_SCENES]))
    print(name, result)
    return {"variant": variant, "seed": seed} | result
if __name__ == "__main__":
    sys.exit(main())
