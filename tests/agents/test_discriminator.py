"""The discriminator on scripted answers: what is kept, regenerated, dropped, and told of it."""

from __future__ import annotations

import asyncio
import json
import math
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents import discriminator_rounds
from agents.base import AgentContext
from agents.choice_probabilities import ChoiceProbabilities
from agents.discriminator import Discriminator, main
from agents.discriminator_report import summary
from agents.discriminator_rounds import Thresholds
from agents.negative_generator import Generated
from backends.base import Capabilities, Completion, ModelRequest, TokenLogprob
from backends.cache import ResponseCache
from backends.client import ModelClient
from backends.fake import FakeBackend
from backends.registry import Backends
from backends.usage import UsageMeter
from runtime.errors import ToolkitError
from schemas.config import Config, FakeConfig
from schemas.finer import DiscriminatedGraph, ElementQuestion
from schemas.scene_graph import NegatedGraph

CAT = Path("examples/granfact-mini/images/cat.jpg").resolve()
COLOURS = ("with a blue collar", "with a green collar", "with a black collar", "with a pink collar")
GRAPH = {
    "id": "g",
    "image": str(CAT),
    "caption": "A puppy with a red collar sits on a sofa.",
    "objects": [
        {
            "name": "puppy",
            "attributes": ["with a red collar"],
            "negatives": ["kitten", "rabbit", "lamb", "hamster"],
            "attribute_negatives": [COLOURS],
        },
        {"name": "sofa", "negatives": [], "attribute_negatives": []},
    ],
    "relations": [
        {
            "subject": 0,
            "relation": "is sitting on",
            "object": 1,
            "negatives": ["is sitting under", "is standing on", "is lying on", "is hiding behind"],
        }
    ],
    "dropped": [{"kind": "object", "text": "sofa", "reason": "three negatives only"}],
}

Belief = Callable[[str], float]
"""Probability mass of a statement."""


class Model(Backends):
    """A model whose belief in a statement is given: as log-probabilities, or as votes."""

    def __init__(self, belief: Belief, folder: Path, logprobs: bool = True) -> None:
        super().__init__(Config(), ResponseCache(folder / "cache"), UsageMeter())
        self.belief = belief
        able = Capabilities(vision=True, logprobs=logprobs)
        self.backend = FakeBackend(self._answer, capabilities=able)
        profile = FakeConfig(driver="fake")
        self._one = ModelClient(self.backend, profile, self.cache, self.usage)

    def client(self, agent: str) -> ModelClient:
        return self._one

    def _answer(self, request: ModelRequest, _: object) -> Completion:
        shares = [self.belief(option) for option in request.inputs.options]  # type: ignore[attr-defined]
        total = sum(shares)
        if not request.top_logprobs:  # sample i of k falls where i/k lies in the shares
            place, reached = (request.sample_index + 0.5) / 8 * total, 0.0
            for letter, share in zip("ABCDE", shares, strict=True):
                reached += share
                if place < reached:
                    return Completion(text=f"({letter})", model="m")
        top = {
            letter: math.log(share / total)
            for letter, share in zip("ABCDE", shares, strict=True)
            if share
        }
        best = max(top, key=top.__getitem__)
        token = TokenLogprob(token=best, logprob=top[best], top={**top, "the": -9.0})
        return Completion(text=best, model="m", logprobs=(token,))


def sure_of(*true: str) -> Belief:
    """All mass on the statements that contain one of these texts."""
    return lambda statement: 1.0 if any(text in statement for text in true) else 0.001


def sample_graph(**changes: Any) -> NegatedGraph:
    return NegatedGraph.model_validate(GRAPH | changes)


def discriminate(
    belief: Belief,
    folder: Path,
    *,
    logprobs: bool = True,
    seed: int = 17,
    text_only: bool = False,
    graph: NegatedGraph | None = None,
    **thresholds: Any,
) -> tuple[DiscriminatedGraph, FakeBackend]:
    model = Model(belief, folder, logprobs)
    agent = Discriminator(Thresholds(**thresholds), text_only)
    found = asyncio.run(agent.run(graph or sample_graph(), AgentContext(model, seed)))
    return found, model.backend


