"""The editor by rules: deletes, coarsens or recounts claims and leaves every other word alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from backends.rules.deletion import Deletion, agree, noun_phrase
from backends.rules.draft import Draft
from backends.rules.grammar import is_plural, number_word, plural, plural_verb, singular
from backends.rules.language import read
from backends.rules.noun_phrases import Mention
from backends.rules.response_parser import Claim, read_claims
from schemas.edit import Edit, EditInput, RevisedResponse

if TYPE_CHECKING:
    from spacy.tokens import Token

_MASS_WORDS = (
    "clothing food furniture equipment tableware headgear footwear jewelry luggage vegetation "
    "kitchenware cutlery glassware apparel stationery machinery crockery pottery"
)
_MASS = frozenset(_MASS_WORDS.split())
NOTHING_LEFT = "The image shows no object that can be named reliably."


def revise(item: EditInput) -> RevisedResponse:
    """Apply the edits to the claims they name. A second try removes whole sentences."""
    text = _apply(item, by_sentence=item.problem is not None)
    if item.problem is None and any(_still_says(text, edit, item.keep) for edit in item.edits):
        text = _apply(item, by_sentence=True)
    return RevisedResponse(revised=text if re.search(r"\w", text) else NOTHING_LEFT)


def _apply(item: EditInput, *, by_sentence: bool) -> str:
    claims = read_claims(item.response)
    draft = Draft(read(item.response), item.response)
    located = [(edit, claim) for edit in item.edits if (claim := _locate(edit, claims))]
    for edit, claim in located:
        if edit.kind == "rollback":
            _roll_back(draft, claim, edit)
    doomed = [claim for edit, claim in located if _is_deletion(edit)]
    _delete(draft, doomed, by_sentence=by_sentence)
    for edit, claim in located:
        if edit.kind == "quantity" and edit.quantity and claim not in doomed:
            _recount(draft, claim, edit.quantity)
    kept = [claim for claim in claims if claim not in doomed]
    _introduce_again(draft, kept)
    return draft.render()


def _is_deletion(edit: Edit) -> bool:
    return edit.kind == "delete" or (edit.kind == "quantity" and edit.quantity == 0)


def _locate(edit: Edit, claims: Sequence[Claim]) -> Claim | None:
    """The claim of the edit: by number where the name fits, else by name."""
    if edit.prediction < len(claims) and claims[edit.prediction].category == edit.category:
        return claims[edit.prediction]
    return next((claim for claim in claims if claim.category == edit.category), None)


def _still_says(text: str, edit: Edit, keep: Sequence[str]) -> bool:
    if edit.kind == "quantity":
        return False
    for longer in (*keep, edit.replacement or ""):
        if edit.category.lower() in longer.lower() and longer.lower() != edit.category.lower():
            text = re.sub(re.escape(longer), " ", text, flags=re.IGNORECASE)
    return re.search(rf"\b{re.escape(edit.category)}(s|es)?\b", text, re.IGNORECASE) is not None


def _delete(draft: Draft, doomed: Sequence[Claim], *, by_sentence: bool) -> None:
    mentions = [mention for claim in doomed for mention in claim.mentions]
    if by_sentence:
        for mention in mentions:
            draft.remove(mention.noun.sent)
        return
    deletion = Deletion(draft, mentions)
    for mention in sorted(mentions, key=lambda mention: mention.top.i):
        deletion.cut(mention.top)


def _introduce_again(draft: Draft, kept: Sequence[Claim]) -> None:
    """Say "There is …" of a kept object whose introduction was lost with its neighbour."""
    lost: dict[int, list[Mention]] = {}
    for claim in kept:
        named = [m for m in claim.mentions if m.determiner != "pronoun"]
        if not named or any(draft.alive(token) for token in named[0].category):
            continue
        if any(draft.alive(m.noun) and m.determiner == "a" for m in named):
            continue
        sentence = named[0].noun.sent
        said_before = draft.text[: sentence.start_char].lower()
        if any(draft.alive(t) and t.is_alpha for t in sentence) or named[0].lemma in said_before:
            continue
        lost.setdefault(sentence.start, []).append(named[0])
    for start, mentions in lost.items():
        phrases = [noun_phrase(mention) for mention in mentions]
        names = [text for text, _ in phrases]
        listed = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
        draft.added[start] = f"There {'are' if phrases[0][1] else 'is'} {listed}."


def _roll_back(draft: Draft, claim: Claim, edit: Edit) -> None:
    """Use the coarser name in every mention that says more than it."""
    replacement = edit.replacement or ""
    coarse = {singular(word) for word in replacement.lower().split()}
    for mention in claim.mentions:
        words = {singular(token.lower_) for token in mention.category}
        if mention.determiner == "pronoun" or words <= coarse:
            continue
        if not words & {singular(word) for word in edit.category.lower().split()}:
            continue
        if _repeats_identity(draft, mention, claim):
            continue
        several = mention.noun.tag_ in ("NNS", "NNPS") or is_plural(mention.noun.lower_)
        name = _named(replacement, several, counted=several or mention.determiner == "a")
        tokens = draft.doc[mention.category[0].i : mention.category[-1].i + 1]
        if mention.category[0].is_sent_start:
            name = name[:1].upper() + name[1:]
        draft.replace(list(tokens), name)
        if mention.determiner == "bare" and mention.noun.tag_ == "NNP":
            # A proper name stood without an article; a common noun in its place wants one.
            draft.before[tokens[0].i] = "the " if not mention.category[0].is_sent_start else ""


def _named(replacement: str, several: bool, counted: bool) -> str:
    """The replacement in the number of the mention; what has no plural is counted in pieces."""
    if replacement.split()[-1].lower() in _MASS:
        pieces = "pieces of" if several else "piece of"
        return f"{pieces} {replacement}" if counted else replacement
    return plural(singular(replacement)) if several else singular(replacement)


def _repeats_identity(draft: Draft, mention: Mention, claim: Claim) -> bool:
    """Drop "…, likely a Labrador," and "The dog is a Labrador": they only name the identity."""
    top = mention.top
    if mention is claim.mentions[0]:
        return False
    if top.dep_ == "attr" and top.head.lemma_ == "be":
        draft.remove(top.head.subtree)
        return True
    if top.dep_ == "appos" or (top.dep_ == "conj" and top.head in _nouns(claim)):
        tokens = list(top.subtree)
        draft.remove(tokens)
        doc = draft.doc
        for token in reversed(doc[: tokens[0].i]):
            if token in _nouns(claim) or token.is_sent_start:
                break
            draft.remove([token])
        if tokens[-1].i + 1 < len(doc) and doc[tokens[-1].i + 1].text == ",":
            draft.remove([doc[tokens[-1].i + 1]])
        return True
    return False


def _nouns(claim: Claim) -> list[Token]:
    return [token for mention in claim.mentions for token in (mention.noun, mention.top)]


def _recount(draft: Draft, claim: Claim, number: int) -> None:
    """State another number, and let noun, verb and later mentions agree."""
    first, *later = [m for m in claim.mentions if m.determiner != "pronoun"] or claim.mentions
    word = number_word(number)
    counted = [token for token in first.count if token.pos_ in ("NUM", "NOUN", "ADJ", "DET")]
    determiner = [t for t in first.noun.lefts if t.tag_ == "DT" and t.lower_ in ("a", "an")]
    place = counted or determiner
    head = first.noun
    if first.top is not head and first.top.i < head.i:
        # "a pair of shoes": the group word goes with its count.
        start = min(token.i for token in (*place, first.top, *first.top.lefts))
        place = list(draft.doc[start : _first_of(first).i])
    if place:
        capital = place[0].is_sent_start
        draft.replace(place, word.capitalize() if capital else word)
    else:
        draft.before[_first_of(first).i] = f"{word} "
    for mention in (first, *later):
        _set_number(draft, mention, number)


def _first_of(mention: Mention) -> Token:
    """The first word after the determiner: adjectives belong to the noun."""
    lefts = [
        t
        for t in mention.noun.lefts
        if t.dep_ in ("amod", "compound", "nmod") and t not in mention.count
    ]
    return min([*lefts, *mention.category], key=lambda token: token.i)


def _set_number(draft: Draft, mention: Mention, number: int) -> None:
    noun, verb = mention.noun, mention.top.head
    was_plural = noun.tag_ in ("NNS", "NNPS") or is_plural(noun.text)
    if (number > 1) != was_plural:
        one = "glass" if noun.lower_ == "glasses" else singular(noun.text)
        draft.replaced[noun.i] = plural(noun.text) if number > 1 else one
    existential = any(child.dep_ == "expl" for child in verb.children)
    if mention.top.dep_ not in ("nsubj", "nsubjpass") and not existential:
        return
    if any(child.dep_ == "conj" and draft.alive(child) for child in mention.top.children):
        return
    if number == 1:
        agree(draft, verb)
        return
    for token in (verb, *(c for c in verb.children if c.dep_ in ("aux", "auxpass"))):
        if token.tag_ == "VBZ" or token.lower_ == "was":
            draft.replaced[token.i] = plural_verb(token.text, token.lemma_)
