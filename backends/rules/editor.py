"""The editor by rules: carry out the edits, keep every other word (GranFact D.5, spec 2.1)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from backends.rules import lexicon
from backends.rules.edits_count import recount
from backends.rules.edits_delete import Remover
from backends.rules.edits_rename import rename, untrusted_words
from backends.rules.grammar import plural, singular
from backends.rules.language import read
from backends.rules.mention import Mention
from backends.rules.response_parser import MAX_ENTITIES, Claim, read_claims
from backends.rules.rewrite import Plan, tidy, tidy_spaces
from schemas.edit import Edit, EditInput, RevisedResponse

if TYPE_CHECKING:
    from spacy.tokens import Span, Token

NOTHING_LEFT = "The image shows no object that can be named reliably."
_COLLISION = re.compile(r"\b(?:a|an|the|with|of) (?:on|in|at|of|and|or|is|are)\b", re.IGNORECASE)
_BOLD = re.compile(r"\*\*[^*\n]+\*\*:?[ \t]*")
_DEFINITE = "the|this|that|these|those|another|both|other"
_NAMING = ("NOUN", "PROPN", "ADJ")
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
        self.claims = _parsed_claims(item)
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
        return self._edit_headings(self.plan.render())

    def _edit_headings(self, text: str) -> str:
        """Bold Markdown headings hold no sentence: rename in them, or drop the heading."""
        for edit, claim in self.targets:
            if edit.kind == "quantity":
                continue
            named = _pattern(claim.category)
            new = edit.replacement.title() if edit.replacement else ""
            for heading in _BOLD.findall(text):
                if named.search(heading):
                    text = text.replace(heading, named.sub(new, heading) if new else "")
        return text

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
        """ "typical of Persian cats": phrases outside the mentions that name a wrong category."""
        spoken = {t.i for claim in self.claims for m in claim.mentions for t in m.category}
        for edit, claim in self.targets:
            if edit.kind == "quantity":
                continue
            names = [claim.category]
            fine = untrusted_words(claim.category, edit.replacement or "")
            names += [
                t.text for t in claim.entity.names.category if _is_name(t) and t.lower_ in fine
            ]
            for token in self.doc:
                if token.i in spoken or self.plan.gone(token) or token.pos_ not in _NAMING:
                    continue
                if any(_stands_at(token, name) for name in names):
                    Remover(self.plan, []).remove_phrase(_phrase_head(token))

    def _salvage(self) -> None:
        """A kept object whose introduction went with a sentence is stated on its own."""
        rolled_back = [claim for edit, claim in self.targets if edit.kind == "rollback"]
        lost: dict[int, list[str]] = {}
        several: dict[int, bool] = {}
        covered = -1
        for claim in self.claims:
            named = [m for m in claim.mentions if m.determiner != "pronoun"]
            if claim in self.doomed or claim in rolled_back or not named:
                continue
            first = named[0]
            if not self._is_lost(named) or first.noun.i <= covered:
                continue
            start = first.noun.sent.start
            phrase, covered = self._statement(first)
            single = re.match(r"(?:an?|one) (?!few|couple)", phrase)
            several.setdefault(start, not single and first.top.tag_ in ("NNS", "NNPS"))
            lost.setdefault(start, []).append(phrase)
        for start, phrases in lost.items():
            verb = "are" if several[start] else "is"
            self.plan.instead[start] = tidy(f"There {verb} {_listed(phrases)}.")

    def _is_lost(self, named: list[Mention]) -> bool:
        """Whether no mention is left, or none that introduces the thing."""
        left = [m for m in named if any(not self.plan.gone(token) for token in m.category)]
        introduced = named[0].determiner in ("a", "bare") and named[0] not in left
        return not left or (introduced and left[0].determiner == "the")

    def _statement(self, mention: Mention) -> tuple[str, int]:
        """A lost mention as it is first said, and the index of its last token."""
        first, end = mention.category[0].i, mention.category[-1].i
        start = min(mention.top.left_edge.i, *(t.i for t in [*mention.count, mention.noun]), first)
        before = [t for t in self.doc[start:first] if t.i not in _possessor(mention)]
        tail = ""
        if mention.top.dep_ in ("nsubj", "nsubjpass"):
            last = self._end_of_places(mention.noun, end)
            tail, end = self.doc[end + 1 : last + 1].text, last
        text = " ".join([*(token.text for token in before), mention.text, tail])
        text = re.sub(f"^(?:(?:{_DEFINITE})\\b ?)+", "", tidy_spaces(text), flags=re.IGNORECASE)
        text = text[:1].lower() + text[1:] if mention.top.left_edge.is_sent_start else text
        single = mention.quantity == 1 and mention.noun.tag_ not in ("NNS", "NNPS")
        counted = re.match(r"(?:an?|one|some|several|each)\b", text, re.IGNORECASE)
        bare = mention.determiner == "bare" or lexicon.listed("mass", mention.lemma)
        return (f"a {text}" if single and not counted and not bare else text), end

    def _end_of_places(self, noun: Token, end: int) -> int:
        """Last token of the prepositional phrases right after a noun that name nothing doomed."""
        doomed = {m.noun.i for claim in self.doomed for m in claim.mentions}
        for child in noun.rights:
            tokens = list(child.subtree)
            clause = any(token.pos_ in ("VERB", "AUX") for token in tokens)
            if child.dep_ != "prep" or tokens[0].i != end + 1 or clause:
                break
            if doomed & {token.i for token in tokens}:
                break
            end = tokens[-1].i
        return end

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
        return bool(_DANGLING.search(words) or _COLLISION.search(words))


def _parsed_claims(item: EditInput) -> Sequence[Claim]:
    """The claims that the edits count: those of the whole text, or those without scenery."""
    everything = read_claims(item.response)
    without_scenery = read_claims(item.response, "cars")
    stated = len({edit.prediction for edit in item.edits}) + len(item.keep)
    for claims in (everything, without_scenery):
        named = claims[:MAX_ENTITIES]
        fits = all(
            edit.prediction < len(named) and named[edit.prediction].category == edit.category
            for edit in item.edits
        )
        if fits and len(named) == stated:
            return claims
    return everything


def _targets(edits: Sequence[Edit], claims: Sequence[Claim]) -> list[tuple[Edit, Claim]]:
    """Each edit with its claim; where the index does not fit, the category decides."""
    found = []
    for edit in edits:
        same = [i for i, claim in enumerate(claims) if claim.category == edit.category]
        later = [i for i in same if i >= edit.prediction] or same
        if later:
            found.append((edit, claims[later[0]]))
    return found


def _is_name(token: Token) -> bool:
    """A proper name inside a category, which betrays it wherever it stands."""
    return token.is_title and token.is_alpha and not token.is_sent_start


def _stands_at(token: Token, name: str) -> bool:
    """Whether the text reads `name`, singular or plural, from this token on."""
    words = len(name.split())
    text = token.doc[token.i : token.i + words].text
    return bool(_pattern(name).fullmatch(text))


def _phrase_head(token: Token) -> Token:
    """The noun whose phrase a modifier belongs to."""
    while token.dep_ in ("compound", "amod", "nmod", "poss") and token.head != token:
        token = token.head
    return token


def _possessor(mention: Mention) -> set[int]:
    """Indices of "the man's" in "the man's hat"."""
    owners = [child for child in mention.noun.lefts if child.dep_ == "poss"]
    return {token.i for owner in owners for token in owner.subtree}


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