@pytest.fixture
def regenerated(monkeypatch: pytest.MonkeyPatch) -> list[ElementQuestion]:
    """A generator that names new negatives n1, n2, …; the list holds what it was asked."""
    asked: list[ElementQuestion] = []

    async def generate(
        questions: Sequence[ElementQuestion],
        graph: NegatedGraph,
        context: AgentContext,
        keep: Sequence[tuple[str, ...]] | None = None,
    ) -> list[Generated]:
        assert keep is not None and len(questions) == len(keep) == 1
        asked.extend(questions)
        new = [f"n{len(asked)}{letter}" for letter in "abcd"]
        return [Generated((*keep[0], *new)[:4], "")]

    monkeypatch.setattr(discriminator_rounds, "generate", generate)
    return asked


TRUE = ("a puppy", "red collar", "is sitting on")


def test_a_model_that_sees_through_all_keeps_all(tmp_path: Path) -> None:
    found, backend = discriminate(sure_of(*TRUE), tmp_path)
    expected = sample_graph(tested_against="image")
    assert found.graph == expected
    assert [(v.kind, v.round, v.decision) for v in found.verdicts] == [
        ("object", 1, "keep"),
        ("attribute", 1, "keep"),
        ("relation", 1, "keep"),
    ]
    for verdict, true in zip(found.verdicts, TRUE, strict=True):
        assert true in verdict.options[verdict.positive]
        assert verdict.probabilities[verdict.positive] == pytest.approx(1 / 1.004)
        assert sum(verdict.probabilities) == pytest.approx(1)
        assert (verdict.method, verdict.tested_against) == ("logprobs", "image")
    assert len(backend.requests) == 3
    assert {len(request.images) for request in backend.requests} == {1}
    assert all(request.inputs.caption is None for request in backend.requests)  # type: ignore[attr-defined]


def test_the_request_shows_lettered_statements(tmp_path: Path) -> None:
    _, backend = discriminate(sure_of(*TRUE), tmp_path)
    shown = [request.messages[-1].content for request in backend.requests]
    lettered = [re.findall(r"^\(([A-E])\) (.*)$", text, re.MULTILINE) for text in shown]
    assert [[letter for letter, _ in rows] for rows in lettered] == [list("ABCDE")] * 3
    assert {text for _, text in lettered[1]} == {
        f"the puppy {phrase}" for phrase in ("with a red collar", *COLOURS)
    }
    assert "the puppy is sitting under the sofa" in dict(lettered[2]).values()
    assert all(text.endswith("(A, B, C, D, or E):") for text in shown)
    assert {request.choices for request in backend.requests} == {tuple("ABCDE")}


def test_entropy_of_four_to_one(tmp_path: Path, regenerated: list[ElementQuestion]) -> None:
    def belief(text: str) -> float:
        shares = {"a puppy": 0.8, "a kitten": 0.2}
        return shares.get(text, 0.0) if text.startswith("a ") else sure_of(*TRUE)(text)

    found, _ = discriminate(belief, tmp_path, max_entropy=0.51)
    verdict = found.verdicts[0]
    assert verdict.entropy == pytest.approx(0.500402, abs=1e-6)
    assert verdict.decision == "keep" and regenerated == []
    found, _ = discriminate(belief, tmp_path / "stricter", max_entropy=0.5)
    assert found.verdicts[0].decision == "regenerate"
    assert [question.avoid for question in regenerated] == [("kitten",)]


def test_a_regenerated_negative_can_save_the_element(
    tmp_path: Path, regenerated: list[ElementQuestion]
) -> None:
    found, _ = discriminate(sure_of(*TRUE, "a kitten"), tmp_path)
    first, second = (v for v in found.verdicts if v.kind == "object")
    assert (first.decision, second.decision) == ("regenerate", "keep")
    assert [first.options[index] for index in first.regenerate] == ["a kitten"]
    assert first.entropy == pytest.approx(math.log(2), abs=0.02)
    [question] = regenerated
    assert (question.text, question.avoid) == ("puppy", ("kitten",))
    assert question.problem is not None and '"kitten" (0.50)' in question.problem
    assert found.graph.objects[0].negatives == ("rabbit", "lamb", "hamster", "n1a")
    assert found.graph.dropped == sample_graph().dropped


