"""A mention: one noun phrase or pronoun of a text, and which of its words do what."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Literal

from backends.rules import lexicon
from backends.rules.grammar import is_invariant, singular
from schemas.base import Quantity

if TYPE_CHECKING:
    from spacy.tokens import Token


Determiner = Literal["a", "the", "other", "bare", "no", "pronoun"]


@dataclass(eq=False)
class Mention:
    """One noun phrase or pronoun. `top` heads the whole phrase ("pair" in "a pair of shoes")."""

    noun: Token
    top: Token
    determiner: Determiner
    category: list[Token] = field(default_factory=list)
    count: list[Token] = field(default_factory=list)
    quantity: Quantity = 1
    adjectives: list[str] = field(default_factory=list)
    numbered: bool = False

    @property
    def lemma(self) -> str:
        """Lower-case singular of the noun that heads the category."""
        return noun_lemma(self.noun)

    @property
    def kind(self) -> str:
        """The longest end of the category that the lexicon knows; else its last noun."""
        words = [token.lower_ for token in self.category]
        for start in range(len(words) - 1):
            if lexicon.is_known(" ".join(words[start:])):
                return " ".join(words[start:])
        return self.lemma

    @property
    def plural(self) -> bool:
        """Whether the phrase speaks of more than one thing."""
        if self.noun.lower_ in ("they", "them", "their", "themselves", "both", "others"):
            return True
        return self.quantity != 1 or (
            self.noun.tag_ in ("NNS", "NNPS") and not is_invariant(self.noun.lower_)
        )

    @cached_property
    def sentence(self) -> int:
        """Index of the first token of its sentence, which is not looked for again and again."""
        start: int = self.noun.sent.start
        return start

    @property
    def text(self) -> str:
        """The category as the text has it; a common noun loses its sentence capital."""
        tokens = self.category
        text = tokens[0].doc[tokens[0].i : tokens[-1].i + 1].text
        if tokens[-1].i - tokens[0].i >= len(tokens):
            text = " ".join(token.text for token in tokens)
        common = tokens[0].pos_ != "PROPN" and tokens[0].is_sent_start and tokens[0].is_title
        return text[:1].lower() + text[1:] if common else text


def noun_lemma(token: Token) -> str:
    """Lower-case singular form; spaCy's lemma only where it lemmatised a noun."""
    lower: str = token.lower_
    if lexicon.listed("plurale_tantum", lower) and lower != "glasses":
        return lower
    if token.tag_ == "NNS":
        lemma: str = token.lemma_.lower()
        return lemma if lemma != lower else singular(lower)
    return singular(lower) if token.tag_ == "NNPS" else lower
