"""The editor by rules: carry out the edits, keep every other word (GranFact D.5, spec 2.1)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from backends.rules.edits_count import recount
from backends.rules.edits_delete import Remover
from backends.rules.edits_rename import rename, untrusted_words
from backends.rules.grammar import capitalized, is_plural, plural, singular
from backends.rules.language import read
from backends.rules.noun_phrases import Mention
from backends.rules.response_parser import Claim, read_claims
from backends.rules.rewrite import Plan, tidy
from schemas.edit import Edit, EditInput, RevisedResponse

if TYPE_CHECKING:
    from spacy.tokens import Span, Token

NOTHING_LEFT = "The image shows no object that can be named reliably."
_DANGLING = re.compile(
    r"\b(?:a|an|the|of|with|in|on|at|to|by|and|or|is|are|from|near|behind|beside|their|its)[.!?]$"
)


def revise(item: EditInput) -> RevisedResponse:
    """Apply the edits. Where a careful one fails, the sentence that resists is dropped.

    Raises ToolkitError("prerequisite") without a spaCy model.
    """
    hard: set[int] = set()
    text = item.response
    for _ in range(3):
        editing = _Editing(item, hard)
        text = editing.run()
        failed = editing.resisting(text)
        if not failed - hard:
            break
        hard |= failed
    return RevisedResponse(revised=text if text.strip() else NOTHING_LEFT)


class _Editing:
    """One attempt; `hard` holds the starts of sentences that are dropped as a whole."""

    def __init__(self, item: EditInput, hard: set[int]) -> None:
        self.item = item
        self.doc = read(item.response)
        self.claims = read_claims(item.response)
        self.plan = Plan(self.doc, item.response)
        self.targets = _targets(item.edits, self.claims)
        self.doomed = [c for e, c in self.targets if e.kind == "delete" or e.quantity == 0]
        self.hard = set(hard)
        if item.problem:
            self.hard |= {
                m.noun.sent.start for c in self.doomed for m in c.mentions if not _loose(m)
            }

    def run(self) -> str:
        """The revised text of this attempt."""
        for sentence in self.doc.sents:
            if sentence.start in self.hard:
                self.plan.remove_sentence(sentence)
        mentions = [m for claim in self.doomed for m in claim.mentions]
        Remover(self.plan, sorted(mentions, key=lambda m: m.noun.i)).remove_all()
        self._rollback_and_recount()
        self._drop_leftovers()
        self._salvage()
        return self.plan.render()

    def _rollback_and_recount(self) -> None:
        for edit, claim in self.targets:
            if claim in self.doomed:
                continue
            if edit.kind == "rollback" and edit.replacement:
                rename(self.plan, claim, edit.replacement)
        for edit, claim in self.targets:
            if edit.kind == "quantity" and edit.quantity and claim not in self.doomed:
                recount(self.plan, claim, edit.quantity)

    def _drop_leftovers(self) -> None:
        """"typical of Persian cats": phrases outside the mentions that name a wrong category."""
        spoken = {t.i for claim in self.claims for m in claim.mentions for t in m.category}
        for edit, claim in self.targets:
            if edit.kind == "quantity":
                continue
            fine = untrusted_words(claim.category, edit.replacement or "")
            for token in self.doc:
                if token.i in spoken or self.plan.gone(token):
                    continue
                if singular(token.lower_) in fine and token.pos_ in ("NOUN", "PROPN"):
                    Remover(self.plan, []).remove_phrase(_phrase_head(token))

    def _salvage(self) -> None:
        """A kept object whose only mention went with a sentence is stated on its own."""
        lost: dict[int, list[str]] = {}
        plural_first: dict[int, bool] = {}
        for claim in self.claims:
            named = [m for m in claim.mentions if m.determiner != "pronoun"]
            if claim in self.doomed or not named:
                continue
            if any(not self.plan.gone(m.noun) or m.noun.i in self.plan.replaced for m in named):
                continue
            start = named[0].noun.sent.start
            plural_first.setdefault(start, claim.entity.plural)
            lost.setdefault(start, []).append(self._statement(claim, named[0]))
        for start, phrases in lost.items():
            verb = "are" if plural_first[start] else "is"
            self.plan.instead[start] = tidy(f"There {verb} {_listed(phrases)}.")

    def _statement(self, claim: Claim, mention: Mention) -> str:
        """The bare noun phrase of a lost mention, with its edited name and count."""
        words = [*mention.adjectives, mention.text]
        for edit, target in self.targets:
            if target is claim and edit.kind == "rollback" and edit.replacement:
                many = is_plural(mention.noun.text)
                words[-1] = plural(edit.replacement) if many else singular(edit.replacement)
        count = " ".join(token.text.lower() for token in mention.count)
        if claim.entity.quantity == 1 and not is_plural(mention.noun.text):
            words = ["a", *words] if mention.determiner != "bare" else words
        elif count:
            words = [count, *words]
        return " ".join(words)

    def resisting(self, text: str) -> set[int]:
        """Starts of the sentences that still name what had to go, or that read as broken."""
        failed = set()
        for edit, claim in self.targets:
            if edit.kind != "quantity" and _still_named(text, edit, self.item.keep):
                failed |= self._sentences_naming(claim.category)
        for sentence in self.doc.sents:
            if sentence.start not in self.hard and self._reads_broken(sentence):
                failed.add(sentence.start)
        return failed

    def _sentences_naming(self, category: str) -> set[int]:
        pattern = _pattern(category)
        return {s.start for s in self.doc.sents if pattern.search(s.text)}

    def _reads_broken(self, sentence: Span) -> bool:
        """Whether the edits left a sentence without its verb or with a dangling word."""
        touched = any(self.plan.gone(token) for token in sentence)
        if not touched or self.plan.is_empty(sentence):
            return False
        left = [token for token in sentence if not self.plan.gone(token)]
        finite = {"VBZ", "VBP", "VBD", "MD"}
        had_verb = any(token.tag_ in finite for token in sentence)
        if had_verb and not any(token.tag_ in finite for token in left):
            return True
        words = tidy("".join(token.text_with_ws for token in left).strip())
        return bool(_DANGLING.search(words))


def _targets(edits: Sequence[Edit], claims: Sequence[Claim]) -> list[tuple[Edit, Claim]]:
    """Each edit with its claim.

    An index counts the claims of the edit's domain, so that the same claim may stand later in
    the parse of the whole text; the category decides.
    """
    found = []
    for edit in edits:
        same = [i for i, claim in enumerate(claims) if claim.category == edit.category]
        later = [i for i in same if i >= edit.prediction] or same
        if later:
            found.append((edit, claims[later[0]]))
    return found


def _phrase_head(token: Token) -> Token:
    """The noun whose phrase a modifier belongs to."""
    while token.dep_ in ("compound", "amod", "nmod", "poss") and token.head != token:
        token = token.head
    return token


def _loose(mention: Mention) -> bool:
    return mention.determiner == "pronoun"


def _still_named(text: str, edit: Edit, keep: Sequence[str]) -> bool:
    """Whether the category is still in the text, outside of longer names that stay."""
    allowed = [*keep, *([edit.replacement] if edit.replacement else [])]
    for longer in sorted(allowed, key=len, reverse=True):
        if edit.category.lower() in longer.lower():
            text = _pattern(longer).sub(" ", text)
    return bool(_pattern(edit.category).search(text))


def _pattern(phrase: str) -> re.Pattern[str]:
    """The phrase in singular and plural, at word borders."""
    forms = {phrase, singular(phrase), plural(singular(phrase))}
    return re.compile(rf"\b(?:{'|'.join(map(re.escape, forms))})\b", re.IGNORECASE)


def _listed(phrases: list[str]) -> str:
    if len(phrases) == 1:
        return phrases[0]
    return f"{', '.join(phrases[:-1])} and {phrases[-1]}"
