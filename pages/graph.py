"""How an assignment is drawn: what stands in which row. The macro `assignment` has the columns."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from pages.claims import Claim
from schemas.entity import GroundTruthEntity

ROW, TOP = 34, 30
_SHOWN = 17


class Node(NamedTuple):
    """A claim or an entity: its short and its whole text, its quantity, and its height."""

    text: str
    whole: str
    quantity: str
    status: str
    y: int


class Arc(NamedTuple):
    """An assigned quantity from a claim at height `start` to an entity at height `end`."""

    start: int
    end: int
    text: str
    whole: str
    status: str


class Drawing(NamedTuple):
    """The whole graph, in SVG units."""

    claims: list[Node]
    entities: list[Node]
    arcs: list[Arc]
    height: int


def assignment_graph(claims: Sequence[Claim], entities: Sequence[GroundTruthEntity]) -> Drawing:
    """Claims on the left, entities on the right, in the order they came."""
    covered = {link.entity for claim in claims for link in claim.links}
    left = [
        Node(
            _short(claim.category),
            _whole(claim),
            _quantity(claim.quantity),
            claim.status,
            _y(place),
        )
        for place, claim in enumerate(claims)
    ]
    right = [
        Node(
            _short(entity.path[-1]),
            " › ".join(entity.path),
            _quantity(entity.quantity),
            "covered" if place in covered else "missed",
            _y(place),
        )
        for place, entity in enumerate(entities)
    ]
    arcs = [
        Arc(
            _y(place),
            _y(link.entity),
            f"{link.quantity} ({link.level}/{link.depth})",
            f"{link.quantity} of {claim.category} to {entities[link.entity].path[-1]}, "
            f"level {link.level} of {link.depth}",
            claim.status,
        )
        for place, claim in enumerate(claims)
        for link in claim.links
    ]
    return Drawing(left, right, arcs, TOP + ROW * max(len(left), len(right), 1))


def _y(place: int) -> int:
    return TOP + ROW * place + ROW // 2


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…"


def _quantity(quantity: int | str) -> str:
    return "?" if quantity == "uncertain" else f"{quantity:,}"


def _whole(claim: Claim) -> str:
    attributes = f" ({'; '.join(claim.attributes)})" if claim.attributes else ""
    return f"{claim.category}{attributes}: {claim.status}"
