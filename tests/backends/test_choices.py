"""Reading a letter and its probabilities; a real model that is held to the letters."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Mapping
from typing import Any

import pytest

from agents.base import AgentContext
from agents.choice_probabilities import ask_choice, find_letter, from_logprobs, from_votes
from backends.base import Capabilities, Completion, Message, ModelRequest, PlainText, TokenLogprob
from backends.cache import ResponseCache
from backends.client import ModelClient
from backends.fake import FakeBackend
from backends.registry import Backends, open_backend
from backends.rules.discriminator import choose
from backends.usage import UsageMeter
from runtime.errors import ToolkitError
from schemas.config import Config, FakeConfig, LlamaCppConfig
from schemas.finer import ChoiceQuestion
from tests.backends.test_llama_cpp import smollm2

LETTERS = tuple("ABCDE")


def completion(*tokens: tuple[str, Mapping[str, float]]) -> Completion:
    """Tokens, each with the probabilities of its alternatives."""
    read = tuple(
        TokenLogprob(token=text, logprob=-0.1, top={k: math.log(v) for k, v in top.items()})
        for text, top in tokens
    )
    return Completion(text="".join(text for text, _ in tokens), model="fake", logprobs=read)


@pytest.mark.parametrize(
    ("text", "letter"),
    [
        ("B", "B"),
        (" (C) a puppy", "C"),
        ('"D"', "D"),
        ("\n\nE.", "E"),
        ("A", "A"),
        ("A\n\nThe puppy is there.", "A"),
        ("Answer: **B**", "B"),
        ("A puppy is there, so the answer is C", "C"),
        ("<think>B? No, C looks wrong too.</think>\nD", "D"),
        ("<think>It could be B or C, so let me", None),
        ("A is right", "A"),
        ("Because nothing else fits", None),
        ("A puppy", None),
        ("F", None),
        ("b", None),
        ("", None),
    ],
)
def test_letter_of_an_answer(text: str, letter: str | None) -> None:
    found = find_letter(text, LETTERS)
    assert (found.group() if found else None) == letter


def test_spellings_of_a_letter_count_together() -> None:
    top = {"A": 0.3, " A": 0.2, "(B": 0.1, "B)": 0.1, '"C': 0.1, "the": 0.15, "Cat": 0.05}
    values = from_logprobs(completion(("A", top)), LETTERS)
    assert values == pytest.approx((0.625, 0.25, 0.125, 0, 0))


@pytest.mark.parametrize("lead", ["(", " ", "\n", '"', "▁", "Ġ", "<think>B it is</think>"])
def test_the_token_of_the_letter_is_read_not_the_first(lead: str) -> None:
    first = (lead, {lead: 0.9, "E": 0.1})
    letter = ("C", {"C": 0.6, "D": 0.2, "x": 0.2})
    values = from_logprobs(completion(first, letter, (")", {")": 1.0, "A": 0.5})), LETTERS)
    assert values == pytest.approx((0, 0, 0.75, 0.25, 0))


@pytest.mark.parametrize(
    "answer",
    [
        Completion(text="A", model="fake"),
        completion(("A", {})),
        completion(("A", {"A": 1.0})),
        completion(("Cats", {"Cats": 0.9, "A": 0.1})),
    ],
)
def test_no_usable_logprobs(answer: Completion) -> None:
    assert from_logprobs(answer, LETTERS) is None


def test_votes_leave_the_unparsed_out() -> None:
    texts = ["A", "(B)", "A", "no idea", "A"]
    assert from_votes(texts, LETTERS) == (0.75, 0.25, 0, 0, 0)
    with pytest.raises(ToolkitError, match="none of 2 answers") as raised:
        from_votes(["no idea", "none"], LETTERS)
    assert raised.value.kind == "semantic"


class OneBackend(Backends):
    """Every step on one scripted backend."""

    def __init__(self, backend: FakeBackend, cache: ResponseCache) -> None:
        super().__init__(Config(), cache, UsageMeter())
        self._one = ModelClient(backend, FakeConfig(driver="fake"), cache, self.usage)

    def client(self, agent: str) -> ModelClient:
        return self._one


def ask(backend: FakeBackend, cache: ResponseCache, votes: int = 4) -> Any:
    context = AgentContext(OneBackend(backend, cache))
    inputs = ChoiceQuestion(kind="object", options=tuple("vwxyz"))
    request = ModelRequest(
        task="discriminator",
        prompt_version="1",
        inputs=inputs,
        messages=(Message(role="user", content="Which?"),),
        choices=LETTERS,
    )
    return asyncio.run(ask_choice("discriminator", request, context, votes))


def test_one_call_where_there_are_logprobs(cache: ResponseCache) -> None:
    answer = completion(("B", {"B": 0.5, "A": 0.5}))
    backend = FakeBackend([answer], capabilities=Capabilities(logprobs=True))
    chosen = ask(backend, cache)
    assert (chosen.values, chosen.method) == (pytest.approx((0.5, 0.5, 0, 0, 0)), "logprobs")
    assert chosen.entropy == pytest.approx(math.log(2))
    [request] = backend.requests
    assert (request.top_logprobs, request.sampling.temperature) == (20, 0.0)


def test_votes_are_samples_of_their_own(cache: ResponseCache) -> None:
    backend = FakeBackend(lambda request, _: "ABBB"[request.sample_index])
    chosen = ask(backend, cache)
    assert (chosen.values, chosen.method) == ((0.25, 0.75, 0, 0, 0), "votes")
    assert sorted(request.sample_index for request in backend.requests) == [0, 1, 2, 3]
    assert {request.sampling.temperature for request in backend.requests} == {1.0}
    assert {request.top_logprobs for request in backend.requests} == {0}


def test_promised_logprobs_that_do_not_come_are_voted_for(cache: ResponseCache) -> None:
    backend = FakeBackend(["D"], capabilities=Capabilities(logprobs=True))
    chosen = ask(backend, cache, votes=3)
    assert (chosen.values, chosen.method, chosen.entropy) == ((0, 0, 0, 1, 0), "votes", 0)
    assert len(backend.requests) == 1 + 3


CAPTION = (
    "A puppy with a red collar is sitting on a grey sofa beside a black cat. "
    "A bicycle leans against the wall."
)


def by_rules(kind: Any, *options: str) -> dict[str, float]:
    answer = choose(ChoiceQuestion(kind=kind, options=options, caption=CAPTION))
    assert answer.logprobs is not None and answer.text in LETTERS
    values = [math.exp(value) for value in answer.logprobs[0].top.values()]
    assert sum(values) == pytest.approx(1) and max(values) == values["ABCDE".index(answer.text)]
    return dict(zip(options, values, strict=True))


@pytest.mark.parametrize(
    ("kind", "positive", "others"),
    [
        ("object", "a puppy", ["a kitten", "a rabbit", "a lamb", "a hamster"]),
        (
            "attribute",
            "the puppy with a red collar",
            [f"the puppy with a {colour} collar" for colour in ("blue", "black", "grey", "pink")],
        ),
        (
            "relation",
            "the puppy is sitting on the sofa",
            [f"the puppy is sitting {word} the sofa" for word in ("under", "beside", "at", "by")],
        ),
    ],
)
def test_rules_find_what_the_caption_says(kind: str, positive: str, others: list[str]) -> None:
    for place in range(5):  # wherever it stands
        options = [*others[:place], positive, *others[place:]]
        assert by_rules(kind, *options)[positive] > 0.8


@pytest.mark.parametrize("ambiguous", ["a bike", "a cycle"])
def test_rules_doubt_synonyms_and_coarser_words(ambiguous: str) -> None:
    values = by_rules("object", "a bicycle", ambiguous, "a stool", "a ladder", "a lamp")
    assert values["a bicycle"] > values[ambiguous] > 0.2
    assert values["a lamp"] < 0.01


def test_rules_see_no_image() -> None:
    with pytest.raises(ToolkitError, match="no images") as raised:
        choose(ChoiceQuestion(kind="object", options=tuple("vwxyz")))
    assert raised.value.kind == "capability" and "--text-only" in raised.value.hint


@pytest.mark.slow
def test_a_real_model_is_held_to_the_letters() -> None:
    profile = LlamaCppConfig(
        driver="llama_cpp", gguf=str(smollm2()), context=2048, max_parallel=1, threads=1
    )
    asked = (
        "Reply with one letter. A cat sits on a red sofa.\n"
        "(A) a dog\n(B) a cat\n(C) a horse\n(D) a fox\n(E) a pig"
    )
    # It would begin with a word: the grammar makes it a letter all the same.
    unwilling = "Tell me a long story about a cat on a red sofa."

    async def answers() -> list[Completion]:
        backend = open_backend(profile)
        requests = [
            ModelRequest(
                task="discriminator",
                prompt_version="1",
                inputs=PlainText(text=text),
                messages=(Message(role="user", content=text),),
                choices=LETTERS,
                top_logprobs=20,
            )
            for text in (asked, unwilling)
        ]
        try:
            return [await backend.complete(request, PlainText) for request in requests]
        finally:
            await backend.close()

    for answer in asyncio.run(answers()):
        assert answer.text in LETTERS
        values = from_logprobs(answer, LETTERS)
        assert values is not None and all(value > 0 for value in values)
        assert sum(values) == pytest.approx(1)
