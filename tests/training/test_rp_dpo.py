"""The loss against TRL's, against plain torch in float64, and however pairs fall into batches."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from datasets import Dataset, IterableDataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoModelForImageTextToText, AutoProcessor
from trl import DPOConfig, DPOTrainer

from runtime.errors import ToolkitError
from tests.training.models import make_pairs
from training.data import to_dataset
from training.rp_dpo import RPDPOConfig, RPDPOTrainer

MIXED = ["reliability"] * 3 + ["granularity"] * 7 + ["reliability"] * 2
BETA = 0.3


def build(
    trainer_class: type[Any],
    model: Path,
    pairs: Sequence[dict[str, Any]],
    output: Path,
    **settings: Any,
) -> Any:
    config_class = RPDPOConfig if trainer_class is RPDPOTrainer else DPOConfig
    arguments = {"beta": BETA, "use_cpu": True, "bf16": False, "report_to": "none", "seed": 3}
    arguments |= {"optim": "sgd", "learning_rate": 0.2, "logging_steps": 1, "disable_tqdm": True}
    return trainer_class(
        model=str(model),
        args=config_class(output_dir=str(output), **arguments | settings),
        train_dataset=to_dataset(list(pairs)),
        processing_class=AutoProcessor.from_pretrained(model),
        peft_config=LoraConfig(r=4, lora_alpha=8, target_modules="all-linear"),
    )


def disturb(trainer: Any) -> None:
    """Give the adapter weights that make the policy differ from the reference."""
    generator = torch.Generator().manual_seed(5)
    for name, weight in trainer.model.named_parameters():
        if "lora_" in name:
            weight.data = 0.3 * torch.randn(weight.shape, generator=generator)


def batches(trainer: Any, size: int) -> list[dict[str, Any]]:
    """The data in its order, prepared as in training."""
    trainer._set_signature_columns_if_needed()
    rows = [
        {k: v for k, v in row.items() if k in trainer._signature_columns}
        for row in trainer.train_dataset
    ]
    return [trainer.data_collator(rows[i : i + size]) for i in range(0, len(rows), size)]


def adapter(trainer: Any) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in trainer.model.parameters() if p.requires_grad])


@pytest.fixture(params=["text", "vision"])
def task(request: pytest.FixtureRequest, text_model: Path, vlm: Path, images: list[str]) -> Any:
    """A model and the images of its pairs."""
    return (text_model, []) if request.param == "text" else (vlm, images)


def test_without_margins_the_loss_is_trls(task: Any, tmp_path: Path) -> None:
    model, pictures = task
    pairs = make_pairs(["reliability"] * 7, images=pictures, margin=0.0)
    ours, theirs = (build(kind, model, pairs, tmp_path) for kind in (RPDPOTrainer, DPOTrainer))
    for trainer in (ours, theirs):
        disturb(trainer)
    for mine, plain in zip(batches(ours, 3), batches(theirs, 3), strict=True):
        loss, expected = (
            ours.compute_loss(ours.model, mine),
            theirs.compute_loss(theirs.model, plain),
        )
        assert abs(expected.item() - 0.6931) > 1e-3, "the policy must differ from the reference"
        torch.testing.assert_close(loss, expected, rtol=0, atol=1e-6)
        loss.backward()
        expected.backward()
    for mine, plain in zip(ours.model.parameters(), theirs.model.parameters(), strict=True):
        if mine.requires_grad:
            torch.testing.assert_close(mine.grad, plain.grad, rtol=0, atol=1e-6)


def test_without_margins_training_is_trls(task: Any, tmp_path: Path) -> None:
    model, pictures = task
    pairs = make_pairs(["reliability"] * 8, images=pictures, margin=0.0)
    settings = {"per_device_train_batch_size": 2, "gradient_accumulation_steps": 2, "max_steps": 4}
    ours, theirs = (
        build(kind, model, pairs, tmp_path, **settings) for kind in (RPDPOTrainer, DPOTrainer)
    )
    start = adapter(ours)
    ours.train()
    theirs.train()
    assert (adapter(ours) - start).abs().max() > 1e-3
    torch.testing.assert_close(adapter(ours), adapter(theirs), rtol=0, atol=1e-6)
    for key in ("loss", "rewards/chosen", "rewards/rejected", "rewards/margins",
                "rewards/accuracies"):  # fmt: skip
        mine, plain = ([row[key] for row in t.state.log_history[:-1]] for t in (ours, theirs))
        assert mine == pytest.approx(plain, abs=1e-5), key


def reference_loss(
    trainer: Any, model: Path, pairs: Sequence[dict[str, Any]], weight: float
) -> Any:
    """L in float64 with nothing of TRL's or ours but the tokens."""
    kind = AutoModelForImageTextToText if trainer._is_vision_dataset else AutoModelForCausalLM
    base = kind.from_pretrained(model, dtype=torch.float64)
    policy = trainer.model.double()
    gaps = []
    for batch in batches(trainer, 1):
        names = batch.keys() - {"completion_mask", "margin", "kind", "weight"}
        inputs = {k: batch[k].double() if batch[k].is_floating_point() else batch[k] for k in names}
        ratios = []
        for network in (policy, base):
            with torch.no_grad():
                steps = network(**inputs).logits[:, :-1].log_softmax(-1)
            told = steps.gather(-1, inputs["input_ids"][:, 1:, None])[..., 0]
            chosen, rejected = (told * batch["completion_mask"][:, 1:]).sum(1)
            ratios.append(chosen - rejected)
        gaps.append(BETA * (ratios[0] - ratios[1]))
    losses = [-F.logsigmoid(gap - pair["margin"]) for gap, pair in zip(gaps, pairs, strict=True)]
    means = [
        torch.stack([x for x, p in zip(losses, pairs, strict=True) if p["kind"] == name]).mean()
        for name in ("reliability", "granularity")
    ]
    return (means[0] + weight * means[1]).item()


