"""The three losses of region-text pre-training and their joint batch over processes."""

from __future__ import annotations

import math

import torch
import torch.distributed as dist
from torch import Tensor
from torch.distributed.nn import functional as collective
from torch.nn import functional

_MOST_LOG_SCALE = math.log(100)


def info_nce(
    images: Tensor, texts: Tensor, log_scale: Tensor, text_ids: Tensor | None = None
) -> Tensor:
    """Symmetric InfoNCE of matching rows, as in CLIP (FGAM section 3.2.2).

    `images` and `texts` are embeddings [n, d] of any length, `log_scale` the logarithm of the
    inverse temperature, which ends at 100 as in CLIP. With `text_ids` [n], rows of an equal id have
    the same text: they are no negatives of each other and are left out of both sums.
    """
    # Half precision is too coarse for logits that are scaled by up to 100.
    with torch.autocast(images.device.type, enabled=False):
        similarity = functional.normalize(images.float()) @ functional.normalize(texts.float()).T
        logits = similarity * log_scale.float().clamp(max=_MOST_LOG_SCALE).exp()
        if text_ids is not None:
            same = text_ids[:, None] == text_ids[None, :]
            same.fill_diagonal_(False)
            logits = logits.masked_fill(same, float("-inf"))
        target = torch.arange(len(logits), device=logits.device)
        by_image = functional.cross_entropy(logits, target)
        by_text = functional.cross_entropy(logits.T, target)
        return (by_image + by_text) / 2


def relation_loss(logits: Tensor, relations: Tensor) -> Tensor:
    """Mean cross-entropy over pairs of regions, 0 without any (FGAM section 3.2.3).

    `logits` is [pairs, 6], `relations` [pairs] holds indices of `RELATIONS`.
    """
    total = functional.cross_entropy(logits.float(), relations, reduction="sum")
    return total / max(1, len(relations))


def gather(values: Tensor) -> Tensor:
    """The rows of all processes, in their order, with gradients; processes may differ in rows.

    Every process then computes the loss of the joint batch. The backward pass sums their
    gradients and data-parallel training averages them, so that N processes take the same step
    as one with the joint batch.
    """
    if not dist.is_initialized() or dist.get_world_size() == 1:
        return values
    count = torch.tensor([len(values)], device=values.device)
    counts = [int(part) for part in collective.all_gather(count)]
    padded = torch.cat([values, values.new_zeros(max(counts) - len(values), *values.shape[1:])])
    parts = collective.all_gather(padded)
    return torch.cat([part[:rows] for part, rows in zip(parts, counts, strict=True)])
