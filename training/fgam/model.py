"""A dual encoder of transformers that also embeds regions, with the losses of FGAM's stage 1."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from runtime.errors import ToolkitError
from runtime.files import write_json
from schemas.fgam import LossWeights
from schemas.spatial import RELATIONS
from training.fgam.losses import gather, info_nce, relation_loss

_ENCODER = "encoder."
_ADDED = "fgam.safetensors"
_FACTS = "fgam.json"
_START_TEMPERATURE = 0.07


def cover(boxes: Tensor, rows: int, columns: int) -> Tensor:
    """How much of each box lies in each cell of a grid: [..., rows * columns], with sum 1.

    `boxes` [..., 4] are `(x0, y0, x1, y1)` as shares of the image's width and height.
    """

    def shares(start: Tensor, end: Tensor, cells: int) -> Tensor:
        edges = torch.arange(cells + 1, device=boxes.device, dtype=boxes.dtype) / cells
        common = torch.minimum(end[..., None], edges[1:]) - torch.maximum(
            start[..., None], edges[:-1]
        )
        common = common.clamp(min=0)
        # One axis at a time: the area of a tiny box would be too small a number.
        return common / common.sum(dim=-1, keepdim=True)

    across = shares(boxes[..., 0], boxes[..., 2], columns)
    down = shares(boxes[..., 1], boxes[..., 3], rows)
    return (down[..., :, None] * across[..., None, :]).flatten(-2)


def pool_regions(patches: Tensor, boxes: Tensor) -> Tensor:
    """Mean of the patch features in each box, weighted by shared area.

    `patches` is [images, rows * columns, width] of a square grid, `boxes` [images, regions, 4];
    the result is [images, regions, width]. A box of the whole image gives the mean of all
    patches.
    """
    side = math.isqrt(patches.shape[1])
    return cover(boxes, side, side).to(patches.dtype) @ patches


class SpatialHead(nn.Module):
    """A small MLP on two region embeddings, one behind the other (FGAM section 3.2.3)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.layers = nn.Sequential(
            nn.Linear(2 * width, 2 * width), nn.GELU(), nn.Linear(2 * width, len(RELATIONS))
        )

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        """Logits [pairs, 6] of how the first region lies to the second; both [pairs, width]."""
        logits: Tensor = self.layers(torch.cat([first, second], dim=1))
        return logits


