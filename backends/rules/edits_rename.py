"""Rolling a category back: a coarser name wherever the untrusted one stands."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from backends.rules import lexicon
from backends.rules.edits_delete import Remover
from backends.rules.grammar import capitalized, plural, singular
from backends.rules.identity import identity_subject
from backends.rules.mention import Mention
from backends.rules.response_parser import Claim
from backends.rules.rewrite import Plan

if TYPE_CHECKING:
    from spacy.tokens import Token


def rename(plan: Plan, claim: Claim, replacement: str) -> None:
    """Name the claim `replacement` in each mention that says more than that."""
    coarse = singular(replacement)
    remover = Remover(plan, [])
    for mention in claim.mentions:
        if plan.gone(mention.noun) or mention.determiner == "pronoun":
            continue
        if _says_no_more(mention, coarse, claim):
            continue
        if _repeats_name(mention, coarse, claim):
            remover.remove_phrase(mention.top)
        else:
            _rename_mention(plan, mention, coarse, first=mention is claim.mentions[0])


def untrusted_words(category: str, replacement: str) -> set[str]:
    """Lower-case words of the category, singular, that the replacement does not have."""
    kept = {singular(word) for word in _words(replacement)} | set(_words(replacement))
    return {word for word in _words(category) if word not in kept and singular(word) not in kept}


def _words(text: str) -> list[str]:
    return re.findall(r"[\w'-]+", text.lower())


def _says_no_more(mention: Mention, coarse: str, claim: Claim) -> bool:
    """Whether a mention is the new name already, or a more general word ("the animal")."""
    fine = untrusted_words(claim.category, coarse)
    own = {token.lower_ for token in mention.category} | {mention.lemma}
    if own & fine:
        return False
    head = coarse.rpartition(" ")[2]
    same = mention.lemma in (coarse, head)
    return (
        same or lexicon.is_kind_of(coarse, mention.lemma) or lexicon.is_kind_of(head, mention.lemma)
    )


def _repeats_name(mention: Mention, coarse: str, claim: Claim) -> bool:
    """ "The dog is a dog", "a vehicle, likely a vehicle": the second name has nothing to say."""
    subject = identity_subject(mention)
    if subject is None:
        return False
    earlier = [m for m in claim.mentions if m.noun == subject]
    same = bool(earlier) and earlier[0].determiner != "pronoun" and not mention.adjectives
    if not same or _has_description(mention):
        return False
    return lexicon.is_kind_of(earlier[0].lemma, coarse) or earlier[0].lemma == coarse


def _has_description(mention: Mention) -> bool:
    return any(child.dep_ in ("prep", "acl", "relcl") for child in mention.noun.rights)


def _rename_mention(plan: Plan, mention: Mention, coarse: str, first: bool) -> None:
    """Put the new name where the category words stood; adjectives between them stay."""
    start, last = mention.category[0], mention.category[-1]
    name = plural(coarse) if _is_plural_mention(mention) else coarse
    if start.is_sent_start and start.is_title:
        name = capitalized(name)
    doc = start.doc
    gap = {t.i for t in doc[start.i : last.i + 1]} - {t.i for t in mention.category}
    target = mention.noun if gap and mention.noun.i < last.i + 1 else start
    plan.remove([token for token in mention.category if token != target])
    plan.replaced[target.i] = name
    _set_article(plan, mention, name, first)
    _skip_doubled_noun(plan, last, name)


def _set_article(plan: Plan, mention: Mention, name: str, first: bool) -> None:
    """ "the Temple of Heaven" becomes "a temple", "an orange suit" becomes "orange clothing"."""
    articles = [child for child in mention.noun.lefts if child.lower_ in ("a", "an", "the")]
    if not articles or _is_plural_mention(mention):
        return
    found = articles[0]
    if lexicon.listed("mass", name.rpartition(" ")[2].lower()):
        if found.lower_ != "the":
            plan.remove([found])
    elif first and found.lower_ == "the" and len(mention.category) > 1 and name.islower():
        plan.replaced[found.i] = "A" if found.is_title else "a"


def _is_plural_mention(mention: Mention) -> bool:
    """By form; "sunglasses" are one thing."""
    one_thing = mention.top == mention.noun and mention.quantity == 1
    return mention.noun.tag_ in ("NNS", "NNPS") and not one_thing


def _skip_doubled_noun(plan: Plan, last: Token, name: str) -> None:
    """ "Persian cat" to "cat" before another "cat": say it once."""
    if last.i + 1 < len(last.doc):
        following = last.doc[last.i + 1]
        if following.lower_ == name.lower():
            plan.remove([following])
