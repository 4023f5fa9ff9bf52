"""Caption parser: a caption → its scene graph (FINER section 2.2, spec 3.1 and 3.5).

`python -m agents.caption_parser CAPTIONS --output DIR` writes `scene_graphs.jsonl`. Words that the
caption does not support are refused: the parser is asked once more with the reason, and what
still fails is dropped. With `--verify`, a vision backend drops what the image does not show.
"""

from __future__ import annotations

import sys
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

from agents.base import Agent, AgentContext, gather
from agents.command import AgentCommand, Flags, Results, moved
from agents.phrases import statement
from agents.scene_graph_checks import prune, unsupported
from agents.scene_graph_merge import merge, split_sentences
from runtime.errors import ToolkitError
from schemas.finer import CaptionInput, ElementClaim, VerifierAnswer
from schemas.scene_graph import CaptionRecord, SceneGraph, SceneGraphAnswer, elements

UNSUPPORTED, ABSENT = "dropped unsupported", "dropped absent"
"""What a record's usage counts, besides calls and tokens."""


class CaptionParser(Agent[CaptionRecord, SceneGraph]):
    """Extracts, checks against the caption, merges, and verifies where this is asked for."""

    name = "caption_parser"

    def __init__(self, by_sentence: bool = False, verify: bool = False) -> None:
        self.by_sentence, self.verify = by_sentence, verify
        self.settings = {"by_sentence": by_sentence, "verify": verify}
        self.steps = ("caption_parser", "caption_verifier") if verify else ("caption_parser",)
        self.needs: Mapping[str, set[str]] = {"caption_verifier": {"vision"}} if verify else {}

    async def run(self, item: CaptionRecord, context: AgentContext) -> SceneGraph:
        """The scene graph of one caption.

        Raises ToolkitError, of kind "semantic" when no object is left, of kind "image" when the
        image is to be shown and cannot be read.
        """
        inputs = [CaptionInput(caption=item.caption)]
        if self.by_sentence:
            sentences = split_sentences(item.caption)
            inputs = [CaptionInput(caption=item.caption, sentence=text) for text in sentences]
        answers = await gather(supported_graph(asked, context) for asked in inputs)
        texts = (asked.sentence or item.caption for asked in inputs)
        answer = merge(zip(texts, answers, strict=True), item.caption)
        if self.verify and answer.objects:
            answer = await verified(answer, item.image, context)
        if not answer.objects:
            raise _no_object(context)
        return SceneGraph(
            id=item.id,
            image=item.image,
            caption=item.caption,
            objects=answer.objects,
            relations=answer.relations,
        )

    def estimate(self, item: CaptionRecord) -> dict[str, int]:
        """Each sentence or caption may be asked twice."""
        asked = len(split_sentences(item.caption)) if self.by_sentence else 1
        return {"caption_parser": 2 * asked} | ({"caption_verifier": 1} if self.verify else {})


async def supported_graph(inputs: CaptionInput, context: AgentContext) -> SceneGraphAnswer:
    """A graph of which the caption has every word. Raises ToolkitError."""
    answer = await context.ask("caption_parser", inputs, SceneGraphAnswer)
    problems = _problems(answer, inputs.caption)
    if problems:
        again = inputs.model_copy(update={"problem": "; ".join(problems.values())})
        answer = await context.ask("caption_parser", again, SceneGraphAnswer)
        problems = _problems(answer, inputs.caption)
    context.answers[UNSUPPORTED] += len(problems)
    return prune(answer, lambda *place: place not in problems)


def _problems(answer: SceneGraphAnswer, caption: str) -> dict[tuple[str, int, int | None], str]:
    """Why elements are not supported, by kind, index and attribute."""
    graph = SceneGraph(id="-", image="-", objects=answer.objects, relations=answer.relations)
    reasons = {
        (element.kind, element.index, element.attribute): unsupported(element, caption)
        for element in elements(graph)
    }
    return {place: reason for place, reason in reasons.items() if reason}


async def verified(answer: SceneGraphAnswer, image: str, context: AgentContext) -> SceneGraphAnswer:
    """Without the elements that the image does not show. Raises ToolkitError."""
    graph = SceneGraph(id="-", image="-", objects=answer.objects, relations=answer.relations)
    listed = list(elements(graph))
    said = tuple(statement(e.kind, e.text, e.subject, e.object) for e in listed)

    def in_range(verdict: VerifierAnswer) -> None:
        wrong = [index for index in verdict.absent if index >= len(said)]
        if wrong:
            message = f"absent: {wrong} are no indices of the {len(said)} statements, from 0"
            raise ToolkitError("semantic", message)

    verdict = await context.ask(
        "caption_verifier",
        ElementClaim(statements=said),
        VerifierAnswer,
        legend="\n".join(f"{index}: {text}" for index, text in enumerate(said)),
        images=(await context.image(image),),
        validate=in_range,
    )
    absent = {
        (listed[index].kind, listed[index].index, listed[index].attribute)
        for index in verdict.absent
    }
    context.answers[ABSENT] += len(absent)
    return prune(answer, lambda *place: place not in absent)


def _no_object(context: AgentContext) -> ToolkitError:
    dropped = context.answers[UNSUPPORTED] + context.answers[ABSENT]
    return ToolkitError(
        "semantic",
        f"the caption gives no object; {dropped} elements were dropped",
        "give a caption that names things one can see, or choose another backend",
    )


def write_graphs(results: Results) -> Iterator[str]:
    """Write `scene_graphs.jsonl`; yield how many elements of each kind there are."""
    from agents.execute import in_words, write_rejected
    from runtime.files import write_jsonl

    counts: Counter[str] = Counter()

    def rows() -> Iterator[SceneGraph]:
        for outcome in results.outcomes():
            counts.update({name: int(outcome.usage.get(name, 0)) for name in (UNSUPPORTED, ABSENT)})
            if outcome.value is not None:
                graph = SceneGraph.model_validate(outcome.value)
                counts.update(element.kind for element in elements(graph))
                yield graph

    graphs = write_jsonl(results.directory / "scene_graphs.jsonl", rows())
    rejected = write_rejected(results)
    reasons = in_words(rejected)
    yield (
        f"{graphs:,} graphs in scene_graphs.jsonl: {counts['object']:,} objects, "
        f"{counts['attribute']:,} attributes, {counts['relation']:,} relations; dropped: "
        f"{counts[UNSUPPORTED]:,} unsupported, {counts[ABSENT]:,} absent; "
        f"rejected: {reasons or 'none'}"
    )


def _add_flags(parser: ArgumentParser) -> None:
    add = parser.add_argument
    add("--by-sentence", action="store_true",
        help="ask one sentence at a time, for small models, and merge the answers")  # fmt: skip
    add("--verify", action="store_true",
        help="let a vision backend drop what the image does not show")  # fmt: skip


COMMAND = AgentCommand(
    CaptionParser(),
    "agents.caption_parser",
    "Parse captions into scene graphs: objects, attributes, relations.",
    CaptionRecord,
    moved,
    ("scene_graphs.jsonl",),
    write_graphs,
    Flags(_add_flags, lambda own, _: CaptionParser(own.by_sentence, own.verify)),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run this agent as a command."""
    return COMMAND.main(argv)


if __name__ == "__main__":
    sys.exit(main())
