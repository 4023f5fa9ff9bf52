"""Iterative rectification: what a critic says, and how a response changed (FGAM section 3.3)."""

from __future__ import annotations

import hashlib
import json
from typing import Annotated, Any, Literal, Self

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from schemas.base import Identifier, LongText, Record, StrictModel
from schemas.preference import ChatMessage

IssueKind = Literal["object", "attribute", "relation", "reasoning"]
ISSUE_KINDS: tuple[IssueKind, ...] = ("object", "attribute", "relation", "reasoning")
"""The rows of FGAM's table 3."""

Stopped = Literal["satisfied", "unchanged", "repeated", "max_steps"]
"""Why a loop ended: the critic asked for nothing more, the response came back as it was, an
earlier response came back, or the last step was taken."""

Sentence = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1_000)]


class Issue(StrictModel):
    """One thing that is wrong with a response."""

    kind: IssueKind
    evidence: Sentence = Field(description="What the image shows instead.")
    instruction: Sentence = Field(description="What to change in the response.")


class Feedback(StrictModel):
    """What the critic says of one response (FGAM section 3.3.2).

    `consistency` is 1 where everything the response says holds and 0 where nothing does.
    """

    issues: Annotated[tuple[Issue, ...], Field(max_length=20)]
    needs_revision: bool
    consistency: Annotated[float, Field(ge=0, le=1)]

    @model_validator(mode="after")
    def _says_what_is_wrong(self) -> Self:
        if self.needs_revision and not self.issues:
            raise ValueError("`needs_revision` is true, so `issues` must say what is wrong")
        if self.issues and not self.needs_revision:
            raise ValueError("`issues` says what is wrong, so `needs_revision` must be true")
        return self


_Stripped = Annotated[LongText, StringConstraints(strip_whitespace=True)]


class QuestionRecord(Record):
    """A row of `questions.jsonl`; other keys are left alone.

    With a `response`, the loop starts from it instead of asking the model. `caption` describes
    the image, for backends without vision. A row without an id is known by what it asks.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    image: str
    question: _Stripped
    response: _Stripped | None = None
    caption: LongText | None = None

    @model_validator(mode="before")
    @classmethod
    def _known_by_content(cls, row: Any) -> Any:
        if not isinstance(row, dict) or row.get("id") is not None:
            return row
        texts = [row.get(name) for name in ("image", "question", "response", "caption")]
        content = json.dumps([text.strip() if isinstance(text, str) else text for text in texts])
        digest = hashlib.blake2b(content.encode(), digest_size=8).hexdigest()
        return row | {"id": digest}


class CriticInput(StrictModel):
    """What the critic is asked; the image is shown with it, or the caption stands in for it."""

    question: LongText
    response: LongText
    caption: LongText | None = None


class Step(StrictModel):
    """A response, and what the critic said of it; None of a last response nobody judged."""

    response: LongText
    feedback: Feedback | None


class Ratings(StrictModel):
    """What a rater says of the first and the last response."""

    before: Feedback
    after: Feedback


class Trajectory(Record):
    """A row of `trajectories.jsonl`: all responses in order, from the first to `final`.

    `caption` is what stood for the image; None where the image was shown. `given` says that the
    first response came with the question.
    """

    image: str
    question: LongText
    caption: LongText | None = None
    steps: Annotated[tuple[Step, ...], Field(min_length=1)]
    final: LongText
    stopped: Stopped
    ratings: Ratings | None = None
    given: bool = False


class RevisionExample(StrictModel):
    """A row of `sft.jsonl`, in TRL's format: the augmented prompt and the next response."""

    id: Identifier
    images: tuple[str, ...]
    prompt: tuple[ChatMessage, ...]
    completion: tuple[ChatMessage, ...]


class RewardPrompt(StrictModel):
    """A row of `rl.jsonl`: a prompt to answer, and the question that the critic judges it by."""

    id: Identifier
    images: tuple[str, ...]
    prompt: tuple[ChatMessage, ...]
    question: LongText
    caption: LongText | None = None
