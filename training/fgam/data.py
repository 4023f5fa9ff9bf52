"""Images with a caption and regions: read, checked, and put into batches."""

from __future__ import annotations

import hashlib
import os
import random
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from runtime.files import read_numbered
from schemas.region import Box, RegionText
from schemas.scene_graph import CaptionRecord
from schemas.spatial import RELATIONS, spatial_relation
from training.checks import Problem, Size, locate, stored_size
from training.data import Dropped, Loaded

_SMALLEST = 1e-6
"""Share of the image's width or height below which float32 loses a box."""

Region = tuple[Box, str]


@dataclass
class Example:
    """One image. Boxes are in its pixels as they are stored, and inside it."""

    image: str
    size: Size
    captions: list[str] = field(default_factory=list)
    regions: list[Region] = field(default_factory=list)


@dataclass
class FgamData:
    """What both files hold together, and the rows that were left out."""

    examples: list[Example]
    captions: Loaded
    regions: Loaded

    @property
    def clipped(self) -> int:
        """Boxes that reached over the edge of their image."""
        return sum(row["clipped"] for row in self.regions.rows)


def load_data(captions: Path | None, regions: Path) -> FgamData:
    """Every image that has a caption and a region; without `captions` all that have a region.

    Raises ToolkitError (input) for a row that is none, with file, line and field. A row whose
    image cannot be read or has nothing in the other file, or whose box is outside its image, is
    dropped with its reason.
    """
    examples, of_regions = load_regions(regions)
    of_captions = Loaded()
    if captions is None:
        return FgamData(examples, of_captions, of_regions)
    by_image = {example.image: example for example in examples}
    for number, row in read_numbered(captions, CaptionRecord):
        with _dropping(of_captions, number, row.id):
            path = _path(row.image, captions.parent)
            stored_size(path)
            if path not in by_image:
                raise Problem("no region", f"{row.image}: has no region")
            by_image[path].captions.append(row.caption)
            of_captions.rows.append({"_row": number})
    _drop_without_caption(of_regions, by_image)
    complete = [example for example in examples if example.captions]
    return FgamData(complete, of_captions, of_regions)


def load_regions(path: Path) -> tuple[list[Example], Loaded]:
    """Every image that has a region, without captions; raises and drops as `load_data` does."""
    loaded = Loaded()
    by_image: dict[str, Example] = {}
    for number, row in read_numbered(path, RegionText):
        with _dropping(loaded, number, None):
            image = _path(row.image, path.parent)
            size = stored_size(image)
            box = clip(row.box, size)
            example = by_image.setdefault(image, Example(image, size))
            example.regions.append((box, row.text))
            loaded.rows.append({"_row": number, "image": image, "clipped": box != row.box})
    return list(by_image.values()), loaded


def has_pairs(examples: Sequence[Example]) -> bool:
    """Whether an image has two regions, so that there is a relation to learn or to measure."""
    return any(len(example.regions) > 1 for example in examples)


def _drop_without_caption(regions: Loaded, by_image: Mapping[str, Example]) -> None:
    kept = [row for row in regions.rows if by_image[row["image"]].captions]
    regions.dropped += [
        Dropped(row["_row"], None, "no caption", f"{row['image']}: has no caption")
        for row in regions.rows
        if not by_image[row["image"]].captions
    ]
    regions.rows = kept


def clip(box: Box, size: Size) -> Box:
    """The part of a box inside an image of this size. Raises Problem when there is none."""
    width, height = size
    x0, y0, x1, y1 = box
    x1, y1 = min(x1, float(width)), min(y1, float(height))
    if x1 - x0 < _SMALLEST * width or y1 - y0 < _SMALLEST * height:
        raise Problem("box outside", f"box: {list(box)} is outside the image, {width} x {height}")
    return x0, y0, x1, y1


@contextmanager
def _dropping(loaded: Loaded, number: int, identifier: str | None) -> Iterator[None]:
    try:
        yield
    except Problem as problem:
        loaded.dropped.append(Dropped(number, identifier, problem.reason, problem.message))


def _path(image: str, folder: Path) -> str:
    return os.path.abspath(locate(image, folder))


