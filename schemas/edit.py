"""Edits of a response: what semantic rollback asks of the editor (GranFact appendix D.5)."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from schemas.base import LongText, Quantity, ShortText, StrictModel


class Edit(StrictModel):
    """One change to one claimed object.

    `delete` removes the claim; `rollback` replaces its category by `replacement`; `quantity`
    replaces its count by `quantity` (0: the objects were already described, drop the repeat).
    """

    kind: Literal["delete", "rollback", "quantity"]
    prediction: Annotated[int, Field(strict=True, ge=0)]
    category: ShortText
    replacement: ShortText | None = None
    stated_quantity: Quantity = 1
    quantity: Annotated[int, Field(strict=True, ge=0)] | None = None


class EditInput(StrictModel):
    """What the editor reads. `problem` is why its former revision was refused."""

    response: LongText
    edits: Annotated[tuple[Edit, ...], Field(min_length=1)]
    keep: tuple[ShortText, ...] = Field(
        default=(), description="Categories of the claims that stay as they are."
    )
    problem: str | None = None


class RevisedResponse(StrictModel):
    """What the editor answers."""

    revised: LongText
