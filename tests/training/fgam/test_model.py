"""Regions are pooled exactly, and both kinds of encoders embed them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from runtime.errors import ToolkitError
from schemas.fgam import LossWeights
from training.fgam.data import Collator, RegionDataset, load_data
from training.fgam.model import FgamModel, cover, load_encoder, pool_regions
from training.script import load_processor


@pytest.fixture
def patches() -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randn(2, 16, 5)


def box(*edges: float) -> torch.Tensor:
    """The same box in both images."""
    return torch.tensor(edges).expand(2, 1, 4)


def test_the_whole_image_is_the_mean(patches: torch.Tensor) -> None:
    pooled = pool_regions(patches, box(0, 0, 1, 1))[:, 0]
    torch.testing.assert_close(pooled, patches.mean(1), rtol=0, atol=1e-6)


@pytest.mark.parametrize("row", range(4))
@pytest.mark.parametrize("column", range(4))
def test_one_cell_is_that_cell(patches: torch.Tensor, row: int, column: int) -> None:
    edges = (column / 4, row / 4, (column + 1) / 4, (row + 1) / 4)
    pooled = pool_regions(patches, box(*edges))[:, 0]
    torch.testing.assert_close(pooled, patches[:, 4 * row + column], rtol=0, atol=1e-6)


@pytest.mark.parametrize("width", [1e-6, 1e-4, 0.01])
def test_a_tiny_box_is_its_cell(patches: torch.Tensor, width: float) -> None:
    pooled = pool_regions(patches, box(0.3, 0.6, 0.3 + width, 0.6 + width))[:, 0]
    torch.testing.assert_close(pooled, patches[:, 4 * 2 + 1], rtol=0, atol=1e-6)


def test_parts_of_cells_count_by_their_area() -> None:
    """Half of column 0 and all of column 1; a quarter of row 2 and half of row 3."""
    weights = cover(torch.tensor([[0.125, 0.6875, 0.5, 0.875]]), 4, 4).reshape(4, 4)
    expected = torch.zeros(4, 4)
    expected[2:, :2] = torch.tensor([[0.25 * 0.5, 0.25], [0.5 * 0.5, 0.5]])
    torch.testing.assert_close(weights, expected / expected.sum())


def test_rows_and_columns_are_not_mixed_up() -> None:
    weights = cover(torch.tensor([[0.0, 0.0, 1 / 3, 1.0]]), 2, 3).reshape(2, 3)
    torch.testing.assert_close(weights, torch.tensor([[0.5, 0, 0], [0.5, 0, 0]]))


@pytest.fixture(params=["clip_folder", "siglip_folder"])
def folder(request: pytest.FixtureRequest) -> Path:
    path: Path = request.getfixturevalue(request.param)
    return path


def test_all_losses_reach_both_towers(folder: Path, scenes: Path) -> None:
    model = FgamModel(load_encoder(str(folder)), LossWeights())
    collator = Collator(load_processor(str(folder), has_images=True), model.encoder.config)
    data = load_data(scenes / "captions.jsonl", scenes / "regions.jsonl")
    dataset = RegionDataset(data.examples, max_regions=3, seed=0)
    batch = collator([dataset[i] for i in range(6)])
    assert batch["boxes"].shape == (6, 3, 4)
    losses = model(**batch)
    parts = [losses[f"loss_{name}"] for name in ("global", "region", "spatial")]
    torch.testing.assert_close(losses["loss"], sum(parts))
    losses["loss"].backward()
    unused = {name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()}
    # A shift of all logits of SigLIP changes no softmax; a key's shift changes no attention.
    allowed = ("logit_bias", "k_proj.bias", "in_proj_bias")
    assert {name for name in unused if not name.endswith(allowed)} == set()


def test_a_region_is_embedded_like_its_image(folder: Path) -> None:
    """With equal patches any box gives the same embedding; the padding of boxes is left out."""
    model = FgamModel(load_encoder(str(folder)), LossWeights()).eval()
    vision = model.encoder.config.vision_config
    patches = torch.randn(1, 1, vision.hidden_size).expand(2, 16, -1)
    boxes = torch.tensor([0.2, 0.1, 0.9, 0.5]).repeat(2, 2, 1)
    boxes[0, 0] = torch.tensor([0.0, 0.0, 1.0, 1.0])
    regions = model.embed_regions(patches, boxes, torch.tensor([[True, True], [True, False]]))
    assert regions.shape[0] == 3
    torch.testing.assert_close(regions[0], regions[1])
    torch.testing.assert_close(regions[0], regions[2])


def test_every_word_of_a_text_counts(folder: Path) -> None:
    """CLIP reads its embedding off the end token, SigLIP off the last place: after every word."""
    model = FgamModel(load_encoder(str(folder)), LossWeights()).eval()
    collator = Collator(load_processor(str(folder), has_images=True), model.encoder.config)
    texts = ["small red dog", "small red cat", "small green dog", "large red dog", "small red"]
    embeddings = torch.nn.functional.normalize(model.embed_texts(collator.tokenize(texts)))
    distances = torch.cdist(embeddings, embeddings) + torch.eye(len(texts))
    assert distances.min() > 1e-3


def test_a_weight_of_zero_leaves_a_loss_out(clip_folder: Path, scenes: Path) -> None:
    encoder = load_encoder(str(clip_folder))
    model = FgamModel(encoder, LossWeights(lambda_region=0, lambda_spatial=0))
    collator = Collator(load_processor(str(clip_folder), has_images=True), encoder.config)
    data = load_data(scenes / "captions.jsonl", scenes / "regions.jsonl")
    dataset = RegionDataset(data.examples, max_regions=3, seed=0)
    assert set(model(**collator([dataset[0], dataset[1]]))) == {"loss", "loss_global"}
    assert model.spatial_head is None


def test_other_models_are_refused(text_model: Path, tmp_path: Path) -> None:
    with pytest.raises(ToolkitError, match="is no dual encoder") as caught:
        load_encoder(str(text_model))
    assert caught.value.kind == "capability"
    with pytest.raises(ToolkitError, match=r"model .*none: ") as caught:
        load_encoder(str(tmp_path / "none"))
    assert caught.value.exit_code == 3
