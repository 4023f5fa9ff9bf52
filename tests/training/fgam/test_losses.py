"""InfoNCE is CLIP's, without false negatives; processes make one joint batch."""

from __future__ import annotations

import math
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch.multiprocessing.spawn import spawn
from transformers import CLIPModel

from training.fgam.losses import gather, info_nce, relation_loss


def embeddings(rows: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    torch.manual_seed(seed)
    return torch.randn(rows, 16) * 3, torch.randn(rows, 16)


SCALE = torch.tensor(2.0)


def test_it_is_clips_own_loss(clip_folder: Path) -> None:
    model = CLIPModel.from_pretrained(clip_folder)
    torch.manual_seed(1)
    texts = {"input_ids": torch.randint(3, 200, (6, 9)), "attention_mask": torch.ones(6, 9).long()}
    texts["input_ids"][:, -1] = model.config.text_config.eos_token_id
    pixels = torch.randn(6, 3, 64, 64)
    reference = model(pixel_values=pixels, **texts, return_loss=True)
    images = model.get_image_features(pixel_values=pixels).pooler_output
    ours = info_nce(images, model.get_text_features(**texts).pooler_output, model.logit_scale)
    assert reference.loss > 0.1
    torch.testing.assert_close(ours, reference.loss, rtol=0, atol=1e-6)
    ours.backward()
    mine = [parameter.grad.clone() for parameter in model.parameters()]
    model.zero_grad()
    reference.loss.backward()
    for gradient, parameter in zip(mine, model.parameters(), strict=True):
        torch.testing.assert_close(gradient, parameter.grad, rtol=1e-4, atol=1e-6)


def test_the_scale_ends_at_100() -> None:
    images, texts = torch.randn(2, 4, 8, generator=torch.Generator().manual_seed(0))
    losses = [info_nce(images, texts, torch.tensor(scale)) for scale in (math.log(100), 9.0)]
    torch.testing.assert_close(losses[1], losses[0])
    assert info_nce(images, texts, torch.tensor(4.0)) != losses[0]


def test_different_texts_are_not_masked() -> None:
    images, texts = embeddings(7)
    plain = info_nce(images, texts, SCALE)
    torch.testing.assert_close(info_nce(images, texts, SCALE, torch.arange(7)), plain)


def test_the_same_text_is_no_negative() -> None:
    """By hand: the sums run over the own text and over other texts only."""
    images, texts = embeddings(5)
    ids = [3, 8, 3, 9, 8]
    unit = [torch.nn.functional.normalize(part) for part in (images, texts)]
    scores = (unit[0] @ unit[1].T * SCALE.exp()).tolist()
    losses = []
    for i in range(5):
        others = [j for j in range(5) if j == i or ids[j] != ids[i]]
        for row in ([scores[i][j] for j in others], [scores[j][i] for j in others]):
            losses.append(torch.tensor(row).logsumexp(0) - scores[i][i])
    expected = torch.stack(losses).mean()
    assert float(expected) != pytest.approx(float(info_nce(images, texts, SCALE)), abs=1e-2)
    torch.testing.assert_close(info_nce(images, texts, SCALE, torch.tensor(ids)), expected)


def test_the_order_does_not_matter() -> None:
    images, texts = embeddings(8)
    ids = torch.tensor([1, 2, 1, 1, 3, 2, 4, 5])
    order = torch.randperm(8)
    first = info_nce(images, texts, SCALE, ids)
    torch.testing.assert_close(info_nce(images[order], texts[order], SCALE, ids[order]), first)


def test_only_one_text_leaves_nothing_to_tell_apart() -> None:
    images, texts = embeddings(4)
    images.requires_grad_(True)
    loss = info_nce(images, texts, SCALE, torch.zeros(4, dtype=torch.long))
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-6)
    assert images.grad is not None
    assert torch.isfinite(images.grad).all()


def test_without_pairs_the_relation_loss_is_zero() -> None:
    logits = torch.zeros(0, 6, requires_grad=True)
    loss = relation_loss(logits, torch.zeros(0, dtype=torch.long))
    loss.backward()
    assert loss.item() == 0
    torch.testing.assert_close(
        relation_loss(torch.zeros(3, 6), torch.tensor([0, 3, 5])), torch.tensor(6.0).log()
    )


ROWS = (3, 5)
"""Rows of each process: they need not be equal."""


def joint_loss(weight: torch.Tensor, start: int, stop: int) -> torch.Tensor:
    images, texts = embeddings(sum(ROWS))
    ids = torch.tensor([1, 2, 1, 4, 5, 2, 7, 8])
    mine = gather(images[start:stop] @ weight), gather(texts[start:stop]), gather(ids[start:stop])
    return info_nce(mine[0], mine[1], SCALE, mine[2])


def _process(rank: int, folder: str) -> None:
    dist.init_process_group("gloo", f"file://{folder}/meet", rank=rank, world_size=2)
    weight = torch.eye(16, requires_grad=True)
    loss = joint_loss(weight, sum(ROWS[:rank]), sum(ROWS[: rank + 1]))
    loss.backward()
    gradient = weight.grad
    assert gradient is not None
    dist.all_reduce(gradient)
    torch.save((loss.detach(), gradient / 2), f"{folder}/{rank}.pt")
    dist.destroy_process_group()


def test_two_processes_have_the_loss_and_the_gradient_of_one(tmp_path: Path) -> None:
    spawn(_process, args=(str(tmp_path),), nprocs=2)
    weight = torch.eye(16, requires_grad=True)
    loss = joint_loss(weight, 0, sum(ROWS))
    loss.backward()
    for rank in range(2):
        other, gradient = torch.load(tmp_path / f"{rank}.pt")
        torch.testing.assert_close(other, loss.detach())
        torch.testing.assert_close(gradient, weight.grad, rtol=1e-5, atol=1e-6)
