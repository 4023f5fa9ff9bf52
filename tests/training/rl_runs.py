"""Rows and configs of a rectifier's run, for reinforcement learning in a second."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from schemas.preference import ChatMessage, ImagePart, TextPart
from schemas.trajectory import RevisionExample, RewardPrompt
from tests.training.models import write_pairs

COMMON = {"use_cpu": True, "bf16": False, "learning_rate": 0.01, "logging_steps": 1, "seed": 3,
          "gradient_checkpointing": False, "disable_tqdm": True}  # fmt: skip
# The random model would otherwise say image placeholders, and end after a word.
SPEAK = {"suppress_tokens": [0, 1, 2, 3, 4, 5, 6]}
RL = {**COMMON, "num_generations": 4, "per_device_train_batch_size": 4, "max_steps": 2,
      "max_completion_length": 6,
      "generation_kwargs": SPEAK}  # fmt: skip
SFT = {**COMMON, "per_device_train_batch_size": 2, "max_steps": 3}


def _user(text: str) -> tuple[ChatMessage, ...]:
    return (ChatMessage(role="user", content=(ImagePart(), TextPart(text=text))),)


def write_run(folder: Path, images: Sequence[str], count: int = 4) -> Path:
    """`sft.jsonl` and `rl.jsonl` as the rectifier writes them; the folder."""
    sft, rl = [], []
    for number in range(count):
        question, shown = f"What is {number}?", (images[number % len(images)],)
        augmented = f"User: {question} Assistant: A cat. Feedback: No. Assistant (Revised):"
        answer = ChatMessage(role="assistant", content=(TextPart(text="a red dog"),))
        sft.append(
            RevisionExample(
                id=f"q{number}#1", images=shown, prompt=_user(augmented), completion=(answer,)
            )
        )
        rl.append(
            RewardPrompt(id=f"q{number}", images=shown, prompt=_user(question), question=question)
        )
    for name, rows in (("sft", sft), ("rl", rl)):
        write_pairs(folder / f"{name}.jsonl", [row.model_dump(mode="json") for row in rows])
    return folder


def write_config(folder: Path, model: object, **settings: Any) -> Path:
    config = {"model": str(model), "lora": {"rank": 4, "alpha": 8}, **settings}
    path = folder / "config.yaml"
    path.write_text(json.dumps(config))
    return path


def flags(config: Path, data: Path, output: Path, *more: str) -> list[str]:
    return ["--config", str(config), "--data", str(data), "--output", str(output), *more]


def log_of(output: Path) -> list[dict[str, Any]]:
    """What was logged at each step."""
    log = json.loads((output / "manifest.json").read_text())["log"]
    return [row for row in log if "reward" in row]
