"""FINER-Tuning: preference pairs about fine-grained negative questions (FINER section 3).

`python -m agents.finer_tuning CAPTIONS_OR_GRAPHS --output DIR` writes `pairs.jsonl` (spec 3.6). Of
each image at most one phrase of each kind is made, one of its parts is replaced by a negative, and
both phrases become a question with an accepted and a rejected answer. A phrase whose negative fails
is left out and counted; the positive never takes its place.
"""

from __future__ import annotations

import hashlib
import random
import re
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from agents.base import Agent, AgentContext
from agents.caption_parser import CaptionParser
from agents.command import AgentCommand, Flags, moved
from agents.draws import seeded
from agents.negative_generator import element_question, generate
from agents.tuning_draw import MAX_ATTRIBUTES, Draft, draw
from agents.tuning_files import Mixture, is_excluded, read_exclusions, write_pairs
from agents.tuning_phrases import QUESTIONS, SLOT, tuples, wh_template, wh_tuples
from runtime.command_line import positive_int
from runtime.errors import ToolkitError
from schemas.config import Config, RulesConfig
from schemas.preference import ChatMessage, ImagePart, TextPart
from schemas.scene_graph import CaptionRecord, SceneGraph
from schemas.tuning import (
    TUNING_KINDS,
    TuningKind,
    TuningPair,
    TuningPairs,
    TuningRecord,
    WhInput,
    WhQuestion,
)

_WORD = re.compile(r"[a-z0-9]+")


class FinerTuning(Agent[TuningRecord, TuningPairs]):
    """Phrases of the four kinds, one negative each, and the tuples made of them.

    Nothing is asked about a record that `excluded` names: by its id, or its image's name or sha256.
    """

    name = "finer_tuning"
    steps = ("caption_parser", "negative_generator", "finer_tuning")

    def __init__(
        self, mixture: Mixture | None = None, excluded: frozenset[str] = frozenset()
    ) -> None:
        self.mixture, self.excluded = mixture or Mixture(), excluded
        digest = hashlib.sha256("\n".join(sorted(excluded)).encode()).hexdigest()
        self.settings: Mapping[str, Any] = self.mixture.model_dump() | {
            "excluded": digest if excluded else None
        }

    async def run(self, item: TuningRecord, context: AgentContext) -> TuningPairs:
        """Raises ToolkitError when the caption cannot be parsed or a backend gives no answer."""
        if is_excluded(item.id, context.folder / item.image, self.excluded):
            return TuningPairs(id=item.id, pairs=(), excluded=True)
        graph = await _graph(item, context)
        drafts = [
            draft for kind in self.mixture.kinds if (draft := draw(kind, graph, context.seed))
        ]
        made = await generate([element_question(d.element) for d in drafts], graph, context)
        drafted = {draft.kind for draft in drafts}
        missing = {
            k: "too few elements in the graph" for k in self.mixture.kinds if k not in drafted
        }
        pairs: list[TuningPair] = []
        for draft, found in zip(drafts, made, strict=True):
            if found.negatives:
                rng = seeded(context.seed, item.id, draft.kind, "pair")
                pairs += await _pairs(graph, draft, rng.choice(found.negatives), rng, context)
            else:
                missing[draft.kind] = f"no negative: {found.reason}"
        return TuningPairs(id=item.id, pairs=tuple(pairs), missing=missing)

    def estimate(self, item: TuningRecord) -> dict[str, int]:
        """Upper bounds: a refused answer is asked again, and what is excluded counts too."""
        parser = 0 if item.objects is not None else 2
        return {"caption_parser": parser, "negative_generator": 2, "finer_tuning": 1}


async def _graph(item: TuningRecord, context: AgentContext) -> SceneGraph:
    if item.objects is None:
        caption = CaptionRecord(id=item.id, image=item.image, caption=item.caption or "")
        return await CaptionParser().run(caption, context)
    return SceneGraph(
        id=item.id,
        image=item.image,
        caption=item.caption,
        objects=item.objects,
        relations=item.relations,
    )


async def _pairs(
    graph: SceneGraph, draft: Draft, wrong: str, rng: random.Random, context: AgentContext
) -> list[TuningPair]:
    """The positive and the negative tuple of a phrase, which differ in one part."""
    positive = draft.phrase
    parts = [*positive.parts]
    parts[draft.place] = wrong
    negative = positive.model_copy(update={"parts": tuple(parts)})
    written_by = "template"
    if draft.kind == "wh":
        asked = _wh_input(graph, draft)
        written, written_by = await _write_wh(asked, wrong, context)
        two = wh_tuples(asked, wrong, written)
    else:
        two = tuples(draft.kind, rng.randrange(len(QUESTIONS[draft.kind])), positive, negative)
    common = {"kind": draft.kind, "positive": positive, "negative": negative}
    return [
        TuningPair(
            id=f"{graph.id}:{draft.kind}:{polarity}",
            images=(graph.image,),
            prompt=(_message("user", made.question, shown=True),),
            chosen=(_message("assistant", made.accepted),),
            rejected=(_message("assistant", made.rejected),),
            polarity=polarity,
            written_by=written_by,
            **common,
        )
        for polarity, made in zip(("positive", "negative"), two, strict=True)
    ]


