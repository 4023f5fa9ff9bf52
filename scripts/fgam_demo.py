"""`make fgam-demo`: what each loss of FGAM's stage 1 is good for, on drawn scenes, from scratch.

Trains a dual encoder of 190,000 weights with the global loss only, with the region loss, with the
spatial loss and with both, all else alike, from three seeds, and measures region-to-text retrieval
and spatial relations on held-out scenes. `--scale 10` takes ten times the scenes, and so the steps.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import statistics
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from itertools import product
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from examples.shapes.generate import write_scenes
from runtime.command_line import positive_int
from runtime.files import atomic_writer, read_records, write_json
from schemas.scene_graph import CaptionRecord

ROOT = Path(__file__).parents[1]
OUTPUT = ROOT / "runs/fgam-demo"
UNTRAINED, GLOBAL, REGION, SPATIAL, FULL = (
    "untrained", "global", "global + region", "global + spatial", "global + region + spatial"
)  # fmt: skip
WEIGHTS = {GLOBAL: (0, 0), REGION: (1, 0), SPATIAL: (0, 1), FULL: (1, 1)}
"""Weights of the region and of the spatial loss; the global loss always has weight 1."""
RETRIEVAL, RELATIONS = "retrieval_at_1", "relation_accuracy"
SEEDS = (1, 2, 3)
TRAIN_SCENES, HELD_OUT_SCENES, PROBE_SCENES = 1600, 300, 1200
KEPT = 0.9
"""Share of a single loss's gain that counts as keeping it."""
SETTINGS = {
    "per_device_train_batch_size": 32,
    "num_train_epochs": 5,
    "learning_rate": 3e-3,
    "lr_scheduler_type": "cosine",
    "warmup_steps": 0.1,
    "logging_steps": 20,
    "save_strategy": "no",
    "disable_tqdm": True,
}

Results = dict[str, dict[str, list[float]]]
"""Of each variant and metric the values, by seed."""


def run(variant: str, seed: int) -> dict[str, Any]:
    """Train one variant from one seed and measure it; what it prints goes to a file."""
    import torch

    torch.set_num_threads(1)  # several runs share the machine
    name = f"{variant.replace(' + ', '-')}-{seed}"
    log = (OUTPUT / f"{name}.log").open("w", encoding="utf-8")
    with log, contextlib.redirect_stdout(log), contextlib.redirect_stderr(log):
        model = OUTPUT / f"model-{seed}"
        if variant != UNTRAINED:
            model = train(name, model, WEIGHTS[variant], seed)
        return {"variant": variant, "seed": seed, **measure(model)}


def train(name: str, model: Path, weights: tuple[int, int], seed: int) -> Path:
    """Train with the command of every user; the folder of the result."""
    import torch

    from training.fgam.__main__ import main as command

    settings = SETTINGS | {"seed": seed, "use_cpu": not torch.cuda.is_available()}
    config = {"model": str(model), "lambda_region": weights[0], "lambda_spatial": weights[1],
              "train": settings}  # fmt: skip
    write_json(OUTPUT / f"{name}.yaml", config)
    flags = {"--config": OUTPUT / f"{name}.yaml", "--data": OUTPUT / "train/regions.jsonl",
             "--captions": OUTPUT / "train/captions.jsonl", "--output": OUTPUT / name}  # fmt: skip
    if command([str(word) for flag in flags.items() for word in flag]):
        raise SystemExit(f"the training failed: {OUTPUT / name}.log")
    return OUTPUT / name


def measure(folder: Path) -> dict[str, Any]:
    """The evaluation of a model on the held-out scenes."""
    import torch

    from training.fgam.data import Collator, load_regions
    from training.fgam.evaluate import evaluate
    from training.fgam.model import load_model
    from training.script import load_processor

    model = load_model(str(folder)).to("cuda" if torch.cuda.is_available() else "cpu")
    collator = Collator(load_processor(str(folder), has_images=True), model.encoder.config)
    probe_on, _ = load_regions(OUTPUT / "train/regions.jsonl")
    held_out, _ = load_regions(OUTPUT / "held_out/regions.jsonl")
    return asdict(evaluate(model, collator, held_out, probe_on[:PROBE_SCENES]))