class RegionDataset:
    """Examples as a map-style data set; `epoch` decides which caption and regions are drawn."""

    def __init__(self, examples: Sequence[Example], max_regions: int, seed: int) -> None:
        self.examples, self.max_regions, self.seed, self.epoch = examples, max_regions, seed, 0

    def __len__(self) -> int:
        return len(self.examples)

    def __getitem__(self, index: int) -> dict[str, Any]:
        """The image, a caption and at most `max_regions` regions in the order of the file."""
        example = self.examples[index]
        draw = random.Random(f"{self.seed} {self.epoch} {index}")
        count = min(self.max_regions, len(example.regions))
        chosen = sorted(draw.sample(range(len(example.regions)), count))
        with Image.open(example.image) as image:
            pixels = image.convert("RGB")  # not turned as EXIF says: boxes are in stored pixels
        return {
            "image": pixels,
            "size": example.size,
            "caption": draw.choice(example.captions or [""]),
            "regions": [example.regions[place] for place in chosen],
        }


class Collator:
    """Puts examples into a batch for `FgamModel.forward`."""

    def __init__(self, processor: Any, encoder_config: Any) -> None:
        self.processor = stretch_images(processor, encoder_config.vision_config.image_size)
        # SigLIP reads its text embedding off the last place and was trained with full padding.
        self._padding = "max_length" if "siglip" in encoder_config.model_type else "longest"
        self._max_length = encoder_config.text_config.max_position_embeddings

    def __call__(self, examples: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
        """The arguments of `FgamModel.forward`; texts that are too long are cut."""
        import torch

        regions = [example["regions"] for example in examples]
        texts = [text for image in regions for _, text in image]
        images = [example["image"] for example in examples]
        places = max(map(len, regions))
        boxes = torch.tensor([0.0, 0.0, 1.0, 1.0]).repeat(len(examples), places, 1)
        present = torch.zeros(len(examples), places, dtype=torch.bool)
        for row, example in enumerate(examples):
            scale = torch.tensor(example["size"] * 2, dtype=torch.float64)
            pixels = torch.tensor([box for box, _ in regions[row]], dtype=torch.float64)
            boxes[row, : len(pixels)] = (pixels / scale).float()
            present[row, : len(pixels)] = True
        pairs, relations = relate(regions)
        return {
            "pixel_values": self.processor.image_processor(images, return_tensors="pt")[
                "pixel_values"
            ],
            "captions": self.tokenize([example["caption"] for example in examples]),
            "boxes": boxes,
            "present": present,
            "texts": self.tokenize(texts),
            "text_ids": torch.tensor([text_id(text) for text in texts]),
            "pairs": torch.tensor(pairs, dtype=torch.long).reshape(-1, 2),
            "relations": torch.tensor(relations, dtype=torch.long),
        }

    def tokenize(self, texts: Sequence[str]) -> dict[str, Any]:
        """What the encoder takes for some texts."""
        return dict(
            self.processor.tokenizer(
                list(texts),
                padding=self._padding,
                truncation=True,
                max_length=self._max_length,
                return_tensors="pt",
            )
        )


def relate(regions: Sequence[Sequence[Region]]) -> tuple[list[tuple[int, int]], list[int]]:
    """All ordered pairs of regions of one image, as places in the batch, and their relations."""
    pairs: list[tuple[int, int]] = []
    relations: list[int] = []
    start = 0
    for image in regions:
        for i, (first, _) in enumerate(image):
            for j, (second, _) in enumerate(image):
                if i != j:
                    pairs.append((start + i, start + j))
                    relations.append(RELATIONS.index(spatial_relation(first, second)))
        start += len(image)
    return pairs, relations


def text_id(text: str) -> int:
    """The same number, of 63 bits, in every process for the same words in any case."""
    words = " ".join(text.casefold().split())
    return int.from_bytes(hashlib.blake2b(words.encode(), digest_size=8).digest()) >> 1


def stretch_images(processor: Any, side: int) -> Any:
    """The processor, set to stretch images to the encoder's square in place of cropping them.

    A crop would cut regions at the edge away; stretched, a box is the same share of the image.
    """
    images = processor.image_processor
    images.do_resize, images.do_center_crop = True, False
    images.size = {"height": side, "width": side}
    return processor