@pytest.mark.parametrize("size", [1, 5, 12])
def test_the_loss_is_the_formula_in_float64(task: Any, tmp_path: Path, size: int) -> None:
    model, pictures = task
    pairs = make_pairs(MIXED, images=pictures)
    trainer = build(RPDPOTrainer, model, pairs, tmp_path, granularity_weight=0.7)
    disturb(trainer)
    trainer.model.eval()
    with torch.no_grad():
        total = sum(
            trainer.compute_loss(trainer.model, batch).item() * len(batch["margin"])
            for batch in batches(trainer, size)
        )
    expected = reference_loss(trainer, model, pairs, 0.7)
    assert total / len(pairs) == pytest.approx(expected, abs=1e-5)


def test_the_first_loss_of_a_margin_is_known(text_model: Path, tmp_path: Path) -> None:
    pairs = make_pairs(["granularity"] * 2, margin=0.3)
    trainer = build(RPDPOTrainer, text_model, pairs, tmp_path, granularity_weight=0.5)
    (batch,) = batches(trainer, 2)
    # Policy and reference are equal at first: log(1 + e^0.3), and λ times that for this kind alone.
    assert trainer.compute_loss(trainer.model, batch).item() == pytest.approx(
        0.854355 / 2, abs=1e-6
    )


def test_accumulation_changes_nothing(task: Any, tmp_path: Path) -> None:
    """12 pairs are one whole step of 8 and one of 4, in batches of 1, of 3 (the last of 2) or 8."""
    model, pictures = task
    pairs = make_pairs(MIXED, images=pictures)
    trained = []
    for size, accumulation in ((8, 1), (1, 8), (2, 4)):
        trainer = build(
            RPDPOTrainer, model, pairs, tmp_path, num_train_epochs=2,
            per_device_train_batch_size=size, gradient_accumulation_steps=accumulation,
        )  # fmt: skip
        start = adapter(trainer)
        trainer.train()
        assert (adapter(trainer) - start).abs().max() > 1e-3
        trained.append((adapter(trainer), [row["loss"] for row in trainer.state.log_history[:-1]]))
    for weights, losses in trained[1:]:
        torch.testing.assert_close(weights, trained[0][0], rtol=0, atol=1e-5)
        assert losses == pytest.approx(trained[0][1], abs=1e-5)


