"""Questions and answers of the FINER agents, and the rows of the benchmark (FINER section 2)."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import ConfigDict, Field, model_validator

from schemas.base import Identifier, LongText, Record, ShortText, StrictModel
from schemas.scene_graph import ElementKind, Index, NegatedGraph

Probability = Annotated[float, Field(ge=0, le=1)]


class CaptionInput(StrictModel):
    """What the caption parser reads. With a `sentence`, only what this sentence says counts; the
    caption then tells what its pronouns and names stand for. `problem` is why its former answer
    was refused.
    """

    caption: LongText
    sentence: LongText | None = None
    problem: str | None = None


class ElementClaim(StrictModel):
    """What the caption verifier is shown with the image: statements, one for each element."""

    statements: tuple[LongText, ...]


class VerifierAnswer(StrictModel):
    """Indices of the statements that the image contradicts or does not show."""

    absent: tuple[Index, ...]


class ElementQuestion(StrictModel):
    """One element that needs four negatives.

    `subject` is the owner of an attribute or the subject of a relation, `object` what a relation
    points at. `avoid` lists what must not come again, and `problem` says why.
    """

    kind: ElementKind
    text: ShortText
    subject: ShortText | None = None
    object: ShortText | None = None
    avoid: tuple[ShortText, ...] = ()
    problem: str | None = None


class NegativeInput(StrictModel):
    """What the negative generator reads: some elements of one graph."""

    caption: LongText | None
    objects: tuple[ShortText, ...] = Field(description="Names of all objects of the image.")
    elements: Annotated[tuple[ElementQuestion, ...], Field(min_length=1)]


class NegativeSet(StrictModel):
    """Negatives of one element, by its index in the question."""

    element: Index
    negatives: Annotated[tuple[ShortText, ...], Field(max_length=8)] = Field(
        description="Four different wrong alternatives."
    )


class NegativeAnswer(StrictModel):
    """What the negative generator answers."""

    sets: tuple[NegativeSet, ...]


class ChoiceQuestion(StrictModel):
    """What the discriminator is asked: which of five statements is true?

    `caption` stands in for the image when it is tested against the text only.
    """

    kind: ElementKind
    options: Annotated[tuple[str, ...], Field(min_length=5, max_length=5)]
    caption: LongText | None = None


class Verdict(Record):
    """The discriminator's word on one element in one round: a row of `verdicts.jsonl`.

    `options` as shown, with the probability of each; `positive` is the index of the true one.
    `entropy` in nats, at most ln 5. `regenerate` are indices of options that were replaced.
    """

    id: str
    graph: Identifier
    image: str
    kind: ElementKind
    text: ShortText
    subject: ShortText | None = None
    object: ShortText | None = None
    round: Annotated[int, Field(ge=1)]
    options: tuple[str, ...]
    probabilities: tuple[Probability, ...]
    positive: Index
    entropy: Annotated[float, Field(ge=0)]
    method: Literal["logprobs", "votes"]
    tested_against: Literal["image", "caption"]
    decision: Literal["keep", "regenerate", "drop"]
    regenerate: tuple[Index, ...] = ()

    @model_validator(mode="after")
    def _positive_exists(self) -> Self:
        if len(self.probabilities) != len(self.options):
            raise ValueError("probabilities: expected one for each option")
        if self.positive >= len(self.options):
            raise ValueError(f"positive: {self.positive} of {len(self.options)} options, from 0")
        return self


class DiscriminatedGraph(Record):
    """What the discriminator makes of one graph: what survived, and every verdict."""

    graph: NegatedGraph
    verdicts: tuple[Verdict, ...]


class QuestionRow(StrictModel):
    """One row of the interchange CSV (spec 3.5). `gt_index` is 0-based.

    A pair is two consecutive rows of one image and one stem; `qtype` is the stem with `_pos` or
    `_neg`. Stems made here are `SETTING_N`, N being the number of elements. Rows of `levels.csv`
    have two choices, Yes and No, and no side.
    """

    image: str
    qtype: ShortText
    question: LongText
    choice1: LongText
    choice2: LongText
    choice3: LongText | None = None
    choice4: LongText | None = None
    choice5: LongText | None = None
    gt_index: Annotated[int, Field(ge=0, le=4)]

    @model_validator(mode="after")
    def _options_exist(self) -> Self:
        later = (self.choice3, self.choice4, self.choice5)
        if any(after and not before for before, after in pairwise(later)):
            raise ValueError("the options must be given from choice1 on without a gap")
        if self.gt_index >= len(self.choices):
            raise ValueError(f"gt_index: {self.gt_index} of {len(self.choices)} options, from 0")
        return self

    @property
    def choices(self) -> tuple[str, ...]:
        """The options in the order they are shown."""
        given = (self.choice1, self.choice2, self.choice3, self.choice4, self.choice5)
        return tuple(choice for choice in given if choice is not None)


class GivenRow(QuestionRow):
    """A question of a CSV file; other columns, such as an index, are left alone."""

    model_config = ConfigDict(extra="ignore", frozen=True)


class AnsweredRow(GivenRow):
    """A question with the option that a model chose.

    `pred_idx` is 0-based; -1 or empty where no option could be read from the answer.
    """

    pred_idx: Annotated[int, Field(ge=-1, le=4)] | None = None

    @model_validator(mode="after")
    def _prediction_exists(self) -> Self:
        if self.pred_idx is not None and self.pred_idx >= len(self.choices):
            raise ValueError(f"pred_idx: {self.pred_idx} of {len(self.choices)} options, from 0")
        return self
