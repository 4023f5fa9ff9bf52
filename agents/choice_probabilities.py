"""Probabilities over lettered options: from the letter's log-probabilities, or from votes.

Both ways read the letter that an answer gives with `find_letter`, behind whatever a model says
before it. (FINER section 2.3.)
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Sequence
from typing import Literal, NamedTuple

from agents.base import AgentContext, gather
from backends.base import Completion, ModelRequest, PlainText, TokenLogprob
from runtime.errors import ToolkitError

TOP_LOGPROBS = 20
"""As many alternatives of a token as providers list."""
VOTE_TEMPERATURE = 1.0

# "A" before most small words is an article; the other letters are no words of English.
_LETTER = re.compile(
    r"(?<![\w'’-])(?:[B-Z]|A(?!\s+(?!(?:is|and|or|because)\b)[a-z]))(?![\w'’]|-\w)"
)
_THOUGHT_BEGINS, _THOUGHT_ENDS = "<think>", "</think>"
_SPACES = str.maketrans("▁ĠĊ", "   ")  # how some servers spell the spaces of tokens
_AROUND = " \t\n\r▁ĠĊ(['\"*.:)]"  # what tokenizers glue to a letter


class ChoiceProbabilities(NamedTuple):
    """One probability for each letter, summing to 1, and where they come from."""

    values: tuple[float, ...]
    method: Literal["logprobs", "votes"]

    @property
    def entropy(self) -> float:
        """In nats: 0 when one option has it all, ln n when all n are alike."""
        return abs(sum(p * math.log(p) for p in self.values if p > 0))


async def ask_choice(
    step: str, request: ModelRequest, context: AgentContext, votes: int
) -> ChoiceProbabilities:
    """How probable the backend of `step` finds each of `request.choices`, which are letters.

    One call where it gives log-probabilities, else `votes` of them at temperature 1. Raises
    ToolkitError, of kind "semantic" when no vote names a letter.
    """
    if context.capabilities(step).logprobs:
        listed = request.model_copy(update={"top_logprobs": TOP_LOGPROBS})
        completion = (await context.send(step, listed, PlainText)).completion
        values = from_logprobs(completion, request.choices)
        if values is not None:
            return ChoiceProbabilities(values, "logprobs")
    sampling = request.sampling.model_copy(update={"temperature": VOTE_TEMPERATURE})
    ballots = [
        request.model_copy(update={"sampling": sampling, "sample_index": index})
        for index in range(votes)
    ]
    answers = await gather(context.send(step, ballot, PlainText) for ballot in ballots)
    texts = [answer.value.text for answer in answers]
    return ChoiceProbabilities(from_votes(texts, request.choices), "votes")


def find_letter(text: str, letters: Sequence[str]) -> re.Match[str] | None:
    """Where an answer gives its letter: the first that stands alone, after any reasoning."""
    start = text.rfind(_THOUGHT_ENDS) + 1  # 0 where there is none
    if text.find(_THOUGHT_BEGINS, start) >= 0:
        return None  # cut off before the answer
    found = (match for match in _LETTER.finditer(text, start) if match.group() in letters)
    return next(found, None)


def from_logprobs(completion: Completion, letters: Sequence[str]) -> tuple[float, ...] | None:
    """Shares of the letters among the alternatives of the token that gives the letter.

    All spellings of a letter ("A", " A", "(A") count together. A letter that is not listed is
    less probable than all that are, and gets 0. None where no letter or no alternatives are given.
    """
    tokens = completion.logprobs or ()
    text = "".join(token.token for token in tokens).translate(_SPACES)
    found = find_letter(text, letters)
    if found is None:
        return None
    token = _token_at(tokens, found.start())
    mass = dict.fromkeys(letters, 0.0)
    for spelled, logprob in token.top.items():
        letter = spelled.strip(_AROUND)
        if letter in mass:
            mass[letter] += math.exp(logprob)
    total = sum(mass.values())
    # A list of the chosen token alone would pass for certainty.
    if len(token.top) < 2 or total == 0:
        return None
    return tuple(mass[letter] / total for letter in letters)


def from_votes(texts: Sequence[str], letters: Sequence[str]) -> tuple[float, ...]:
    """Shares of the letters among the answers; those without a letter do not count.

    Raises ToolkitError("semantic") when none has one.
    """
    found = (find_letter(text, letters) for text in texts)
    counts = Counter(match.group() for match in found if match)
    if not counts:
        shown = " ".join(texts[0].split())[:60] if texts else ""
        raise ToolkitError(
            "semantic",
            f"none of {len(texts)} answers names a letter of {', '.join(letters)}: {shown!r}",
            "use a model that follows the prompt",
        )
    return tuple(counts[letter] / counts.total() for letter in letters)


def _token_at(tokens: Sequence[TokenLogprob], offset: int) -> TokenLogprob:
    """The token that holds the character at `offset` of their joined text."""
    end = 0
    for token in tokens:
        end += len(token.token)
        if offset < end:
            return token
    raise IndexError(offset)