def test_an_epoch_of_frozen_steps_averages_to_the_loss(text_model: Path, tmp_path: Path) -> None:
    trainer = build(
        RPDPOTrainer, text_model, make_pairs(MIXED), tmp_path, learning_rate=0.0,
        per_device_train_batch_size=1, gradient_accumulation_steps=3, num_train_epochs=1,
    )  # fmt: skip
    disturb(trainer)
    expected = reference_loss(trainer, text_model, make_pairs(MIXED), 0.5)
    trainer.model.float()
    trainer.train()
    losses = [row["loss"] for row in trainer.state.log_history[:-1]]
    assert sum(losses) / len(losses) == pytest.approx(expected, abs=1e-5)


def test_what_is_logged(text_model: Path, tmp_path: Path) -> None:
    pairs = make_pairs(MIXED, seed=2, margin=0.1)
    trainer = build(RPDPOTrainer, text_model, pairs, tmp_path, per_device_eval_batch_size=5)
    disturb(trainer)
    logged = trainer.evaluate(to_dataset(pairs))
    rewards = []
    for batch in batches(trainer, 1):
        plain = {k: v for k, v in batch.items() if k not in ("margin", "kind", "weight")}
        with torch.no_grad():
            chosen, rejected, _ = trainer._rewards(trainer.model, plain)
        rewards.append((chosen - rejected).item())
    met = [gap > pair["margin"] for gap, pair in zip(rewards, pairs, strict=True)]
    right = [gap > 0 for gap in rewards]
    fine = [ok for ok, pair in zip(right, pairs, strict=True) if pair["kind"] == "granularity"]
    assert 0 < sum(met) < sum(right) < len(pairs), "choose another seed"
    assert logged["eval_margin_met"] == pytest.approx(sum(met) / 12)
    assert logged["eval_rewards/accuracies"] == pytest.approx(sum(right) / 12)
    assert logged["eval_accuracy/granularity"] == pytest.approx(sum(fine) / 7)
    kinds = logged["eval_loss/reliability"] + 0.5 * logged["eval_loss/granularity"]
    assert logged["eval_loss"] == pytest.approx(kinds, abs=1e-5)


def test_reference_log_probabilities_can_be_computed_before(
    text_model: Path, tmp_path: Path
) -> None:
    losses = []
    for before in (False, True):
        trainer = build(
            RPDPOTrainer, text_model, make_pairs(MIXED), tmp_path, precompute_ref_log_probs=before
        )
        disturb(trainer)
        losses.append([trainer.compute_loss(trainer.model, b).item() for b in batches(trainer, 4)])
    assert losses[0] == pytest.approx(losses[1], abs=1e-6)


def test_lora_is_its_own_reference(text_model: Path, tmp_path: Path) -> None:
    assert build(RPDPOTrainer, text_model, make_pairs(MIXED), tmp_path).ref_model is None


@pytest.mark.parametrize("kind", ["attribute", None])
def test_pairs_without_a_known_kind_are_refused(
    kind: str | None, text_model: Path, tmp_path: Path
) -> None:
    pairs = [pair | {"kind": kind} for pair in make_pairs(["reliability"])]
    with pytest.raises(ToolkitError, match="a kind, reliability or granularity") as caught:
        build(RPDPOTrainer, text_model, pairs, tmp_path)
    assert "training.dpo" in caught.value.hint


def test_pairs_without_margin_are_refused(text_model: Path, tmp_path: Path) -> None:
    pairs = [{k: v for k, v in pair.items() if k != "margin"} for pair in make_pairs(MIXED)]
    with pytest.raises(ToolkitError, match="needs a margin"):
        build(RPDPOTrainer, text_model, pairs, tmp_path)


def test_settings_of_other_losses_are_refused(text_model: Path, tmp_path: Path) -> None:
    with pytest.raises(ToolkitError, match="ld_alpha: the RP-DPO loss has no place for it"):
        build(RPDPOTrainer, text_model, make_pairs(MIXED), tmp_path, ld_alpha=0.5)


def test_a_stream_is_refused(text_model: Path, tmp_path: Path) -> None:
    trainer = build(RPDPOTrainer, text_model, make_pairs(MIXED), tmp_path)
    with pytest.raises(ToolkitError, match="counts the pairs of each kind"):
        trainer._weigh(IterableDataset.from_generator(lambda: iter(make_pairs(MIXED))))
    assert isinstance(trainer.train_dataset, Dataset)
