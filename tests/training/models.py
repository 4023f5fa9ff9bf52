"""Tiny models and pairs: what TRL needs to run for real in a second."""

from __future__ import annotations

import json
import random
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from training.small_models import build_tokenizer

WORDS = ["cat", "dog", "door", "collar", "flower", "green", "red", "petals", "shows", "a", "with"]


def save_text_model(folder: Path, seed: int = 0) -> None:
    """A Llama of 30,000 parameters, saved with its tokenizer."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    tokenizer = build_tokenizer([" ".join(WORDS)])
    config = LlamaConfig(
        vocab_size=len(tokenizer),
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=2,
        pad_token_id=tokenizer.pad_token_id,
        bos_token_id=None,
        eos_token_id=tokenizer.eos_token_id,
    )
    torch.manual_seed(seed)
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def text(draw: random.Random, longest: int = 12) -> str:
    return " ".join(draw.choices(WORDS, k=draw.randint(3, longest)))


def make_pairs(
    kinds: Sequence[str], seed: int = 7, images: Sequence[str] = (), margin: float | None = None
) -> list[dict[str, Any]]:
    """One pair a kind as in `pairs.jsonl`; margins are drawn unless given."""
    draw = random.Random(seed)

    def message(role: str, words: str, *, image: bool = False) -> list[dict[str, Any]]:
        content = [{"type": "image"}] if image else []
        return [{"role": role, "content": [*content, {"type": "text", "text": words}]}]

    return [
        {
            "id": f"pair-{number}",
            "images": [images[number % len(images)]] if images else [],
            "prompt": message("user", text(draw), image=bool(images)),
            "chosen": message("assistant", text(draw) + " a"),
            "rejected": message("assistant", text(draw) + " b"),
            "kind": kind,
            "margin": draw.random() if margin is None else margin,
        }
        for number, kind in enumerate(kinds)
    ]


def write_pairs(path: Path, pairs: Sequence[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(pair) + "\n" for pair in pairs), encoding="utf-8")
    return path


def make_images(folder: Path, count: int = 3) -> list[str]:
    """Images of different sizes and colours; their names."""
    names = [f"image{number}.png" for number in range(count)]
    for number, name in enumerate(names):
        Image.new("RGB", (40 + 9 * number, 30), (80 * number, 99, 200)).save(folder / name)
    return names