def prepare(scale: int) -> None:
    """Draw the scenes, and make the model that each seed starts from."""
    from training.small_models import save_tiny_clip

    shutil.rmtree(OUTPUT, ignore_errors=True)
    write_scenes(OUTPUT / "train", scale * TRAIN_SCENES, seed=1)
    write_scenes(OUTPUT / "held_out", scale * HELD_OUT_SCENES, seed=2)
    captions = [row.caption for row in read_records(OUTPUT / "train/captions.jsonl", CaptionRecord)]
    for seed in SEEDS:
        save_tiny_clip(OUTPUT / f"model-{seed}", captions, seed)


def run_all() -> list[dict[str, Any]]:
    """All variants from all seeds, as many at a time as there are cores."""
    jobs = list(product([*WEIGHTS, UNTRAINED], SEEDS))
    # A new interpreter for each worker: CUDA does not survive a fork.
    with ProcessPoolExecutor(min(len(jobs), os.cpu_count() or 1), get_context("spawn")) as pool:
        rows = []
        for future in as_completed([pool.submit(run, *job) for job in jobs]):
            rows.append(row := future.result())
            print(f"{row['variant']}, seed {row['seed']}: retrieval@1 {row[RETRIEVAL]:.3f}, "
                  f"relations {row[RELATIONS]:.3f}", flush=True)  # fmt: skip
    return sorted(rows, key=lambda row: (row["variant"], row["seed"]))


def collect(rows: Iterable[dict[str, Any]]) -> Results:
    """The values of each variant, in the order of the seeds."""
    results: Results = {variant: {} for variant in (UNTRAINED, *WEIGHTS)}
    for row in rows:
        for metric in (RETRIEVAL, RELATIONS, "head_accuracy"):
            if row[metric] is not None:
                results[row["variant"]].setdefault(metric, []).append(row[metric])
    return results


def table(results: Results) -> str:
    """Mean ± standard deviation over the seeds, as a Markdown table."""
    lines = [
        "| losses | retrieval@1 | relations, probe | relations, own head |",
        "|---|---|---|---|",
    ]
    for variant, metrics in results.items():
        cells = [
            f"{statistics.mean(values):.3f} ± {statistics.stdev(values):.3f}" if values else "–"
            for values in (metrics.get(m, []) for m in (RETRIEVAL, RELATIONS, "head_accuracy"))
        ]
        lines.append(f"| {' | '.join([variant, *cells])} |")
    return "\n".join(lines)


def statements(results: Results) -> dict[str, bool]:
    """Which of the three claims the numbers bear out.

    A loss raises a metric when every seed is better with it than the same seed without it.
    """

    def raises(metric: str, variant: str) -> bool:
        pairs = zip(results[variant][metric], results[GLOBAL][metric], strict=True)
        return all(better > base for better, base in pairs)

    def keeps(metric: str, single: str) -> bool:
        base, one, both = (statistics.mean(results[v][metric]) for v in (GLOBAL, single, FULL))
        return raises(metric, FULL) and both - base >= KEPT * (one - base)

    return {
        "the region loss raises retrieval": raises(RETRIEVAL, REGION),
        "the spatial loss raises relation accuracy": raises(RELATIONS, SPATIAL),
        "both together keep both gains": keeps(RETRIEVAL, REGION) and keeps(RELATIONS, SPATIAL),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Run everything; the exit code is 1 if a claim does not hold."""
    parser = argparse.ArgumentParser(prog="python -m scripts.fgam_demo", description=__doc__)
    parser.add_argument("--scale", metavar="N", type=positive_int, default=1,
                        help="times the scenes of the usual size")  # fmt: skip
    scale = parser.parse_args(argv).scale
    started = time.monotonic()
    os.environ["HF_HUB_OFFLINE"] = "1"
    prepare(scale)
    rows = run_all()
    results = collect(rows)
    held = statements(results)
    seconds = round(time.monotonic() - started)
    chance = f"chance: retrieval {1 / rows[0]['texts']:.3f}, " \
             f"commonest relation {rows[0]['commonest_relation']:.3f}"  # fmt: skip
    lines = [f"{claim}: {'yes' if holds else 'NO'}" for claim, holds in held.items()]
    report = "\n".join([table(results), "", chance, "", *lines])
    with atomic_writer(OUTPUT / "results.md") as file:
        file.write(report + "\n")
    write_json(OUTPUT / "results.json", {"scale": scale, "seconds": seconds, "settings": SETTINGS,
                                         "runs": rows, "claims": held})  # fmt: skip
    print(f"\n{seconds} s; wrote {OUTPUT.relative_to(ROOT)}\n\n{report}")
    return 0 if all(held.values()) else 1


if __name__ == "__main__":
    sys.exit(main())
