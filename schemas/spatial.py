"""How one box lies to another: the labels of the spatial loss (FGAM section 3.2.3)."""

from __future__ import annotations

from typing import get_args

from schemas.region import Box, SpatialRelation

RELATIONS: tuple[SpatialRelation, ...] = get_args(SpatialRelation)


def spatial_relation(first: Box, second: Box) -> SpatialRelation:
    """How the first box lies to the second, in image coordinates (y grows downwards).

    `contains`: the first holds the second, and they differ. `overlaps`: they share area in any
    other way, so also when they are equal or the second holds the first. Boxes that only touch
    share none. Else the direction from the second centre to the first along the axis on which
    the centres are further apart, horizontal when they are equally far on both.

    The paper names the six relations and boxes as their source; the rule is rebuilt.
    """
    left, top = max(first[0], second[0]), max(first[1], second[1])
    right, bottom = min(first[2], second[2]), min(first[3], second[3])
    if left < right and top < bottom:
        holds = (left, top, right, bottom) == second
        return "contains" if holds and first != second else "overlaps"
    # Twice the distance between the centres, so that whole pixels stay exact.
    across = first[0] + first[2] - second[0] - second[2]
    down = first[1] + first[3] - second[1] - second[3]
    if abs(across) >= abs(down):
        return "left of" if across < 0 else "right of"
    return "above" if down < 0 else "below"
