"""Mechanical checks of a negative: of the kind and form of the positive, and surely wrong.

They catch what a language model gets wrong most (FINER section 2.3): repeats, synonyms, words that
are more general or more special, other elements of the same graph, vague relations, negations.
What two phrases have to do with each other is decided by the tables of the rules backend.
"""

from __future__ import annotations

import re
from collections.abc import Collection

from agents.nouns import is_plural
from backends.rules.negatives_attributes import attribute_clash, form
from backends.rules.negatives_objects import object_clash
from backends.rules.negatives_relations import parse_relation, relation_clash
from backends.rules.negatives_words import category, key
from schemas.finer import ElementQuestion

MAX_WORDS = 12

_DIGITS = re.compile(r"\d+")
_NEGATION = re.compile(
    r"\b(?:no|not|never|none|nothing|without|lacks?|lacking|absent|missing)\b|n't\b"
)


def problem(
    question: ElementQuestion,
    candidate: str,
    kept: Collection[str],
    others: Collection[str],
    caption: str = "",
) -> str | None:
    """Why `candidate` is no negative of the question's element; None if it is one.

    `kept` are the negatives it has so far, `others` what else the graph says of the same thing:
    the other objects, the other attributes of the owner, the other relations of the pair.
    """
    words = key(candidate)
    if not words or len(candidate.split()) > MAX_WORDS:
        return f"expected 1 to {MAX_WORDS} words"
    if _NEGATION.search(candidate.lower()):
        return "a negation is no alternative"
    taken = {key(text): text for text in (*kept, *question.avoid, *others, question.text)}
    if words in taken:
        return f'repeats "{taken[words]}"'
    if question.kind == "object":
        return _object_problem(question.text, candidate, others, caption)
    if question.kind == "attribute":
        return _attribute_problem(question, candidate)
    return _relation_problem(question, candidate, others)


def _object_problem(
    positive: str, candidate: str, others: Collection[str], caption: str
) -> str | None:
    if is_plural(candidate) != is_plural(positive):
        return f"expected a {'plural' if is_plural(positive) else 'singular'} noun"
    clashes = (object_clash(name, candidate) for name in (positive, *others))
    clash = next(filter(None, clashes), None)
    noun = key(candidate)[-1]
    if clash is None and noun != key(positive)[-1] and noun in key(caption):
        return "the caption mentions one"
    return clash


def _attribute_problem(question: ElementQuestion, candidate: str) -> str | None:
    alike = [form(_DIGITS.sub("0", text)) for text in (candidate, question.text)]
    if alike[0] != alike[1]:
        return f'expected a phrase that is built like "{question.text}"'
    owner = category(question.subject or "")
    return attribute_clash(question.text, candidate, owner)


def _relation_problem(
    question: ElementQuestion, candidate: str, others: Collection[str]
) -> str | None:
    if parse_relation(candidate).form != parse_relation(question.text).form:
        return f'expected a phrase that begins like "{question.text}"'
    target = question.object or ""
    clashes = (relation_clash(text, candidate, target) for text in (question.text, *others))
    return next(filter(None, clashes), None)