class FgamModel(nn.Module):
    """A dual encoder with the weighted sum of the global, the region and the spatial loss.

    A region is pooled from the last patch features and takes the way into the shared space that
    the image's own feature takes: `visual_projection` (CLIP), or the pooling head on the pooled
    feature alone (SigLIP, which has no projection). So only the spatial head, which exists when
    its loss has a weight, and the temperature of the region loss are new weights.
    """

    def __init__(self, encoder: Any, weights: LossWeights) -> None:
        super().__init__()
        self.encoder = encoder
        self.weights = weights
        self.region_log_scale = nn.Parameter(torch.tensor(-math.log(_START_TEMPERATURE)))
        config = encoder.config
        width = config.projection_dim if _projects(encoder) else config.vision_config.hidden_size
        self.spatial_head = SpatialHead(width) if weights.lambda_spatial else None

    def embed_images(self, pixel_values: Tensor) -> tuple[Tensor, Tensor]:
        """Embeddings [images, width] and patch features [images, patches, hidden]."""
        output = self.encoder.get_image_features(pixel_values=pixel_values)
        vision = self.encoder.config.vision_config
        patches = (vision.image_size // vision.patch_size) ** 2
        # What stands before the patches is the class token.
        return output.pooler_output, output.last_hidden_state[:, -patches:]

    def embed_regions(self, patches: Tensor, boxes: Tensor, present: Tensor) -> Tensor:
        """Embeddings [regions, width] of the boxes that are `present` [images, places]."""
        pooled = pool_regions(patches, boxes)[present]
        tower = self.encoder.vision_model
        if _projects(self.encoder):
            embeddings: Tensor = self.encoder.visual_projection(tower.post_layernorm(pooled))
        else:
            embeddings = tower.head(pooled[:, None])
        return embeddings

    def embed_texts(self, texts: Mapping[str, Tensor]) -> Tensor:
        """Embeddings [texts, width] of what the tokenizer made of them."""
        embeddings: Tensor = self.encoder.get_text_features(**texts).pooler_output
        return embeddings

    def forward(
        self,
        pixel_values: Tensor,
        captions: Mapping[str, Tensor],
        boxes: Tensor,
        present: Tensor,
        texts: Mapping[str, Tensor],
        text_ids: Tensor,
        pairs: Tensor,
        relations: Tensor,
    ) -> dict[str, Tensor]:
        """The losses of a batch as `training.fgam.data.Collator` makes it, over all processes.

        `loss` is the weighted sum; the others, without their weights, are there when it has them.
        """
        weights = self.weights
        images, patches = self.embed_images(pixel_values)
        losses: dict[str, Tensor] = {}
        if weights.lambda_global:
            all_images, all_captions = gather(images), gather(self.embed_texts(captions))
            losses["global"] = info_nce(all_images, all_captions, self.encoder.logit_scale)
        regions = self.embed_regions(patches, boxes, present)
        if weights.lambda_region:
            all_regions, all_texts = gather(regions), gather(self.embed_texts(texts))
            ids = gather(text_ids)
            losses["region"] = info_nce(all_regions, all_texts, self.region_log_scale, ids)
        if self.spatial_head is not None:
            logits = self.spatial_head(regions[pairs[:, 0]], regions[pairs[:, 1]])
            losses["spatial"] = relation_loss(gather(logits), gather(relations))
        total = sum(getattr(weights, f"lambda_{name}") * loss for name, loss in losses.items())
        return {"loss": total, **{f"loss_{name}": loss for name, loss in losses.items()}}

    def save(self, folder: Path, state: Mapping[str, Tensor]) -> None:
        """Write the encoder as `AutoModel` loads it, and beside it what FGAM adds."""
        from safetensors.torch import save_file

        parts: dict[bool, dict[str, Tensor]] = {True: {}, False: {}}
        for name, tensor in state.items():
            parts[name.startswith(_ENCODER)][name.removeprefix(_ENCODER)] = tensor
        self.encoder.save_pretrained(folder, state_dict=parts[True])
        save_file(parts[False], folder / _ADDED)
        temperature = math.exp(-float(parts[False]["region_log_scale"]))
        weights = LossWeights.model_dump(self.weights, include=set(LossWeights.model_fields))
        write_json(
            folder / _FACTS,
            {"relations": RELATIONS, "region_temperature": temperature, "weights": weights},
        )


def load_encoder(model: str) -> Any:
    """The dual encoder of a folder or a hub id, in float32.

    Raises ToolkitError (prerequisite) when it is not there, (capability) when it is none.
    """
    from transformers import AutoModel

    try:
        encoder = AutoModel.from_pretrained(model, dtype=torch.float32)
    except (OSError, ValueError) as error:
        reason = str(error).splitlines()[0]
        hint = "give a folder with a model, or an id of the Hugging Face hub while online"
        raise ToolkitError("prerequisite", f"model {model}: {reason}", hint) from error
    embeds = hasattr(encoder, "get_image_features") and hasattr(encoder, "get_text_features")
    patches = hasattr(getattr(encoder.config, "vision_config", None), "image_size")
    if not (embeds and patches and (_projects(encoder) or hasattr(encoder.vision_model, "head"))):
        message = f"model {model}: {type(encoder).__name__} is no dual encoder like CLIP or SigLIP"
        hint = "for example openai/clip-vit-base-patch16 or google/siglip2-base-patch16-224"
        raise ToolkitError("capability", message, hint)
    return encoder


def load_model(model: str) -> FgamModel:
    """What `FgamModel.save` wrote, or any dual encoder. Raises ToolkitError as `load_encoder`."""
    from safetensors.torch import load_file

    encoder = load_encoder(model)
    facts = Path(model) / _FACTS
    if not facts.exists():
        return FgamModel(encoder, LossWeights(lambda_spatial=0))
    weights = json.loads(facts.read_text(encoding="utf-8"))["weights"]
    loaded = FgamModel(encoder, LossWeights.model_validate(weights))
    found = loaded.load_state_dict(load_file(facts.with_name(_ADDED)), strict=False)
    missing = [name for name in found.missing_keys if not name.startswith(_ENCODER)]
    if missing:
        message = f"{facts.with_name(_ADDED)}: has no {', '.join(missing)}"
        raise ToolkitError("input", message, "train again: the file is not of this model")
    return loaded


def _projects(encoder: Any) -> bool:
    return hasattr(encoder, "visual_projection")
