"""What region embeddings know: the text of their region, and how two regions lie.

`python -m training.fgam.evaluate MODEL --data regions.jsonl --probe-data regions.jsonl`
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from runtime.command_line import exit_on_error
from runtime.errors import ToolkitError
from training.data import check_share
from training.fgam.data import (
    Collator,
    Example,
    RegionDataset,
    has_pairs,
    load_regions,
    text_id,
)

if TYPE_CHECKING:
    from torch import Tensor

    from training.fgam.model import FgamModel, SpatialHead

_BATCH = 64
_PROBE_STEPS, _PROBE_BATCH, _PROBE_RATE = 1000, 512, 3e-3
_DROPPED = 0.1


@dataclass(frozen=True)
class Evaluation:
    """Shares from 0 to 1 on held-out images, and what was counted."""

    retrieval_at_1: float
    """Regions whose own text is the nearest of all texts, by cosine similarity."""
    relation_accuracy: float
    """Pairs of regions whose relation a fresh probe reads off their frozen embeddings."""
    head_accuracy: float | None
    """The same with the model's own spatial head, if it was trained with one."""
    commonest_relation: float
    """Share of the commonest relation: what a constant answer scores."""
    regions: int
    texts: int
    pairs: int


@dataclass(frozen=True)
class Embedded:
    """The regions of some images: embeddings [regions, width], texts, pairs, relations."""

    regions: Tensor
    texts: list[str]
    pairs: Tensor
    relations: Tensor


def evaluate(
    model: FgamModel, collator: Collator, held_out: Sequence[Example], probe_on: Sequence[Example]
) -> Evaluation:
    """Measure on `held_out`; the probe of the relations is trained on `probe_on`.

    Both need an image with two regions.

    The head of a model without spatial loss is untrained and would lose in any case. So a new
    head of the same form is trained on frozen embeddings, for every model alike.
    """
    import torch

    model.eval()
    with torch.no_grad():
        known, seen = embed(model, collator, probe_on), embed(model, collator, held_out)
        retrieved, texts = _retrieve(model, collator, seen)
    own = model.spatial_head
    return Evaluation(
        retrieval_at_1=retrieved,
        relation_accuracy=_probe(known, seen),
        head_accuracy=None if own is None else _accuracy(own, seen.regions, seen),
        commonest_relation=max(Counter(seen.relations.tolist()).values()) / len(seen.pairs),
        regions=len(seen.texts),
        texts=texts,
        pairs=len(seen.pairs),
    )


def embed(model: FgamModel, collator: Collator, examples: Sequence[Example]) -> Embedded:
    """Embed all regions of some images, in their order."""
    import torch

    most = max(len(example.regions) for example in examples)
    dataset = RegionDataset(examples, most, seed=0)
    regions, pairs, relations = [], [], []
    start = 0
    device = model.region_log_scale.device
    for first in range(0, len(dataset), _BATCH):
        batch = collator([dataset[i] for i in range(first, min(first + _BATCH, len(dataset)))])
        _, patches = model.embed_images(batch["pixel_values"].to(device))
        boxes, present = batch["boxes"].to(device), batch["present"].to(device)
        regions.append(model.embed_regions(patches, boxes, present))
        pairs.append(batch["pairs"].to(device) + start)
        relations.append(batch["relations"].to(device))
        start += len(regions[-1])
    texts = [text for example in examples for _, text in example.regions]
    return Embedded(torch.cat(regions), texts, torch.cat(pairs), torch.cat(relations))


def _retrieve(model: FgamModel, collator: Collator, seen: Embedded) -> tuple[float, int]:
    """The share of regions whose own text is the nearest, and the number of different texts."""
    import torch
    from torch.nn.functional import normalize

    different = {text_id(text): text for text in seen.texts}
    places = {identifier: place for place, identifier in enumerate(different)}
    device = seen.regions.device
    parts = [
        model.embed_texts({k: v.to(device) for k, v in collator.tokenize(texts).items()})
        for texts in _chunks(list(different.values()))
    ]
    nearest = (normalize(seen.regions) @ normalize(torch.cat(parts)).T).argmax(1)
    right = torch.tensor([places[text_id(text)] for text in seen.texts], device=device)
    return float((nearest == right).float().mean()), len(different)


def _chunks(texts: list[str]) -> Iterator[list[str]]:
    return (texts[start : start + _BATCH] for start in range(0, len(texts), _BATCH))


def _probe(known: Embedded, seen: Embedded) -> float:
    """The accuracy on `seen` of a spatial head that is trained on `known`, always alike."""
    import torch

    from training.fgam.losses import relation_loss
    from training.fgam.model import SpatialHead

    mean, deviation = known.regions.mean(0), known.regions.std(0) + 1e-6
    regions = (known.regions - mean) / deviation
    with torch.random.fork_rng():
        torch.manual_seed(0)
        head = SpatialHead(regions.shape[1]).to(regions.device)
        optimizer = torch.optim.AdamW(head.parameters(), lr=_PROBE_RATE)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, _PROBE_STEPS)
        for _ in range(_PROBE_STEPS):
            chosen = torch.randint(len(known.pairs), (_PROBE_BATCH,)).to(regions.device)
            first, second = known.pairs[chosen].T
            loss = relation_loss(head(regions[first], regions[second]), known.relations[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
    return _accuracy(head, (seen.regions - mean) / deviation, seen)


def _accuracy(head: SpatialHead, regions: Tensor, seen: Embedded) -> float:
    first, second = seen.pairs.T
    guess = head(regions[first], regions[second]).argmax(1)
    return float((guess == seen.relations).float().mean())


def main(argv: Sequence[str] | None = None) -> int:
    """Print the evaluation as JSON and return the exit code."""
    return exit_on_error(_main)(argv)


def _main(argv: Sequence[str] | None) -> int:
    options = _parse(argv)
    held_out, probe_on = (_load(path) for path in (options.data, options.probe_data))
    import torch

    from training.fgam.model import load_model
    from training.script import load_processor

    model = load_model(options.model).to("cuda" if torch.cuda.is_available() else "cpu")
    processor = load_processor(options.model, has_images=True)
    collator = Collator(processor, model.encoder.config)
    print(json.dumps(asdict(evaluate(model, collator, held_out, probe_on)), indent=2))
    return 0


def _load(path: Path) -> list[Example]:
    """The images of a file. Raises ToolkitError (input) when there is nothing to measure in it."""
    examples, loaded = load_regions(path)
    if not has_pairs(examples):
        message = f"{path}: no image has two regions: {loaded.summary()}"
        raise ToolkitError("input", message, "relations are measured on pairs of one image")
    check_share(loaded, path, _DROPPED)
    return examples


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m training.fgam.evaluate",
        description="Region-to-text retrieval and spatial relations on held-out images.",
    )
    add = parser.add_argument
    add("model", metavar="MODEL", help="result of training.fgam, or any dual encoder to compare")
    add("--data", metavar="FILE", type=Path, required=True, help="regions.jsonl, held out")
    add("--probe-data", metavar="FILE", type=Path, required=True,
        help="regions.jsonl of other images, to train the probe of the relations on")  # fmt: skip
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
