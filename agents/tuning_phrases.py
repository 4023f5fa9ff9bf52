"""FINER-Tuning's questions and answers as text: five templates a kind (FINER section 3)."""

from __future__ import annotations

from typing import NamedTuple

from agents.nouns import definite, head, indefinite, is_plural
from agents.phrases import is_phrase, joined, with_phrase
from backends.rules.grammar import capitalized
from backends.rules.lexicon import is_person
from schemas.tuning import Phrase, TuningKind, WhInput, WhQuestion

QUESTIONS: dict[TuningKind, tuple[str, ...]] = {
    "obj": (
        "Can you see {it} in this image?",
        "Does the picture show {it}?",
        "I am looking for {it}. Can you see that here?",
        "Would you say that this photo contains {it}?",
        "Is it correct that {it} can be seen in this image?",
    ),
    "attr": (
        "Can you see {it} in this image?",
        "Does the picture show {it}?",
        "Do you notice {it} here?",
        "Would you say that this photo contains {it}?",
        "Is it correct that {it} can be seen in this image?",
    ),
    "rel": (
        "Can you see {it}?",
        "Does the picture show {it}?",
        "Do you notice {it} here?",
        "Would you say that this photo contains {it}?",
        "Is it correct that one can see {it}?",
    ),
}
"""Templates by kind; `{it}` is the phrase. A question with "what" is written for its own pair."""

SLOT = "{attribute}"


class Tuple(NamedTuple):
    """One question with its two answers."""

    question: str
    accepted: str
    rejected: str


def render(kind: TuningKind, phrase: Phrase) -> str:
    """A phrase as it stands in a sentence: "a cat and a door", "the puppy with a red collar"."""
    if kind == "obj":
        return joined([indefinite(name) for name in phrase.parts])
    owner = phrase.head or ""
    if kind == "attr":
        return f"{definite(owner)} {joined([with_phrase(text, owner) for text in phrase.parts])}"
    plural = is_plural(owner)
    clauses = [
        f"{is_phrase(text, plural)} {definite(target)}"
        for text, target in zip(phrase.parts, phrase.targets, strict=True)
    ]
    return f"{definite(owner)} that {joined(clauses)}"


def tuples(
    kind: TuningKind, template: int, positive: Phrase, negative: Phrase
) -> tuple[Tuple, Tuple]:
    """The positive and the negative tuple, on one of the kind's templates."""
    right, wrong = render(kind, positive), render(kind, negative)
    question = QUESTIONS[kind][template]
    yes, no = f"Yes, I can see {right}.", f"No, but I can see {right}."
    return (
        Tuple(question.format(it=right), yes, f"No, but I can see {wrong}."),
        Tuple(question.format(it=wrong), no, f"Yes, I can see {wrong}."),
    )


def wh_tuples(asked: WhInput, wrong: str, written: WhQuestion) -> tuple[Tuple, Tuple]:
    """The tuples of a "what" question; its slot takes the right or the wrong attribute."""
    verb = "are" if is_plural(asked.object) else "is"
    noun = capitalized(definite(asked.object))
    right, false = (with_phrase(text, asked.object) for text in (asked.attribute, wrong))
    correction = "{noun} {verb} not {0}, but {verb} {1}."
    question, answer = written.question, written.answer
    return (
        Tuple(
            question.replace(SLOT, right),
            answer,
            correction.format(right, false, noun=noun, verb=verb),
        ),
        Tuple(
            question.replace(SLOT, false),
            correction.format(false, right, noun=noun, verb=verb),
            answer,
        ),
    )


def wh_template(asked: WhInput) -> WhQuestion:
    """The question and answer where no model writes them."""
    plural = is_plural(asked.subject)
    word = "Who" if is_person(head(asked.subject)) else "What"
    clause = f"{is_phrase(asked.relation, plural)} {definite(asked.object)}"
    return WhQuestion(
        question=f"{word} {clause} {SLOT}?", answer=f"{capitalized(definite(asked.subject))}."
    )
