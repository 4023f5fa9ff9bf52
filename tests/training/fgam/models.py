"""Tiny dual encoders of both kinds, and drawn scenes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from training.small_models import save_tiny_clip


def save_tiny_siglip(folder: Path) -> None:
    """A SigLIP of random weights: it has no projection and no class token."""
    import torch
    from transformers import (
        AutoTokenizer,
        SiglipConfig,
        SiglipImageProcessorPil,
        SiglipModel,
        SiglipProcessor,
    )

    save_tiny_clip(folder)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    layers = {"hidden_size": 32, "intermediate_size": 32, "num_attention_heads": 2,
              "num_hidden_layers": 1}  # fmt: skip
    config = SiglipConfig(
        vision_config=layers | {"image_size": 32, "patch_size": 8},
        text_config=layers
        | {"vocab_size": len(tokenizer), "max_position_embeddings": 48, "pad_token_id": 0,
           "bos_token_id": None, "eos_token_id": tokenizer.eos_token_id, "projection_size": 32},
    )  # fmt: skip
    torch.manual_seed(0)
    SiglipModel(config).save_pretrained(folder)
    images = SiglipImageProcessorPil(size={"height": 32, "width": 32})
    SiglipProcessor(images, tokenizer).save_pretrained(folder)


def settings(**more: Any) -> dict[str, Any]:
    """Arguments of a training of a few steps on a CPU."""
    return {"per_device_train_batch_size": 4, "max_steps": 3, "learning_rate": 0.01,
            "use_cpu": True, "logging_steps": 1, "seed": 3, "save_strategy": "no",
            "disable_tqdm": True, **more}  # fmt: skip
