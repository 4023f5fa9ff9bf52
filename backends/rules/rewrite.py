"""Text surgery: tokens to drop, replace or follow by something; the rest stays verbatim."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from backends.rules.grammar import article, capitalized

if TYPE_CHECKING:
    from spacy.tokens import Doc, Span, Token

_TIDY = (
    (re.compile(r"[ \t]{2,}"), " "),
    (re.compile(r"\s+([,.;:!?])"), r"\1"),
    (re.compile(r"([,;])(\s*[,;])+"), r"\1"),
    (re.compile(r"[,;:]\s*([.!?])"), r"\1"),
    (re.compile(r"\(\s*\)"), ""),
    (re.compile(r"\b(and|or),? (and|or)\b"), r"\2"),
    (re.compile(r"^(\s*)(?:[,;:]\s*)+"), r"\1"),
    (re.compile(r"^(\s*)(?:and|but|or|while|whereas|as well as),? ", re.IGNORECASE), r"\1"),
    (re.compile(r",? (?:and|but|or|while|with)([.!?])"), r"\1"),
)
_ARTICLE = re.compile(r"\b(a|an) (?=([\w\"'-]+))", re.IGNORECASE)
_EMPTY_LINE = re.compile(r"^[ \t]*(?:[-*•]|\d+[.)])[ \t]*(?:\n|$)", re.MULTILINE)


@dataclass
class Plan:
    """Changes of one text by token index, and sentences that give way to another one."""

    doc: Doc
    original: str
    removed: set[int] = field(default_factory=set)
    replaced: dict[int, str] = field(default_factory=dict)
    after: dict[int, str] = field(default_factory=dict)
    instead: dict[int, str] = field(default_factory=dict)

    def remove(self, tokens: list[Token]) -> None:
        """Drop tokens."""
        self.removed |= {token.i for token in tokens}

    def remove_sentence(self, sentence: Span) -> None:
        """Drop every word of a sentence; line breaks stay."""
        self.remove([token for token in sentence if not token.is_space])

    def gone(self, token: Token) -> bool:
        """Whether the token will not be in the result."""
        return token.i in self.removed

    def is_empty(self, sentence: Span) -> bool:
        """Whether no word of the sentence is left."""
        return all(self.gone(token) for token in sentence if token.is_alpha or token.like_num)

    def render(self) -> str:
        """The changed text. Only changed sentences are tidied."""
        out = []
        for sentence in self.doc.sents:
            out.append(self._sentence(sentence))
        text = "".join(out)
        if text != self.original:
            text = _EMPTY_LINE.sub("", text) if _EMPTY_LINE.search(text) else text
        return text.strip() if text.strip() != self.original.strip() else self.original

    def _sentence(self, sentence: Span) -> str:
        source = self.original[sentence.start_char : self._end(sentence)]
        indices = set(range(sentence.start, sentence.end))
        touched = indices & (self.removed | set(self.replaced) | set(self.after))
        if not touched and sentence.start not in self.instead:
            return source
        words = [token for token in sentence if not token.is_space]
        lead, trail = self._margins(sentence, words)
        pieces = [self._piece(token, sentence) for token in _between(words)]
        body = "" if self.is_empty(sentence) else tidy("".join(pieces).strip())
        added = self.instead.get(sentence.start, "")
        body = " ".join(part for part in (body, added) if part)
        return lead + body + (trail if body or "\n" in trail else "")

    def _piece(self, token: Token, sentence: Span) -> str:
        end = token.idx + len(token)
        following = token.doc[token.i + 1].idx if token.i + 1 < len(token.doc) else end
        space = self.original[end:following] if token.i + 1 < sentence.end else ""
        after = self.after.get(token.i, "")
        if self.gone(token):
            return after or (" " if space else "")
        return self.replaced.get(token.i, self.original[token.idx : end]) + after + space

    def _margins(self, sentence: Span, words: list[Token]) -> tuple[str, str]:
        """White space, bullets and headings (blanked for the parser) around a sentence."""
        if not words:
            return "", ""
        last = words[-1].idx + len(words[-1])
        before = self.original[sentence.start_char : words[0].idx]
        return before, self.original[last : self._end(sentence)]

    def _end(self, sentence: Span) -> int:
        return self.doc[sentence.end].idx if sentence.end < len(self.doc) else len(self.original)


def tidy(text: str) -> str:
    """Commas, spaces, articles and the capital of a sentence after words were taken out."""
    for pattern, replacement in _TIDY:
        text = pattern.sub(replacement, text)
    if text.count('"') == 1 and not text.startswith('"'):
        text = text.replace('"', "")
    text = _ARTICLE.sub(_right_article, text).strip()
    return capitalized(text)


def tidy_spaces(text: str) -> str:
    """Words joined by single spaces, no space before a comma."""
    return " ".join(text.split()).replace(" ,", ",").replace(" 's", "'s")


def _right_article(match: re.Match[str]) -> str:
    found, word = match.group(1), match.group(2)
    if not found[0].islower() and match.start() > 0:
        return match.group(0)
    right = article(word)
    return f"{capitalized(right) if found[0].isupper() else right} "


def _between(words: list[Token]) -> list[Token]:
    """All tokens from the first word to the last one."""
    return list(words[0].doc[words[0].i : words[-1].i + 1]) if words else []
