"""The rule of spatial relations, over all boxes on a small grid."""

from __future__ import annotations

from itertools import combinations, product

import pytest

from schemas.region import Box, SpatialRelation
from schemas.spatial import RELATIONS, spatial_relation

EDGES = list(combinations(range(5), 2))
BOXES: list[Box] = [(x0, y0, x1, y1) for (x0, x1), (y0, y1) in product(EDGES, EDGES)]
MIRRORED = {"left of": "right of", "right of": "left of", "above": "below", "below": "above"}


def cells(box: Box) -> set[tuple[int, int]]:
    """The unit squares of a box: areas without any comparison of edges."""
    across, down = range(int(box[0]), int(box[2])), range(int(box[1]), int(box[3]))
    return set(product(across, down))


def test_area_decides_first() -> None:
    for first, second in product(BOXES, BOXES):
        one, two = cells(first), cells(second)
        relation = spatial_relation(first, second)
        assert (relation == "contains") == (one > two), (first, second)
        assert (relation == "overlaps") == bool(one & two and not one > two), (first, second)


def test_directions_are_mirrored_and_follow_the_centres() -> None:
    for first, second in product(BOXES, BOXES):
        if cells(first) & cells(second):
            continue
        relation = spatial_relation(first, second)
        assert MIRRORED[relation] == spatial_relation(second, first), (first, second)
        across = sum(first[0::2]) - sum(second[0::2])
        down = sum(first[1::2]) - sum(second[1::2])
        expected = {"left of": -across, "right of": across, "above": -down, "below": down}
        assert expected[relation] == max(expected.values()) > 0, (first, second)
        if abs(across) == abs(down):
            assert relation in ("left of", "right of")


def test_transposing_swaps_the_axes() -> None:
    swapped = {"left of": "above", "right of": "below", "above": "left of", "below": "right of"}
    for first, second in product(BOXES, BOXES):
        relation = spatial_relation(first, second)
        other = spatial_relation(transpose(first), transpose(second))
        tie = abs(sum(first[0::2]) - sum(second[0::2])) == abs(sum(first[1::2]) - sum(second[1::2]))
        if relation not in swapped:
            assert other == relation
        elif not tie:
            assert other == swapped[relation]


def transpose(box: Box) -> Box:
    return box[1], box[0], box[3], box[2]


@pytest.mark.parametrize(
    ("first", "second", "relation"),
    [
        ((0, 0, 2, 2), (0, 0, 2, 2), "overlaps"),  # identical
        ((0, 0, 4, 4), (1, 1, 2, 2), "contains"),
        ((0, 0, 4, 4), (0, 0, 4, 3), "contains"),  # with common edges
        ((1, 1, 2, 2), (0, 0, 4, 4), "overlaps"),  # inside
        ((0, 0, 2, 2), (1, 1, 3, 3), "overlaps"),
        ((0, 0, 2, 2), (2, 0, 4, 2), "left of"),  # touching
        ((2, 2, 3, 3), (0, 0, 2, 2), "right of"),  # touching at a corner, a tie
        ((0, 0, 1, 1), (1, 4, 2, 5), "above"),  # y grows downwards
        ((0, 9, 1, 10), (3, 0, 4, 1), "below"),
    ],
)
def test_examples(first: Box, second: Box, relation: SpatialRelation) -> None:
    assert spatial_relation(first, second) == relation


def test_all_relations_occur() -> None:
    found = {spatial_relation(first, second) for first, second in product(BOXES, BOXES)}
    assert found == set(RELATIONS)
    assert len(RELATIONS) == 6
