"""Drawn scenes of coloured shapes with exact boxes, from a seed.

`python -m examples.shapes.generate --output DIR --scenes 100 --seed 1`
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from runtime.command_line import exit_on_error, positive_int, whole_number
from runtime.errors import ToolkitError
from runtime.files import write_jsonl
from schemas.region import RegionText
from schemas.scene_graph import CaptionRecord
from schemas.spatial import spatial_relation

SIDE = 64
"""Width and height of a scene in pixels."""
COLOURS = {
    "red": (214, 40, 40), "green": (40, 160, 60), "blue": (40, 80, 214),
    "yellow": (236, 200, 20), "purple": (140, 50, 170), "cyan": (40, 190, 200),
}  # fmt: skip
SHAPES = ("circle", "square", "triangle", "diamond")
SIZES = {"small": (9, 14), "large": (20, 30)}
_MOST_COMMON = 0.4
"""Share of the larger of two boxes that both may have in common, so that both are seen."""
_INSIDE = 0.25
"""How often a small shape is put inside a large one: by chance it happens too rarely."""

PixelBox = tuple[int, int, int, int]


@dataclass(frozen=True)
class Drawn:
    """One shape: what it is, and the pixels it reaches to."""

    size: str
    colour: str
    shape: str
    box: PixelBox

    @property
    def text(self) -> str:
        """Such as "small red circle"."""
        return f"{self.size} {self.colour} {self.shape}"


def make_scene(seed: int, number: int) -> list[Drawn]:
    """Three to five shapes, the largest first; the same for the same seed and number."""
    rng = random.Random(f"{seed} {number}")
    wanted = rng.randint(3, 5)
    shapes: list[Drawn] = []
    while len(shapes) < wanted:
        size = rng.choice(list(SIZES))
        width, height = (rng.randint(*SIZES[size]) for _ in range(2))
        around = (0, 0, SIDE, SIDE)
        if shapes and shapes[0].size == "large" and size == "small" and rng.random() < _INSIDE:
            around = shapes[0].box
        x = rng.randint(around[0], around[2] - width)
        y = rng.randint(around[1], around[3] - height)
        box = (x, y, x + width, y + height)
        new = Drawn(size, rng.choice(list(COLOURS)), rng.choice(SHAPES), box)
        if all(_both_seen(new, other) for other in shapes):
            shapes.append(new)
    # What is drawn later lies on top: the small must not be hidden by the large.
    return sorted(shapes, key=lambda item: -_area(item.box))


def _both_seen(first: Drawn, second: Drawn) -> bool:
    """Boxes with common area need different colours, and neither may be most of the other."""
    (x0, y0, x1, y1), (u0, v0, u1, v1) = first.box, second.box
    common = (max(x0, u0), max(y0, v0), min(x1, u1), min(y1, v1))
    if common[0] >= common[2] or common[1] >= common[3]:
        return True
    larger = max(_area(first.box), _area(second.box))
    return first.colour != second.colour and _area(common) <= _MOST_COMMON * larger


def _area(box: PixelBox) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def draw(shapes: Sequence[Drawn]) -> Image.Image:
    """The scene on a light ground. Each shape reaches to every edge of its box."""
    image = Image.new("RGB", (SIDE, SIDE), (244, 244, 240))
    pen = ImageDraw.Draw(image)
    for item in shapes:
        x0, y0, x1, y1 = item.box[0], item.box[1], item.box[2] - 1, item.box[3] - 1
        middle, centre = (x0 + x1) // 2, (y0 + y1) // 2
        fill = COLOURS[item.colour]
        match item.shape:
            case "circle":
                pen.ellipse((x0, y0, x1, y1), fill=fill)
            case "square":
                pen.rectangle((x0, y0, x1, y1), fill=fill)
            case "triangle":
                pen.polygon([(x0, y1), (x1, y1), (middle, y0)], fill=fill)
            case _:
                pen.polygon([(x0, centre), (middle, y0), (x1, centre), (middle, y1)], fill=fill)
    return image


def describe(shapes: Sequence[Drawn], rng: random.Random) -> str:
    """All shapes, and how two of them lie, unless both have the same text."""
    named = [f"a {item.text}" for item in shapes]
    first, second = rng.sample(list(shapes), 2)
    listed = f"{', '.join(named[:-1])} and {named[-1]}"
    if first.text == second.text:
        return f"{listed}."
    relation = spatial_relation(first.box, second.box)
    verb = relation if relation in ("overlaps", "contains") else f"is {relation}"
    return f"{listed}. The {first.text} {verb} the {second.text}."


def write_scenes(output: Path, scenes: int, seed: int) -> None:
    """Write images, `captions.jsonl`, `regions.jsonl` and `relations.jsonl` to a new folder.

    Raises ToolkitError (input) when the folder holds something.
    """
    if output.exists() and (not output.is_dir() or any(output.iterdir())):
        raise ToolkitError("input", f"{output}: is not an empty directory", "give another --output")
    images = output / "images"
    images.mkdir(parents=True)
    captions, regions, relations = [], [], []
    for number in range(scenes):
        shapes = make_scene(seed, number)
        name = f"images/{number:06}.png"
        draw(shapes).save(output / name)
        caption = describe(shapes, random.Random(f"caption {seed} {number}"))
        captions.append(CaptionRecord(id=f"{seed}-{number}", image=name, caption=caption))
        regions += [RegionText(image=name, box=item.box, text=item.text, source="shapes")
                    for item in shapes]  # fmt: skip
        relations += _relations(name, shapes)
    write_jsonl(output / "captions.jsonl", captions)
    write_jsonl(output / "regions.jsonl", regions)
    write_jsonl(output / "relations.jsonl", relations)


def _relations(image: str, shapes: Sequence[Drawn]) -> list[dict[str, Any]]:
    """All ordered pairs; `first` and `second` count the regions of the image from 0."""
    return [
        {"image": image, "first": i, "relation": spatial_relation(one.box, two.box), "second": j}
        for (i, one), (j, two) in permutations(enumerate(shapes), 2)
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Write scenes and return the exit code."""
    return exit_on_error(_main)(argv)


def _main(argv: Sequence[str] | None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m examples.shapes.generate",
        description="Draw scenes of coloured shapes with captions, boxes and relations.",
    )
    parser.add_argument("--output", metavar="DIR", type=Path, required=True)
    parser.add_argument("--scenes", metavar="N", type=positive_int, default=100)
    parser.add_argument("--seed", metavar="N", type=whole_number, default=0)
    options = parser.parse_args(argv)
    write_scenes(options.output, options.scenes, options.seed)
    print(f"{options.scenes} scenes in {options.output}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
