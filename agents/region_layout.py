"""Where regions lie: in the image, among those of their label, and to their neighbours.

Plain geometry on boxes in pixels (FGAM section 3.2.1: a text may use where its region is).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from schemas.region import Box, RegionText
from schemas.spatial import spatial_relation

_COLUMNS, _ROWS = ("left", "", "right"), ("upper", "", "lower")
_ALONE = {"upper": "top", "lower": "bottom", "": "center"}
_NEIGHBOURS = 3
_APART = 0.5  # of a mean width or height: two centers this far apart can be told apart


@dataclass(frozen=True)
class Layout:
    """How one region lies. `size` in percent of the image, `where` only if there are others."""

    position: str
    size: int
    of: int
    where: str | None
    near: tuple[str, ...]


def layouts(regions: Sequence[RegionText], width: int, height: int) -> list[Layout]:
    """The layout of each region of one image of this size in pixels; `text` is the label."""
    found = []
    for region in regions:
        same = [other for other in regions if other.text == region.text]
        x0, y0, x1, y1 = region.box
        found.append(
            Layout(
                position=position(region.box, width, height),
                size=min(100, round(100 * (x1 - x0) * (y1 - y0) / (width * height))),
                of=len(same),
                where=_where(region, same, width, height) if len(same) > 1 else None,
                near=_near(region, regions),
            )
        )
    return found


def position(box: Box, width: int, height: int) -> str:
    """The ninth of the image that the center of a box is in: "upper left", "top", "center"."""
    x, y = _center(box)
    column = _COLUMNS[min(2, max(0, int(3 * x / width)))]
    row = _ROWS[min(2, max(0, int(3 * y / height)))]
    return f"{row} {column}".strip() if column else _ALONE[row]


def relation(first: Box, second: Box) -> str:
    """How a box lies to another one, by the rule of the training; "inside" is added to it."""
    if spatial_relation(second, first) == "contains":
        return "inside"
    return spatial_relation(first, second)


def _where(region: RegionText, same: Sequence[RegionText], width: int, height: int) -> str | None:
    """A phrase that tells a region from the others of its label; None where none does.

    Two or three that stand in a row are told by their order, more of them by their place in the
    image.
    """
    place = same.index(region)
    columns, rows = (_order([other.box for other in same], axis) for axis in (0, 1))
    names = {2: ("left", "right"), 3: ("left", "middle", "right")}.get(len(same))
    if names and columns:
        name = names[columns.index(place)]
        return f"in the {name}" if name == "middle" else f"on the {name}"
    if len(same) == 2 and rows:
        return ("at the top", "at the bottom")[rows.index(place)]
    spots = [position(other.box, width, height) for other in same]
    if spots.count(spots[place]) > 1:
        return None
    spot = spots[place]
    return f"{_PREPOSITIONS.get(spot, 'in')} the {spot}"


_PREPOSITIONS = {"left": "on", "right": "on", "top": "at", "bottom": "at"}


def _order(boxes: Sequence[Box], axis: int) -> list[int] | None:
    """Indices along an axis; None where two neighbours are too close to be told apart."""
    centers = [_center(box)[axis] for box in boxes]
    order = sorted(range(len(boxes)), key=centers.__getitem__)
    mean = sum(box[axis + 2] - box[axis] for box in boxes) / len(boxes)
    gaps = (centers[b] - centers[a] for a, b in pairwise(order))
    return order if all(gap >= _APART * mean for gap in gaps) else None


def _near(region: RegionText, regions: Sequence[RegionText]) -> tuple[str, ...]:
    """The nearest regions of other labels: "left of bench", "contains collar"."""
    others = [other for other in regions if other.text != region.text]
    nearest = sorted(others, key=lambda other: _distance(region.box, other.box))
    said = (f"{relation(region.box, other.box)} {other.text}" for other in nearest)
    return tuple(dict.fromkeys(said))[:_NEIGHBOURS]


def _center(box: Box) -> tuple[float, float]:
    return (box[0] + box[2]) / 2, (box[1] + box[3]) / 2


def _distance(first: Box, second: Box) -> float:
    """Between the centers of two boxes, in pixels."""
    return math.dist(_center(first), _center(second))
