"""Negatives by rules: listed things, scales and relations that exclude one another (FINER 2.3)."""

from __future__ import annotations

from collections.abc import Iterator

from backends.rules.negatives_attribute_choices import attribute_choices
from backends.rules.negatives_attributes import attribute_clash
from backends.rules.negatives_objects import object_choices, object_clash
from backends.rules.negatives_relation_choices import relation_choices
from backends.rules.negatives_relations import relation_clash
from backends.rules.negatives_words import category, key
from schemas.finer import ElementQuestion, NegativeAnswer, NegativeInput, NegativeSet

_MOST = 8


def negate(question: NegativeInput) -> NegativeAnswer:
    """Up to eight negatives for each element, the best first; fewer where too few are known."""
    sets = []
    for index, element in enumerate(question.elements):
        found = _found(element, question)
        sets.append(NegativeSet(element=index, negatives=tuple(found)))
    return NegativeAnswer(sets=tuple(sets))


def _found(element: ElementQuestion, question: NegativeInput) -> list[str]:
    """Choices that the positive excludes and that neither caption nor `avoid` speak of."""
    avoid = {key(text) for text in (*element.avoid, element.text)}
    caption = key(question.caption or "")
    found: list[str] = []
    for choice in _choices(element, question):
        words = key(choice)
        if words in avoid or _clashes(element, choice, question):
            continue
        if element.kind == "object" and _occurs(words, caption):
            continue
        avoid.add(words)
        found.append(choice)
        if len(found) == _MOST:
            break
    return found


def _choices(element: ElementQuestion, question: NegativeInput) -> Iterator[str]:
    seed = (question.caption or "", *question.objects, element.subject, element.text)
    if element.kind == "object":
        return object_choices(element.text, seed)
    if element.kind == "attribute":
        return attribute_choices(element.text, element.subject or "", seed)
    return relation_choices(element.text, element.subject or "", element.object or "", seed)


def _clashes(element: ElementQuestion, choice: str, question: NegativeInput) -> bool:
    if element.kind == "object":
        return any(object_clash(name, choice) for name in (element.text, *question.objects))
    if element.kind == "attribute":
        owner = category(element.subject or "")
        return attribute_clash(element.text, choice, owner) is not None
    return relation_clash(element.text, choice, element.object or "") is not None


def _occurs(words: tuple[str, ...], caption: tuple[str, ...]) -> bool:
    """Whether the caption has the words, or the last of them, in this order."""
    return words[-1] in caption
