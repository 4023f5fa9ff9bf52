"""Takes claims out of a sentence: a conjunct, a phrase or a clause, whatever holds them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from backends.rules.draft import Draft
from backends.rules.grammar import article, singular_verb
from backends.rules.noun_phrases import Mention

if TYPE_CHECKING:
    from spacy.tokens import Token

_NOUNS = ("NOUN", "PROPN", "PRON", "NUM")
_CLAUSES = ("acl", "relcl", "advcl", "pcomp")
_COMPLEMENTS = (
    "dobj",
    "attr",
    "acomp",
    "prep",
    "advmod",
    "oprd",
    "xcomp",
    "ccomp",
    "agent",
    "conj",
)
_PLACE_WORDS = (
    "front top side back middle center centre edge corner left right foreground background bottom "
    "base rear end surface distance vicinity"
)
_PLACES = frozenset(_PLACE_WORDS.split())
_DETERMINERS = ("DT", "PRP$")


class Deletion:
    """Removes the mentions of the doomed claims from a draft."""

    def __init__(self, draft: Draft, doomed: Sequence[Mention]) -> None:
        self._draft = draft
        self._doomed = {token.i for m in doomed for token in (m.noun, m.top)}

    def cut(self, top: Token) -> None:
        """Take out the phrase that `top` heads, and as much around it as cannot stand alone."""
        if not self._draft.alive(top):
            return
        conjuncts = _coordination(top)
        left = [token for token in conjuncts if token.i not in self._doomed]
        if left and len(left) < len(conjuncts):
            self._drop_conjuncts(conjuncts, left)
        elif not left or top.i in self._doomed:
            self._drop_holder(conjuncts[0])

    def _drop_conjuncts(self, conjuncts: list[Token], left: list[Token]) -> None:
        phrases = {token.i: _own_phrase(token, conjuncts) for token in conjuncts}
        first, last = phrases[conjuncts[0].i][0], phrases[conjuncts[-1].i][-1]
        doc = self._draft.doc
        between = [
            token
            for token in doc[first.i : last.i + 1]
            if not any(token in phrase for phrase in phrases.values())
        ]
        joiner = next((t.text for t in reversed(between) if t.dep_ == "cc"), "and")
        oxford = any(t.text == "," and t.nbor().dep_ == "cc" for t in between if t.i + 1 < len(doc))
        self._draft.remove(between)
        for token in conjuncts:
            if token not in left:
                self._draft.remove(phrases[token.i])
        for position, token in enumerate(left):
            start = phrases[token.i][0]
            last_one = position == len(left) - 1
            if position and last_one:
                comma = ", " if oxford and len(left) > 2 else ""
                self._draft.before[start.i] = f"{comma}{joiner} "
            elif position:
                self._draft.before[start.i] = ", "
        start = phrases[left[0].i][0]
        if left[0] is not conjuncts[0] and start is left[0] and left[0].tag_ == "NN":
            self._draft.before[start.i] = article(start.text) + " "
        if conjuncts[-1] not in left:
            self._drop_stray_place(conjuncts[-2], last)
        if len(left) == 1 and left[0].tag_ not in ("NNS", "NNPS"):
            self._make_singular(conjuncts[0])

    def _drop_stray_place(self, before: Token, last: Token) -> None:
        """ "a flag on the left and a model [on the right]": the second place was the model's."""
        doc = self._draft.doc
        after = doc[last.i + 1] if last.i + 1 < len(doc) else last
        has_place = before.dep_ == "pobj" or any(
            t.dep_ == "prep" and self._draft.alive(t) for t in doc[before.i : last.i]
        )
        if after.dep_ == "prep" and has_place:
            self._draft.remove(after.subtree)

    def _make_singular(self, subject: Token) -> None:
        verb = subject.head
        existential = any(child.dep_ == "expl" for child in verb.children)
        if subject.dep_ in ("nsubj", "nsubjpass") or existential:
            agree(self._draft, verb)

    def _drop_holder(self, node: Token) -> None:
        """Remove the grammatical unit that exists for the sake of `node`."""
        head, dep = node.head, node.dep_
        if dep == "ROOT":
            self._drop_clause(node, node)
        elif dep in ("pobj", "pcomp") or head.pos_ == "ADP":
            self._drop_preposition(head)
        elif dep in ("poss", "compound", "nmod", "amod", "nummod"):
            self._drop_owner(node)
        elif dep in ("appos", "npadvmod") or head.pos_ not in ("VERB", "AUX"):
            self._drop_subtree(node)
        else:
            self._drop_verb(head, node)

    def _drop_owner(self, node: Token) -> None:
        """ "its bark", "the dog's bark": the whole phrase goes with its owner."""
        self._doomed.add(node.head.i)
        self.cut(node.head)

    def _drop_subtree(self, node: Token) -> None:
        """Remove the subtree with the commas around it, if it stands between two."""
        tokens = list(node.subtree)
        doc = self._draft.doc
        before = doc[tokens[0].i - 1] if tokens[0].i else None
        after = doc[tokens[-1].i + 1] if tokens[-1].i + 1 < len(doc) else None
        self._draft.remove(tokens)
        if node.dep_ == "conj" and before is not None and before.dep_ == "cc":
            self._draft.remove([before])
        elif before is not None and before.text == "," and before.sent == node.sent:
            self._draft.remove([before])
            if after is not None and after.text == ",":
                self._draft.remove([after])

    def _drop_preposition(self, preposition: Token) -> None:
        head = preposition.head
        while preposition.dep_ in ("prep", "pcomp", "advmod") and head.pos_ in ("ADP", "ADV"):
            preposition, head = head, head.head
        if preposition.dep_ == "prep" and head.lower_ in _PLACES and head.dep_ == "pobj":
            self._drop_preposition(head.head)
            return
        if preposition.dep_ == "agent" or head.pos_ in ("VERB", "AUX"):
            self._drop_subtree(preposition)
            self._mend_verb(head)
        elif preposition.dep_ == "ROOT":
            self._drop_clause(preposition, preposition)
        else:
            self._drop_subtree(preposition)

    def _mend_verb(self, verb: Token) -> None:
        """A verb that has lost what it was there to say goes too."""
        if self._has_complement(verb):
            return
        if verb.dep_ in _CLAUSES:
            self._drop_subtree(verb)
        elif verb.lemma_ == "be" or any(child.dep_ == "nsubjpass" for child in verb.children):
            self._drop_verb(verb, verb)

    def _has_complement(self, verb: Token) -> bool:
        return any(
            child.dep_ in _COMPLEMENTS and self._draft.alive(child) for child in verb.children
        )

    def _drop_verb(self, verb: Token, node: Token) -> None:
        if verb.dep_ in _CLAUSES:
            self._drop_subtree(verb)
        elif verb.dep_ in ("xcomp", "ccomp") and verb.head.pos_ in ("VERB", "AUX"):
            self._drop_verb(verb.head, node)
        elif verb.dep_ == "conj":
            self._drop_conjoined_verb(verb)
        else:
            self._drop_clause(verb, node)

    def _drop_conjoined_verb(self, verb: Token) -> None:
        """Remove one verb of several, and the words that join it to the one before."""
        later = [child for child in verb.children if child.dep_ == "conj"]
        kept = {token.i for child in later for token in child.subtree}
        self._draft.remove(token for token in verb.subtree if token.i not in kept)
        start = min(token.i for token in verb.subtree)
        for token in reversed(self._draft.doc[verb.head.i : start]):
            if token.dep_ != "cc" and token.text != ",":
                break
            self._draft.remove([token])

    def _drop_clause(self, verb: Token, node: Token) -> None:
        """Remove a main clause; clauses joined to it that have a subject of their own stay."""
        own_subject: list[Token] = []
        shared: list[Token] = []
        for child in verb.conjuncts:
            if child.i <= verb.i or child.pos_ not in ("VERB", "AUX"):
                continue
            (own_subject if _has_subject(child) else shared).append(child)
        # "A spoon lies there; a croissant lies there, too": the first clause hangs on the second.
        own_subject += [
            child
            for child in verb.children
            if child.dep_ == "ccomp" and child.i < node.i and _has_subject(child)
        ]
        is_subject = node.dep_ in ("nsubj", "nsubjpass")
        survivors = own_subject + ([] if is_subject or node is verb else shared)
        kept = {token.i for child in survivors for token in child.subtree}
        if shared and survivors and not own_subject:
            kept |= {
                token.i
                for child in verb.children
                if child.dep_ in ("nsubj", "nsubjpass")
                for token in child.subtree
            }
        self._draft.remove(
            token for token in verb.subtree if token.i not in kept and token.text not in ".!?"
        )


