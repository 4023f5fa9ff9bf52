"""Attributes of annotators as phrases that read after "with" or directly after a name."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from agents.phrases import indefinite
from backends.rules.grammar import singular
from backends.rules.lexicon import is_kind_of
from schemas.finer import CaptionInput

MAX_ATTRIBUTES = 40

_HAVING = ("with ", "has ", "having ")
_STATES = ("ing", "ed", "made", "seen", "worn", "broken", "open")


@lru_cache(maxsize=65536)
def attribute_phrase(text: str) -> str | None:
    """ "red" as "a red color", "with stripes" as "stripes", "made of wood" as it is.

    None where the text says nothing about looks, and for a bare noun.
    """
    from backends.rules.graph_phrases import adjective_phrase

    found = adjective_phrase(text)
    if found:
        return found
    for word in _HAVING:
        if text.startswith(word):
            return text.removeprefix(word).strip() or None
    first, *rest = text.split() or [""]
    return text if rest and first.endswith(_STATES) else None


def described(name: str, description: str, others: Sequence[str] = ()) -> tuple[str, ...]:
    """Attributes that a description states of the object `name`, as the caption parser reads it.

    What the object does with things that are none of the `others` is one too: "wearing a hat".
    """
    from backends.rules.caption_parser import parse

    if not description:
        return ()
    graph = parse(CaptionInput(caption=description))
    subject = next((i for i, item in enumerate(graph.objects) if _is(item.name, name)), None)
    if subject is None:
        return ()
    attributes = list(graph.objects[subject].attributes)
    for relation in graph.relations:
        target = graph.objects[relation.object].name
        phrase = relation.relation.removeprefix("is ").removeprefix("are ")
        known = any(_is(target, other) for other in others)
        if relation.subject == subject and not known and phrase.split()[0].endswith(_STATES):
            attributes.append(f"{phrase} {indefinite(target)}")
    return tuple(dict.fromkeys(attributes))[:MAX_ATTRIBUTES]


def _is(said: str, name: str) -> bool:
    """Whether a name in a text is the annotator's: "cats" and "tabby cat" are "cat"."""
    said, name = singular(said.lower()), singular(name)
    return said == name or said.endswith(f" {name}") or is_kind_of(said, name)
