"""Elements of a scene graph as English: noun phrases, "with …", "that is …", statements, lists."""

from __future__ import annotations

from collections.abc import Sequence

from backends.rules.grammar import article
from schemas.scene_graph import ElementKind


def joined(phrases: Sequence[str]) -> str:
    """ "a", "a and b", "a, b and c"."""
    if len(phrases) < 2:
        return "".join(phrases)
    return f"{', '.join(phrases[:-1])} and {phrases[-1]}"


def indefinite(name: str) -> str:
    """A name with its indefinite article, where it takes one: "a puppy", "grass"."""
    return f"{article(name)} {name}"


def with_phrase(attribute: str) -> str:
    """An attribute as it reads after a noun: "with a red collar", "made of wood"."""
    return attribute if attribute.startswith("with ") else f"with {attribute}"


def is_phrase(relation: str, plural: bool = False) -> str:
    """A relation as it reads after its subject: "is leaning against"."""
    return relation if relation.startswith(("is ", "are ")) else f"is {relation}"


def statement(kind: ElementKind, text: str, subject: str | None, target: str | None) -> str:
    """An element as a noun phrase or clause that can be true or false of an image.

    "a puppy"; "the puppy with a red collar"; "the puppy is looking out of the door".
    """
    if kind == "object":
        return indefinite(text)
    if kind == "attribute":
        return f"the {subject} {with_phrase(text)}"
    return f"the {subject} {is_phrase(text)} the {target}"
