"""Stating another count, with the noun, the verbs and the pronouns that depend on it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backends.rules.clauses import SUBJECTS, number_verbs
from backends.rules.grammar import capitalized, number_word, plural, singular
from backends.rules.mention import Mention
from backends.rules.response_parser import Claim
from backends.rules.rewrite import Plan

if TYPE_CHECKING:
    from spacy.tokens import Token

_TO_SINGULAR = {"they": "it", "them": "it", "their": "its", "themselves": "itself"}
_TO_PLURAL = {"it": "they", "its": "their", "itself": "themselves"}
_TO_PLURAL |= {"he": "they", "she": "they", "him": "them", "his": "their", "her": "their"}
_DETERMINERS = {"these": "this", "those": "that", "both": "the", "all": "the"}


def recount(plan: Plan, claim: Claim, quantity: int) -> None:
    """State `quantity` (1 or more) in each mention of the claim."""
    for position, mention in enumerate(claim.mentions):
        if plan.gone(mention.noun):
            continue
        if mention.determiner == "pronoun":
            _recount_pronoun(plan, mention.noun, quantity, claim.entity.person)
        elif position == 0 or mention.plural == claim.mentions[0].plural:
            _recount_phrase(plan, mention, quantity)


def _recount_phrase(plan: Plan, mention: Mention, quantity: int) -> None:
    many = quantity > 1
    _set_count(plan, mention, quantity)
    noun = mention.noun
    if mention.top != noun:
        # "a pair of shoes": the counting noun gives way to the number.
        between = mention.top.doc[mention.top.i : noun.left_edge.i]
        plan.remove([token for token in between if token.i not in plan.replaced])
    text = plan.replaced.get(noun.i, noun.text)
    if not plan.gone(noun):
        plan.replaced[noun.i] = plural(text) if many else singular(text)
    verb = mention.top.head
    subjects = {child.dep_ for child in verb.lefts if not plan.gone(child)}
    inverted = mention.top.dep_ == "attr" and not subjects & SUBJECTS
    existential = inverted or any(child.dep_ == "expl" for child in verb.children)
    alone = all(plan.gone(child) for child in mention.top.rights if child.dep_ == "conj")
    if alone and (mention.top.dep_ in ("nsubj", "nsubjpass") or existential):
        number_verbs(plan, verb, plural=many)


def _set_count(plan: Plan, mention: Mention, quantity: int) -> None:
    """Write the number over the old one, or over the article; "the men" needs none."""
    start = mention.top.left_edge
    count = sorted(mention.count, key=lambda token: token.i)
    words = [child for child in mention.top.lefts if child.dep_ in ("det", "predet")]
    if mention.determiner == "the" and not any(t.pos_ == "NUM" for t in count):
        for word in words:
            if word.lower_ in _DETERMINERS and (quantity == 1 or word.lower_ == "both"):
                new = _DETERMINERS[word.lower_]
                plan.replaced[word.i] = capitalized(new) if word.is_title else new
        return
    number = number_word(quantity)
    old = count or [word for word in words if word.lower_ in ("a", "an", "some", "any")]
    if not old:
        first = min([mention.noun, *mention.category], key=lambda token: token.i)
        first = mention.noun.left_edge if mention.noun.left_edge.i < first.i else first
        plan.replaced[first.i] = f"{number} {_lowered(plan, first)}"
        target = first
    else:
        target = old[0]
        plan.remove([t for t in target.doc[target.i : old[-1].i + 1] if t != target])
        plan.remove([word for word in words if word.lower_ in ("a", "an") and word != target])
        plan.replaced[target.i] = number
    if start.is_sent_start:
        plan.replaced[target.i] = capitalized(plan.replaced[target.i])


def _lowered(plan: Plan, token: Token) -> str:
    text = plan.replaced.get(token.i, token.text)
    return text[:1].lower() + text[1:] if token.is_sent_start and token.pos_ != "PROPN" else text


def _recount_pronoun(plan: Plan, pronoun: Token, quantity: int, person: bool) -> None:
    """ "They are" for one thing is "It is"; one person may stay "they"."""
    table = _TO_PLURAL if quantity > 1 else {} if person else _TO_SINGULAR
    new = table.get(pronoun.lower_)
    if new is None:
        return
    if new == "they" and pronoun.dep_ in ("pobj", "dobj", "dative"):
        new = "them"
    plan.replaced[pronoun.i] = capitalized(new) if pronoun.is_title else new
    if pronoun.dep_ in ("nsubj", "nsubjpass"):
        number_verbs(plan, pronoun.head, plural=quantity > 1)
