"""Identity claims: "X is a Y", "X, likely a Y,", "a Y or a Z"."""

from __future__ import annotations

from typing import TYPE_CHECKING

from backends.rules.mention import Mention

if TYPE_CHECKING:
    from spacy.tokens import Token


_IDENTITY = {"be", "appear", "seem", "resemble", "become", "look", "represent"}
_SUBJECTS = {"nsubj", "nsubjpass"}
HEDGES = {"likely", "possibly", "probably", "perhaps", "maybe", "apparently", "presumably"}


def is_hedged(mention: Mention) -> bool:
    """ "…, possibly a gazebo": another name for something in the same sentence."""
    start = mention.noun.left_edge.i
    return any(
        mention.noun.doc[index].lower_ in HEDGES for index in (start, start - 1) if index > 0
    )


def is_alternative(mention: Mention) -> bool:
    """The second name in "a pond or a small lake": the first one is the claim."""
    first = mention.top.head
    return mention.top.dep_ == "conj" and any(
        c.dep_ == "cc" and c.lower_ == "or" for c in first.children
    )


def identity_subject(mention: Mention) -> Token | None:
    """The noun that "… is a Y", "…, likely a Y," or "… called a Y" identifies with Y."""
    top = mention.top
    head = top.head
    if top.dep_ == "appos":
        return head if head.pos_ in ("NOUN", "PROPN", "PRON", "NUM") else None
    verb = head
    if top.dep_ == "oprd" and head.lemma_ in ("call", "name", "know", "label"):
        return head.head if head.dep_ == "acl" else _subject(head)
    if top.dep_ == "pobj":
        if head.lower_ not in ("like", "as") or head.head.lemma_ not in (
            "look",
            "identify",
            "know",
        ):
            return None
        verb = head.head
    elif top.dep_ == "dobj":
        if head.lemma_ not in ("resemble", "represent"):
            return None
    elif top.dep_ not in ("attr", "oprd"):
        return None
    if verb.lemma_ not in _IDENTITY | {"identify", "know"}:
        return None
    return _subject(verb)


def _subject(verb: Token) -> Token | None:
    """The subject of a verb, through "appears to be" and relative pronouns."""
    if any(child.dep_ == "expl" for child in verb.children):
        return None
    for child in verb.lefts:
        if child.dep_ in _SUBJECTS:
            if child.lower_ in ("which", "that", "who"):
                return verb.head if verb.dep_ == "relcl" else None
            return child
    if verb.dep_ == "xcomp" and verb.head.pos_ in ("VERB", "AUX"):
        if verb.head.dep_ == "relcl" and not any(c.dep_ in _SUBJECTS for c in verb.head.lefts):
            return verb.head.head
        return _subject(verb.head)
    if verb.dep_ in ("relcl", "acl"):
        return verb.head
    if verb.dep_ == "conj" and verb.head.pos_ in ("VERB", "AUX"):
        return _subject(verb.head)
    return None
