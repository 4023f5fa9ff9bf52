"""What a pronoun can stand for: number, gender, nearness and prominence."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backends.rules import lexicon
from backends.rules.entities import Entity
from backends.rules.mention import Mention, noun_lemma

if TYPE_CHECKING:
    from spacy.tokens import Token


_SUBJECTS = {"nsubj", "nsubjpass"}
_MASCULINE, _FEMININE = {"he", "him", "his", "himself"}, {"she", "her", "hers", "herself"}
_NEUTER = {"it", "its", "itself"}


def agrees(entity: Entity, mention: Mention) -> bool:
    """Number, gender and personhood of a pronoun."""
    word = mention.noun.lower_
    if word in _NEUTER:
        return not entity.person and (not entity.plural or _told_of_one(entity))
    if word in _MASCULINE | _FEMININE:
        wrong = "female" if word in _MASCULINE else "male"
        lemmas = {m.lemma for m in entity.mentions}
        return entity.person and not any(lexicon.listed(wrong, lemma) for lemma in lemmas)
    if word in ("they", "them", "their", "themselves"):
        return entity.plural or entity.person
    return entity.plural


def _told_of_one(entity: Entity) -> bool:
    """Whether the latest mention of a group speaks of a single member."""
    named = [mention for mention in entity.mentions if mention.determiner != "pronoun"]
    return not named[-1].plural


def near_sentences(pronoun: Mention) -> list[int]:
    """Where the pronoun's sentence and the three before it start."""
    starts = [pronoun.sentence]
    while starts[-1] > 0 and len(starts) < 4:
        starts.append(pronoun.noun.doc[starts[-1] - 1].sent.start)
    return starts


def salience(earlier: Mention, pronoun: Mention, near: list[int]) -> float:
    """How well an earlier mention serves as antecedent; 0 or less: not at all.

    `near` are the `near_sentences` of the pronoun: there are many pairs in a long text.
    """
    here, there = pronoun.noun, earlier.noun
    if not near[-1] <= there.i < here.i or _governs(earlier.top, here):
        return 0.0
    distance = sum(there.i < start for start in near)
    subject = earlier.top.dep_ in _SUBJECTS or _is_topic(earlier)
    prominent = here.dep_ in _SUBJECTS or here.dep_ == "poss"
    score = 10.0 - 3.0 * distance + 0.001 * there.i
    if distance == 0 and not prominent:
        return score + 0.01 * there.i
    return score + (2.0 if subject else 0.0) + (0.5 if earlier.plural == pronoun.plural else 0.0)


def _is_topic(mention: Mention) -> bool:
    """ "The image shows a cat": its object is what the text is about."""
    head = mention.top.head
    if mention.top.dep_ in ("dobj", "attr"):
        subjects = [noun_lemma(c) for c in head.lefts if c.dep_ in _SUBJECTS | {"expl"}]
        return any(lexicon.listed("meta", lemma) or lemma == "there" for lemma in subjects)
    return mention.top.dep_ == "pobj" and lexicon.listed("meta", noun_lemma(head.head))


def _governs(top: Token, pronoun: Token) -> bool:
    """A phrase does not refer to itself: "a napkin beside it"."""
    return pronoun.dep_ == "pobj" and top in pronoun.ancestors and pronoun.head.head == top