def _has_subject(verb: Token) -> bool:
    return any(child.dep_ in ("nsubj", "nsubjpass", "expl") for child in verb.children)


def agree(draft: Draft, verb: Token) -> None:
    """Put the finite word of a verb group into the singular."""
    group = [verb, *(child for child in verb.children if child.dep_ in ("aux", "auxpass"))]
    for token in group:
        if token.tag_ in ("VBP", "VB") or token.lower_ in ("are", "were", "have"):
            draft.replaced[token.i] = singular_verb(token.text, token.lemma_)


def noun_phrase(mention: Mention) -> tuple[str, bool]:
    """The mention as an indefinite noun phrase, and whether it is a plural."""
    tokens = [
        token
        for child in mention.noun.lefts
        if child.dep_ not in ("cc", "punct", "prep", "mark", "relcl")
        for token in child.subtree
    ]
    tokens = [token for token in tokens if token.tag_ not in _DETERMINERS and token.dep_ != "case"]
    tokens = sorted({*tokens, *mention.category}, key=lambda token: token.i)
    text = " ".join(token.text for token in tokens).replace(" - ", "-").replace(" ,", ",")
    if mention.plural or mention.noun.tag_ in ("NNS", "NNPS"):
        return text, True
    counted = tokens[0].pos_ == "NUM" and tokens[0] not in mention.category
    if counted or mention.noun.tag_ == "NNP":
        return text, False
    if tokens[0].is_title and tokens[0].is_sent_start:
        text = text[:1].lower() + text[1:]
    return f"{article(text)} {text}", False


def _coordination(top: Token) -> list[Token]:
    """All nouns joined with `top`, in order."""
    first = top
    while (
        first.dep_ == "conj"
        and first.head.pos_ in _NOUNS
        and (first is top or first.pos_ in _NOUNS)
    ):
        first = first.head
    chain = [first]
    for token in chain:
        chain.extend(child for child in token.children if child.dep_ == "conj")
    return sorted((t for t in chain if t.pos_ in _NOUNS or t is top), key=lambda token: token.i)


def _own_phrase(token: Token, conjuncts: list[Token]) -> list[Token]:
    """The tokens of one conjunct: its subtree without later conjuncts and what joins them."""
    others = {t.i for other in conjuncts if other is not token for t in other.subtree}
    if token is not conjuncts[0]:
        others -= {t.i for t in token.subtree}
        later = [o for o in conjuncts if o.i > token.i]
        others |= {t.i for other in later for t in other.subtree}
    own = [t for t in token.subtree if t.i not in others]
    while own and (own[-1].dep_ == "cc" or own[-1].text == ","):
        own.pop()
    own = [t for t in own if not (t.dep_ == "cc" and t.i > token.i)]
    return own or [token]
