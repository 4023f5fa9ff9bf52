"""The rounds of one element: ask, regenerate what is too likely, ask again (FINER section 2.3)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from agents.base import AgentContext
from agents.choice_probabilities import ChoiceProbabilities, ask_choice
from agents.draws import seeded
from agents.negative_generator import Generated, element_question, generate
from agents.phrases import statement
from backends.base import ImageInput, ModelRequest
from runtime.errors import ToolkitError
from schemas.config import DiscriminatorConfig
from schemas.finer import ChoiceQuestion, Verdict
from schemas.scene_graph import Element, NegatedGraph

LETTERS = tuple("ABCDE")


class Thresholds(DiscriminatorConfig):
    """The section `discriminator` of the config, with the flags that win over it."""

    def suspects(self, chosen: ChoiceProbabilities, positive: int) -> tuple[int, ...]:
        """Indices of the negatives to replace; none if the positive stands out from all of them."""
        values = chosen.values
        others = [index for index in range(len(values)) if index != positive]
        likeliest = max(others, key=values.__getitem__)
        if values[positive] > values[likeliest] and chosen.entropy <= self.max_entropy:
            return ()
        above = tuple(index for index in others if values[index] > self.regenerate_above)
        return above or (likeliest,)


class Evidence(NamedTuple):
    """What the model judges by: the image, or the caption in its place."""

    images: tuple[ImageInput, ...]
    caption: str | None

    @property
    def kind(self) -> Literal["image", "caption"]:
        """What verdicts and graphs are marked with."""
        return "image" if self.images else "caption"


class Tested(NamedTuple):
    """What became of one element: its last negatives, or none and the reason."""

    element: Element
    negatives: tuple[str, ...]
    reason: str
    verdicts: tuple[Verdict, ...]


class Trial(NamedTuple):
    """One round: the positive among the negatives, and how probable each option is."""

    round: int
    options: tuple[str, ...]
    positive: int
    chosen: ChoiceProbabilities

    def named(self, indices: Iterable[int]) -> str:
        """Some options with their probabilities."""
        return ", ".join(f'"{self.options[i]}" ({self.chosen.values[i]:.2f})' for i in indices)


class ElementTest:
    """Tests one element with four negatives against the evidence."""

    def __init__(
        self,
        element: Element,
        graph: NegatedGraph,
        evidence: Evidence,
        thresholds: Thresholds,
        context: AgentContext,
    ) -> None:
        self.element, self.graph, self.evidence = element, graph, evidence
        self.thresholds, self.context = thresholds, context
        self._negatives = element.negatives
        self._rejected: list[str] = []
        self._verdicts: list[Verdict] = []

    async def run(self) -> Tested:
        """All rounds. An element for which no usable answer comes is dropped; its graph goes on.

        Raises ToolkitError of every other kind.
        """
        try:
            reason = await self._rounds()
        except ToolkitError as error:
            if not error.correctable:
                raise
            reason = error.message
        return Tested(self.element, () if reason else self._negatives, reason, (*self._verdicts,))

    async def _rounds(self) -> str:
        """Why the element is dropped; empty if it is not."""
        number = 0
        while True:
            number += 1
            trial = await self._trial(number)
            suspects = self.thresholds.suspects(trial.chosen, trial.positive)
            if not suspects:
                self._note(trial, "keep")
                return ""
            if number == self.thresholds.max_rounds:
                self._note(trial, "drop")
                return f"ambiguous in all of {number} rounds, at last with {trial.named(suspects)}"
            self._note(trial, "regenerate", suspects)
            found = await self._regenerate(trial, suspects)
            if not found.negatives:
                return f"nothing better than {trial.named(suspects)}: {found.reason}"
            self._negatives = found.negatives

    async def _trial(self, number: int) -> Trial:
        texts = (self.element.text, *self._negatives)
        order = list(range(len(texts)))
        seeded(self.context.seed, self.graph.id, self._place, number).shuffle(order)
        options = tuple(texts[place] for place in order)
        request = self._request(options)
        chosen = await ask_choice("discriminator", request, self.context, self.thresholds.votes)
        return Trial(number, options, order.index(0), chosen)

    def _request(self, options: Sequence[str]) -> ModelRequest:
        context, statements = self.context, self._statements(options)
        question = ChoiceQuestion(
            kind=self.element.kind, options=statements, caption=self.evidence.caption
        )
        lettered = [f"({letter}) {text}" for letter, text in zip(LETTERS, statements, strict=True)]
        asked = "Please answer with a single capital letter (A, B, C, D, or E):"
        legend = "\n".join([*lettered, "", asked])
        request = context.request("discriminator", question, legend=legend)
        return request.model_copy(update={"images": self.evidence.images, "choices": LETTERS})

    async def _regenerate(self, trial: Trial, suspects: Sequence[int]) -> Generated:
        """Four negatives again: the suspects replaced, the others kept."""
        again = [trial.options[index] for index in suspects]
        self._rejected += again
        seen = "saw the image" if self.evidence.images else "read the caption"
        problem = f"To a model that {seen}, these could be true: {trial.named(suspects)}."
        question = element_question(self.element, tuple(self._rejected), problem)
        keep = tuple(text for text in self._negatives if text not in again)
        [found] = await generate([question], self.graph, self.context, keep=[keep])
        return found

    def _note(
        self,
        trial: Trial,
        decision: Literal["keep", "regenerate", "drop"],
        replaced: tuple[int, ...] = (),
    ) -> None:
        element = self.element
        verdict = Verdict(
            id=f"{self.graph.id}/{self._place}/{trial.round}",
            graph=self.graph.id,
            image=self.graph.image,
            kind=element.kind,
            text=element.text,
            subject=element.subject,
            object=element.object,
            round=trial.round,
            options=self._statements(trial.options),
            probabilities=tuple(round(value, 6) for value in trial.chosen.values),
            positive=trial.positive,
            entropy=round(trial.chosen.entropy, 6),
            method=trial.chosen.method,
            tested_against=self.evidence.kind,
            decision=decision,
            regenerate=replaced,
        )
        self._verdicts.append(verdict)

    def _statements(self, options: Sequence[str]) -> tuple[str, ...]:
        """The options with their nouns, so that it is clear which object is meant."""
        element = self.element
        return tuple(
            statement(element.kind, text, element.subject, element.object) for text in options
        )

    @property
    def _place(self) -> str:
        """Where the element stands in its graph, such as "attribute/2.0"."""
        element = self.element
        inner = "" if element.attribute is None else f".{element.attribute}"
        return f"{element.kind}/{element.index}{inner}"
