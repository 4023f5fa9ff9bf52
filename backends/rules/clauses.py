"""Pieces of a dependency tree that stay or go together: lists, clauses, prepositions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backends.rules.grammar import plural_verb, singular_verb
from backends.rules.mention import noun_lemma
from backends.rules.noun_phrases import NOMINAL
from backends.rules.rewrite import Plan

if TYPE_CHECKING:
    from spacy.tokens import Token

SUBJECTS = {"nsubj", "nsubjpass"}
_SIDES = {
    "front", "side", "left", "right", "top", "back", "middle", "center", "centre", "edge", "foot",
    "end", "corner", "bottom", "base", "rear", "vicinity", "presence", "direction", "distance",
    "sides", "level", "height", "point",
}  # fmt: skip


def coordination(top: Token) -> list[Token]:
    """All coordinated noun phrases that a phrase belongs to, in order."""
    root = top
    while root.dep_ == "conj" and root.head.pos_ in ("NOUN", "PROPN", "NUM", "PRON"):
        root = root.head
    members = [root]
    for member in members:
        members += [c for c in member.rights if c.dep_ == "conj" and c.pos_ not in ("VERB", "AUX")]
    return sorted(members, key=lambda token: token.i)


def number_verbs(plan: Plan, verb: Token, plural: bool) -> None:
    """Let a verb, its auxiliaries and the verbs coordinated with it agree with a new subject."""
    finite = [c for c in verb.lefts if c.dep_ in ("aux", "auxpass")] or [verb]
    for token in finite[:1]:
        inflect = plural_verb if plural else singular_verb
        if token.tag_ in ("VBZ", "VBP", "VBD") and not plan.gone(token):
            plan.replaced[token.i] = inflect(token.text, token.lemma_)
    for child in verb.rights:
        coordinated = child.dep_ == "conj" and child.pos_ in ("VERB", "AUX")
        finite_form = child.tag_ in ("VBZ", "VBP") or any(c.dep_ == "auxpass" for c in child.lefts)
        if coordinated and finite_form and not has_subject(child):
            number_verbs(plan, child, plural)


def member_tokens(member: Token, members: list[Token]) -> list[Token]:
    """A conjunct's own words: its subtree without later conjuncts, "and" and list commas."""
    tokens = set(member.subtree)
    for other in members:
        if other != member and other in tokens:
            tokens -= set(other.subtree)
    # A phrase after the whole list stays, whichever conjunct the parser hung it on.
    starts = [other.left_edge.i for other in members if other.i > member.i]
    tokens = {t for t in tokens if not starts or t.i < min(starts)}
    tokens = {t for t in tokens if not (t.head == member and t.dep_ == "cc")}
    ordered = sorted(tokens, key=lambda token: token.i)
    while ordered and ordered[-1].dep_ == "punct":
        ordered.pop()
    while ordered and ordered[0].dep_ in ("punct", "cc"):
        ordered.pop(0)
    return ordered


def comma_before_last(members: list[Token]) -> bool:
    """Whether a list has a comma before its "and"."""
    doc, start = members[-1].doc, members[-1].left_edge.i
    return start > 1 and doc[start - 1].dep_ == "cc" and doc[start - 2].text == ","


def is_own_clause(token: Token, doomed: set[int]) -> bool:
    """A coordinated clause with a subject that stays."""
    if token.dep_ not in ("conj", "ccomp", "parataxis", "advcl"):
        return False
    if token.dep_ == "ccomp" and token.i > token.head.i:
        return False
    if token.dep_ == "advcl" and not any(c.lower_ in ("while", "whereas") for c in token.lefts):
        return False
    subjects = [c for c in token.children if c.dep_ in (*SUBJECTS, "expl")]
    objects = [c for c in token.children if c.dep_ == "attr"]
    expletive = any(c.dep_ == "expl" for c in subjects)
    checked = objects if expletive else subjects
    return bool(subjects) and not any(c.i in doomed for c in checked)


def is_coordinate_ccomp(verb: Token) -> bool:
    """ "The cup is red; the croissant is golden": a first clause parsed as a complement."""
    marked = any(child.dep_ == "mark" for child in verb.lefts)
    return verb.dep_ == "ccomp" and has_subject(verb) and not marked and verb.i < verb.head.i


def has_subject(verb: Token) -> bool:
    """Whether a verb has a subject of its own."""
    return any(child.dep_ in (*SUBJECTS, "expl") for child in verb.children)


def whole_preposition(preposition: Token) -> Token:
    """The outermost part of "next to", "in front of", "on the left side of"."""
    top = preposition
    while True:
        head = top.head
        others = [child for child in head.children if child.dep_ in NOMINAL and child != top]
        if top.dep_ in ("prep", "pcomp") and head.pos_ in ("ADP", "ADV", "SCONJ") and not others:
            top = head
        elif head.dep_ == "pobj" and top.lower_ in ("of", "from") and noun_lemma(head) in _SIDES:
            top = head.head
        elif head.dep_ in ("npadvmod", "advmod") and head.lower_ in ("next", "close", "adjacent"):
            top = head
        else:
            return top


def ends_sentence(token: Token) -> bool:
    """The mark that closes the sentence stays with what is left of it."""
    return token.text in (".", "!", "?") and token.i >= token.sent.end - 2
