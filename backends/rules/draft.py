"""A text being edited: tokens are removed or replaced, and what is untouched stays verbatim."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from backends.rules.grammar import article, capitalized

if TYPE_CHECKING:
    from spacy.tokens import Doc, Span, Token

_TIDY = (
    (r"\s+", " "),
    (r"\s+([,.;:!?])", r"\1"),
    (r",(\s*[,;])+", ","),
    (r"[,;:]+\s*([.!?])", r"\1"),
    (r"^[\s,;:]*(?:(?:and|but|while|or)\s+)?", ""),
    (r"\s*,?\s+(?:and|but|while|or|with|as|that|which)\s*([.!?])$", r"\1"),
    (r"\(\s*\)", ""),
)


class Draft:
    """Edits of one parsed text by token index."""

    def __init__(self, doc: Doc, text: str) -> None:
        self.doc, self.text = doc, text
        self.removed: set[int] = set()
        self.replaced: dict[int, str] = {}
        self.before: dict[int, str] = {}
        self.added: dict[int, str] = {}
        """Sentence start → a sentence to put after it."""

    def remove(self, tokens: Iterable[Token]) -> None:
        """Leave these tokens out."""
        self.removed.update(token.i for token in tokens)

    def replace(self, tokens: list[Token], text: str) -> None:
        """Put `text` in the place of consecutive tokens."""
        self.removed.update(token.i for token in tokens[1:])
        self.removed.discard(tokens[0].i)
        self.replaced[tokens[0].i] = text

    def alive(self, token: Token) -> bool:
        """Whether the token is still in the text."""
        return token.i not in self.removed

    def render(self) -> str:
        """The edited text. Sentences without an edit are copied as they stand."""
        pieces: list[str] = []
        for sentence in self.doc.sents:
            # spaCy counts a paragraph break as the last token of the sentence before it.
            words = [token for token in sentence if not token.is_space]
            end = words[-1].idx + len(words[-1]) if words else sentence.end_char
            rest = self.text[end : self._next_start(sentence)]
            original = self.text[sentence.start_char : end]
            if self._touched(sentence):
                new = " ".join(
                    filter(None, [self._edited(sentence), self.added.get(sentence.start)])
                )
                if not new:
                    # A gap that held a paragraph break keeps it; otherwise one gap is enough.
                    if pieces and "\n" in rest:
                        pieces[-1] = pieces[-1].rstrip(" ") + rest.strip(" ")
                    continue
                pieces.append(new + rest)
            else:
                pieces.append(original + rest)
        text = "".join(pieces)
        return text if text.endswith("\n") and self.text.endswith("\n") else text.rstrip()

    def _next_start(self, sentence: Span) -> int:
        if sentence.end < len(self.doc):
            start: int = self.doc[sentence.end].idx
            return start
        return len(self.text)

    def _touched(self, sentence: Span) -> bool:
        return sentence.start in self.added or any(
            token.i in self.removed or token.i in self.replaced or token.i in self.before
            for token in sentence
        )

    def _edited(self, sentence: Span) -> str:
        tokens = [token for token in sentence if self.alive(token) and not token.is_space]
        if not any(token.is_alpha or token.i in self.replaced for token in tokens):
            return ""
        if not any(token.pos_ in ("VERB", "AUX") for token in tokens) and len(tokens) < len(
            sentence
        ):
            return ""
        text = ""
        for position, token in enumerate(tokens):
            following = tokens[position + 1] if position + 1 < len(tokens) else None
            lead = self.before.get(token.i, "")
            text = text.rstrip() + lead if lead.startswith(",") else text + lead
            space = token.whitespace_ or (" " if not token.is_punct else "")
            text += self._word(token, following) + space
        for pattern, replacement in _TIDY:
            text = re.sub(pattern, replacement, text.strip())
        if text and text[-1] not in ".!?\"'”":
            text = re.sub(r"[\s,;:]*(?:\b(?:and|or|but|while|with)\b)?[\s,;:]*$", "", text) + "."
        return capitalized(text)

    def _word(self, token: Token, following: Token | None) -> str:
        """The token's text; `a` or `an` as what now follows wants it."""
        text: str = self.replaced.get(token.i, token.text)
        changed = following is not None and (
            following.i != token.i + 1 or following.i in self.replaced
        )
        if token.lower_ in ("a", "an") and token.i not in self.replaced and changed:
            assert following is not None
            new = article(self.replaced.get(following.i, following.text))
            return capitalized(new) if token.text[0].isupper() else new
        return text