def _message(role: str, text: str, shown: bool = False) -> ChatMessage:
    parts = [ImagePart()] if shown else []
    return ChatMessage(role=role, content=(*parts, TextPart(text=text)))


def _wh_input(graph: SceneGraph, draft: Draft) -> WhInput:
    relation = draft.phrase.parts[0]
    subject = next(item for item in graph.objects if item.name == draft.phrase.head)
    return WhInput(
        subject=subject.name,
        subject_attributes=subject.attributes[:MAX_ATTRIBUTES],
        relation=relation,
        object=draft.phrase.targets[0],
        attribute=draft.element.text,
    )


async def _write_wh(asked: WhInput, wrong: str, context: AgentContext) -> tuple[WhQuestion, str]:
    """A question in a model's words; the template's where its structure is wrong, or by rules."""
    if isinstance(context.profile("finer_tuning"), RulesConfig):
        return wh_template(asked), "template"
    try:
        written = await context.ask(
            "finer_tuning", asked, WhQuestion, validate=lambda answer: _check_wh(answer, asked)
        )
        return written, "model"
    except ToolkitError as error:
        if error.kind not in ("semantic", "schema", "malformed"):
            raise
        return wh_template(asked), "template"


def _check_wh(written: WhQuestion, asked: WhInput) -> None:
    """The attribute is in its slot and nowhere else, and the question does not tell its answer."""
    question, answer = written.question, written.answer
    if question.count(SLOT) != 1 or SLOT in answer:
        raise ToolkitError("semantic", f"the question needs {SLOT} exactly once, the answer never")
    if not question.endswith("?"):
        raise ToolkitError("semantic", "the question does not end in a question mark")
    if answer.lower().startswith(("yes", "no")):
        raise ToolkitError("semantic", "the answer has to name the subject, not to say yes or no")
    words = set(_WORD.findall(question.replace(SLOT, "").lower()))
    told = words & set(_WORD.findall(asked.attribute.lower())) - _FREE
    if told:
        raise ToolkitError("semantic", f"{', '.join(sorted(told))}: belongs into the slot only")
    if asked.subject.lower() in question.lower():
        raise ToolkitError("semantic", f'the question tells its answer, "{asked.subject}"')
    if asked.subject.lower().split()[-1] not in answer.lower():
        raise ToolkitError("semantic", f'the answer does not name "{asked.subject}"')


_FREE = frozenset("a an the of in on at to with its their his her and is are".split())


def _add_flags(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("--mix", metavar="KIND=WEIGHT,…", type=_weights,
        help="kinds of questions and how many of each relative to the others, such as "
             "obj=1,attr=2,rel=2,wh=1 (default: all there are of all four)")  # fmt: skip
    add("--polarity", choices=("both", "positive", "negative"), default="both",
        help="keep both sides of each pair of questions, or one (default: both)")  # fmt: skip
    add("--max-pairs", metavar="N", type=positive_int, help="write at most N tuples, well mixed")
    add("--exclude", metavar="FILE", type=Path,
        help="ids, file names or sha256 of images to leave out, one a line")  # fmt: skip


def _weights(text: str) -> dict[TuningKind, float]:
    """`obj=1,attr=2` as a dict; a kind without a weight has 1."""
    weights: dict[TuningKind, float] = {}
    for part in text.split(","):
        name, _, number = part.strip().partition("=")
        kind = next((known for known in TUNING_KINDS if known == name), None)
        if kind is None:
            raise ArgumentTypeError(f"expected {', '.join(TUNING_KINDS)}, got {name!r}")
        try:
            weights[kind] = float(number or 1)
        except ValueError:
            weights[kind] = 0.0
        if not 0 < weights[kind] < float("inf"):
            raise ArgumentTypeError(f"{name}: expected a weight above 0, got {number!r}")
    return weights


def _agent(own: Namespace, _: Config) -> FinerTuning:
    mixture = Mixture(weights=own.mix, polarity=own.polarity, most=own.max_pairs)
    return FinerTuning(mixture, read_exclusions(own.exclude))


COMMAND = AgentCommand(
    FinerTuning(),
    "agents.finer_tuning",
    "Make preference pairs about fine-grained negative questions, from captions or scene graphs.",
    TuningRecord,
    moved,
    ("pairs.jsonl",),
    write_pairs,
    Flags(_add_flags, _agent),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run this agent as a command."""
    return COMMAND.main(argv)


if __name__ == "__main__":
    sys.exit(main())
