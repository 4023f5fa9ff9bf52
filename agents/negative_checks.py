"""Mechanical checks of a negative: another text of the same form, and surely wrong (FINER 2.3).

A negative must not repeat or paraphrase the positive, be more general or more special than it, be
true of the image by another element of the graph, or be true along with the positive.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from agents.nouns import bare
from backends.rules.negatives_attributes import attribute_clash, content, form
from backends.rules.negatives_objects import object_clash
from backends.rules.negatives_relations import is_paraphrase, parse_relation, relation_clash
from backends.rules.negatives_words import category, head, is_plural, key, words
from schemas.finer import ElementQuestion
from schemas.scene_graph import NegatedGraph, SceneGraph, elements

REPEATED, FORM, MEANING = "repeated", "wrong form", "could be true"
GRAPH, WORDING = "in the image", "not allowed"
"""What every problem begins with, up to its colon."""

_MOST_WORDS = 12
_NEGATIONS = frozenset("not no never without none nothing nobody neither nor cannot non".split())
_PLACEHOLDERS = frozenset(
    "something anything someone anyone somewhere other another else alternative negative "
    "placeholder unknown different unspecified n/a tbd xxx null element option".split()
)


def problem(
    question: ElementQuestion,
    candidate: str,
    kept: Sequence[str] = (),
    rivals: Sequence[str] = (),
    caption: str | None = None,
) -> str | None:
    """Why a candidate is no valid negative of the element; None if it is one.

    `kept` are negatives that the element has already, `rivals` what `rival_texts` names.
    """
    return (
        _wording(candidate)
        or _repetition(question, candidate, kept)
        or _form(question, candidate)
        or _presence(question, candidate, rivals, caption or "")
        or _meaning(question, candidate)
        or _likeness(question, candidate, kept)
    )


def rival_texts(question: ElementQuestion, graph: SceneGraph | NegatedGraph) -> tuple[str, ...]:
    """Elements that a negative could be: the other objects, what else is said of the owner, or of
    the same two things.
    """
    return tuple(
        element.text
        for element in elements(graph)
        if element.kind == question.kind
        and element.text != question.text
        and (question.kind == "object" or element.subject == question.subject)
        and (question.kind != "relation" or element.object == question.object)
    )


def tidy(question: ElementQuestion, answer: str) -> str:
    """A candidate without what no element has: an article before a name, a final stop."""
    text = " ".join(answer.split()).strip(".,;!? ")
    return bare(text) if question.kind == "object" and text else text


def _wording(candidate: str) -> str | None:
    found = words(candidate)
    if not found or not re.search(r"[a-z0-9]", candidate, re.IGNORECASE):
        return f"{WORDING}: it has no words"
    if len(found) > _MOST_WORDS:
        return f"{WORDING}: it has {len(found)} words, at most {_MOST_WORDS} are allowed"
    denied = next((word for word in found if word in _NEGATIONS or word.endswith("n't")), None)
    if denied:
        return f'{WORDING}: "{denied}" denies the positive; name something else instead'
    vague = next((word for word in found if word in _PLACEHOLDERS), None)
    return f'{WORDING}: "{vague}" names nothing' if vague else None


def _repetition(question: ElementQuestion, candidate: str, kept: Sequence[str]) -> str | None:
    if key(candidate) == key(question.text):
        return f"{REPEATED}: it is the positive"
    if key(candidate) in map(key, kept):
        return f"{REPEATED}: it is among the negatives already"
    if key(candidate) in map(key, question.avoid):
        return f"{REPEATED}: it was refused before"
    return None


def _form(question: ElementQuestion, candidate: str) -> str | None:
    if question.kind == "object":
        number = "a plural" if is_plural(question.text) else "a singular"
        wrong = is_plural(candidate) != is_plural(question.text)
        return f"{FORM}: it must be {number}, as the positive is" if wrong else None
    if question.kind == "attribute":
        return _attribute_form(question.text, candidate)
    first, second = parse_relation(question.text), parse_relation(candidate)
    if first.form != second.form and not _both_finite(candidate, first.form):
        begin = f'begin with "{first.form}"' if first.form in ("is", "are") else "have its form"
        return f"{FORM}: like the positive, it must {begin}"
    return None


def _both_finite(candidate: str, wanted: str) -> bool:
    """ "is under" may stand in for "holds"."""
    return wanted == "finite" and words(candidate)[0] in ("is", "are")


def _attribute_form(positive: str, candidate: str) -> str | None:
    first, second = form(positive), form(candidate)
    if (first.kind, first.lead) != (second.kind, second.lead):
        return f'{FORM}: it must be built and begin like "{positive}"'
    if first.described and first.head != second.head:
        return f'{FORM}: it must speak of the same thing, "{first.head}"'
    return None


def _presence(
    question: ElementQuestion, candidate: str, rivals: Sequence[str], caption: str
) -> str | None:
    """What the graph or the caption says of the image."""
    for rival in rivals:
        if _is_rival(question, rival, candidate):
            return f'{GRAPH}: by the caption there is "{rival}"'
    said, sought = key(caption), key(candidate)
    if question.kind == "object" and any(
        said[place : place + len(sought)] == sought for place in range(len(said))
    ):
        return f'{GRAPH}: the caption speaks of "{candidate}"'
    if question.kind == "attribute" and _said_of(question, candidate, words(caption)):
        return f"{GRAPH}: the caption says so"
    return None


def _is_rival(question: ElementQuestion, rival: str, candidate: str) -> bool:
    if question.kind == "object":
        return object_clash(rival, candidate) is not None
    if question.kind == "relation":
        return is_paraphrase(parse_relation(rival), parse_relation(candidate))
    news = _news(question, candidate)
    return bool(news) and news <= set(words(rival))


def _said_of(question: ElementQuestion, candidate: str, caption: Sequence[str]) -> bool:
    """Whether the caption has every new word right before the owner: "a white frisbee"."""
    owner, news = head(question.subject or ""), _news(question, candidate)
    before = [set(caption[max(0, place - 2) : place]) for place, word in enumerate(caption)
              if word == owner]  # fmt: skip
    return bool(news) and any(news <= found for found in before)


def _news(question: ElementQuestion, candidate: str) -> set[str]:
    return set(content(candidate)) - set(words(question.text))


def _meaning(question: ElementQuestion, candidate: str) -> str | None:
    if question.kind == "object":
        clash = object_clash(question.text, candidate)
    elif question.kind == "attribute":
        clash = attribute_clash(question.text, candidate, category(question.subject or ""))
    else:
        clash = relation_clash(question.text, candidate, question.object or "")
    return f"{MEANING}: it {clash}" if clash else None


def _likeness(question: ElementQuestion, candidate: str, kept: Sequence[str]) -> str | None:
    if question.kind != "object":
        return None
    alike = next((text for text in kept if object_clash(text, candidate)), None)
    return f'{REPEATED}: it is much the same as the negative "{alike}"' if alike else None