def test_what_stays_ambiguous_is_dropped_with_a_reason(
    tmp_path: Path, regenerated: list[ElementQuestion]
) -> None:
    belief = sure_of("a puppy", "red collar", "under", "n1", "n2")
    found, _ = discriminate(belief, tmp_path)
    verdicts = [v for v in found.verdicts if v.kind == "relation"]
    assert [v.decision for v in verdicts] == ["regenerate", "regenerate", "drop"]
    assert [len(v.regenerate) for v in verdicts] == [1, 1, 0]
    assert [question.avoid for question in regenerated] == [
        ("is sitting under",),
        ("is sitting under", "n1a"),
    ]
    assert found.graph.relations[0].negatives == ()
    [_, dropped] = found.graph.dropped
    assert (dropped.kind, dropped.text) == ("relation", "is sitting on")
    assert "3 rounds" in dropped.reason and '"n2a"' in dropped.reason
    assert found.graph.objects == sample_graph().objects


def test_one_round_regenerates_nothing(tmp_path: Path, regenerated: list[ElementQuestion]) -> None:
    found, _ = discriminate(sure_of("red collar", "is sitting on"), tmp_path, max_rounds=1)
    assert [v.decision for v in found.verdicts] == ["drop", "keep", "keep"]
    assert regenerated == []


def test_a_generator_without_ideas_ends_the_element(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def generate(*_: Any, keep: Any) -> list[Generated]:
        return [Generated((), "only synonyms came")]

    monkeypatch.setattr(discriminator_rounds, "generate", generate)
    found, _ = discriminate(sure_of(*TRUE, "a kitten"), tmp_path)
    assert [v.decision for v in found.verdicts if v.kind == "object"] == ["regenerate"]
    assert "only synonyms came" in found.graph.dropped[1].reason


def test_votes_are_shares_of_the_samples(tmp_path: Path) -> None:
    found, backend = discriminate(sure_of(*TRUE), tmp_path, logprobs=False)
    assert {v.method for v in found.verdicts} == {"votes"}
    assert [max(v.probabilities) for v in found.verdicts] == [1.0, 1.0, 1.0]
    assert len(backend.requests) == 3 * 8
    assert {v.entropy for v in found.verdicts} == {0.0}


def test_an_element_without_a_readable_answer_is_dropped_alone(tmp_path: Path) -> None:
    model = Model(sure_of(*TRUE), tmp_path, logprobs=False)
    answer = model._answer

    def mumble(request: ModelRequest, output: object) -> Completion:
        kind = request.inputs.kind  # type: ignore[attr-defined]
        return Completion(text="hm", model="m") if kind == "object" else answer(request, output)

    model.backend._answer = mumble
    found = asyncio.run(Discriminator().run(sample_graph(), AgentContext(model)))
    assert {v.kind for v in found.verdicts} == {"attribute", "relation"}
    assert "none of 8 answers names a letter" in found.graph.dropped[1].reason
    assert found.graph.objects[0].negatives == ()
    assert found.graph.objects[0].attribute_negatives == (COLOURS,)


def test_refusals_fail_the_graph(tmp_path: Path) -> None:
    model = Model(sure_of(*TRUE), tmp_path)
    model.backend._answer = lambda *_: {"$fault": "refused"}
    with pytest.raises(ToolkitError) as raised:
        asyncio.run(Discriminator().run(sample_graph(), AgentContext(model)))
    assert raised.value.kind == "refused"


def test_shuffling_follows_seed_element_and_round(
    tmp_path: Path, regenerated: list[ElementQuestion]
) -> None:
    def orders(folder: str, seed: int) -> list[tuple[str, ...]]:
        found, _ = discriminate(lambda _: 1.0, tmp_path / folder, seed=seed)
        regenerated.clear()
        return [v.options for v in found.verdicts]

    assert orders("a", 1) == orders("b", 1) != orders("c", 2)
    firsts, changes = set(), 0
    for seed in range(30):
        found, _ = discriminate(sure_of("a kitten"), tmp_path / "d", seed=seed, max_rounds=2)
        first, second = (v.positive for v in found.verdicts if v.kind == "object")
        firsts.add(first)
        changes += first != second
    assert firsts == {0, 1, 2, 3, 4}
    assert 15 <= changes <= 29  # in four of five cases by chance


def test_text_only_shows_the_caption_and_says_so(tmp_path: Path) -> None:
    graph = sample_graph(image="nowhere.jpg")
    found, backend = discriminate(sure_of(*TRUE), tmp_path, text_only=True, graph=graph)
    assert found.graph.tested_against == "caption"
    assert {v.tested_against for v in found.verdicts} == {"caption"}
    assert {request.images for request in backend.requests} == {()}
    captions = {request.inputs.caption for request in backend.requests}  # type: ignore[attr-defined]
    assert captions == {GRAPH["caption"]}
    with pytest.raises(ToolkitError, match="caption") as raised:
        discriminate(sure_of(), tmp_path, text_only=True, graph=sample_graph(caption=None))
    assert raised.value.kind == "input"


def test_a_missing_image_is_a_failure_of_the_graph(tmp_path: Path) -> None:
    with pytest.raises(ToolkitError, match=r"nowhere\.jpg") as raised:
        discriminate(sure_of(*TRUE), tmp_path, graph=sample_graph(image="nowhere.jpg"))
    assert raised.value.kind == "image"


@given(
    st.lists(st.floats(0, 1), min_size=5, max_size=5).filter(lambda v: sum(v) > 0.01),
    st.integers(0, 4),
    st.floats(0, math.log(5)),
    st.floats(0, 1),
)
def test_suspects(raw: list[float], positive: int, limit: float, above: float) -> None:
    values = tuple(value / sum(raw) for value in raw)
    chosen = ChoiceProbabilities(values, "votes")
    assert -1e-9 <= chosen.entropy <= math.log(5) + 1e-9
    suspects = Thresholds(max_entropy=limit, regenerate_above=above).suspects(chosen, positive)
    others = [index for index in range(5) if index != positive]
    clear = all(values[positive] > values[index] for index in others) and chosen.entropy <= limit
    assert (suspects == ()) == clear
    assert positive not in suspects
    if suspects:
        over = [index for index in others if values[index] > above]
        assert list(suspects) == over or (not over and len(suspects) == 1)
        assert max(values[index] for index in others) in {values[index] for index in suspects}


def test_summary_counts() -> None:
    def verdict(number: int, decision: str, *probabilities: float) -> Mapping[str, Any]:
        return {
            "decision": decision,
            "round": number,
            "probabilities": probabilities,
            "positive": 0,
            "entropy": 0.4,
            "method": "votes",
        }

    verdicts = [
        verdict(1, "keep", 1, 0),
        verdict(1, "regenerate", 0.2, 0.8),
        verdict(2, "drop", 0.4, 0.6),
    ]
    text = "\n".join(summary(3, [dict(v) for v in verdicts]))
    assert "3 elements tested: 1 kept, 2 dropped, 1 rounds of regeneration" in text
    assert "on top in 50.0%, mean entropy 0.400 nats (0 by log-probabilities, 2 by votes)" in text


def test_a_backend_without_vision_is_told_both_cures(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "negatives.jsonl"
    source.write_text(json.dumps(GRAPH) + "\n")
    assert main([str(source), "--output", str(tmp_path / "out")]) == 3
    said = capsys.readouterr().err
    assert "discriminator needs vision" in said
    assert "vision model" in said and "--text-only" in said
    assert not (tmp_path / "out/negatives.jsonl").exists()


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--max-entropy", "1.7"], "from 0 to 1.609"),
        (["--max-entropy", "high"], "from 0 to 1.609"),
        (["--regenerate-above", "2"], "from 0 to 1"),
        (["--max-rounds", "0"], "above 0"),
        (["--votes", "0"], "above 0"),
        (["--regenerate-with", "nobody"], "nobody"),
    ],
)
def test_wrong_flags_exit_with_2(
    flags: list[str], said: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = tmp_path / "negatives.jsonl"
    source.write_text(json.dumps(GRAPH) + "\n")
    try:
        code = main([str(source), "--output", str(tmp_path / "out"), *flags])
    except SystemExit as end:  # argparse ends by itself
        code = int(str(end.code))
    assert code == 2 and said in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_text_only_needs_captions(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = tmp_path / "negatives.jsonl"
    rows = [GRAPH, {**GRAPH, "id": "h", "caption": None}]
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main([str(source), "--output", str(tmp_path / "out"), "--text-only"]) == 2
    said = capsys.readouterr().err
    assert "negatives.jsonl:2: caption" in said and "without --text-only" in said
    assert not (tmp_path / "out").exists()
