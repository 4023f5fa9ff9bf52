"""Models in this process: a random one shows best whether the schema is enforced."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import shutil
import sys
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from pydantic import BaseModel

from backends import outlines_driver
from backends.base import Completion, ImageInput, Message, ModelRequest, PlainText, Sampling
from backends.cache import ResponseCache
from backends.client import ModelClient
from backends.outlines_driver import Asked, Engine, OutlinesBackend
from backends.parse import parse_answer
from backends.registry import Backends, open_backend
from backends.usage import UsageMeter
from runtime.errors import ToolkitError
from schemas.config import Config, OutlinesConfig
from schemas.entity import ParsedResponse
from schemas.finer import VerifierAnswer
from schemas.judgement import CategoryAnswer
from tests.backends.conftest import category_request

pytestmark = pytest.mark.filterwarnings("ignore:Error in LLMatcher")


def config(model: str | Path = "a/b", **options: Any) -> OutlinesConfig:
    return OutlinesConfig(driver="outlines", model=str(model), **options)


def save_random_model(folder: Path, context: int = 2048) -> Path:
    """A language model of 10,000 random weights."""
    import torch
    from transformers import LlamaConfig, LlamaForCausalLM

    from training.small_models import build_tokenizer

    tokenizer = build_tokenizer(['Decide whether a couch is a sofa. {"decision": "is_a"}'])
    torch.manual_seed(0)
    shape = LlamaConfig(
        vocab_size=len(tokenizer), hidden_size=16, intermediate_size=32, num_hidden_layers=1,
        num_attention_heads=2, max_position_embeddings=context,
        bos_token_id=None, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.pad_token_id,
    )  # fmt: skip
    LlamaForCausalLM(shape).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return save_random_model(tmp_path_factory.mktemp("random"))


@pytest.fixture(scope="module")
def backend(model: Path) -> Iterator[OutlinesBackend]:
    opened = OutlinesBackend(config(model, device="cpu", max_parallel=4))
    yield opened
    asyncio.run(opened.close())


def drawn(name: str = "couch", sample: int = 0, **sampling: Any) -> ModelRequest:
    how = {"temperature": 1.0, "max_tokens": 1500, "seed": 17} | sampling
    return category_request(name, sampling=Sampling(**how), sample_index=sample)


def ask(backend: OutlinesBackend, *asked: tuple[ModelRequest, type[BaseModel]]) -> list[Completion]:
    async def all_at_once() -> list[Completion]:
        return await asyncio.gather(*(backend.complete(*one) for one in asked))

    return asyncio.run(all_at_once())


@pytest.mark.parametrize("output", [CategoryAnswer, VerifierAnswer, ParsedResponse])
def test_a_random_model_answers_the_schema(backend: OutlinesBackend, output: Any) -> None:
    answers = ask(backend, *((drawn(sample=sample), output) for sample in range(4)))
    for answer in answers:
        assert answer.finish_reason == "stop"
        jsonschema.validate(json.loads(answer.text), output.model_json_schema())
        assert answer.model == "random0"
        assert answer.usage.completion_tokens > 0 and answer.usage.prompt_tokens > 50


def test_choices_are_the_only_answers(backend: OutlinesBackend) -> None:
    choices = ("A", "B (or C)")
    requests = [drawn(sample=n).model_copy(update={"choices": choices}) for n in range(8)]
    answers = {one.text for one in ask(backend, *((request, PlainText) for request in requests))}
    assert answers == set(choices)


def test_without_a_schema_the_length_ends_it(backend: OutlinesBackend) -> None:
    (answer,) = ask(backend, (drawn(max_tokens=5), PlainText))
    assert (answer.finish_reason, answer.usage.completion_tokens) == ("length", 5)


def test_an_answer_does_not_depend_on_its_batch(backend: OutlinesBackend) -> None:
    request, output = drawn("lamp"), VerifierAnswer
    (alone,) = ask(backend, (request, output))
    others = [(drawn("a much longer name of a couch", sample=n), output) for n in (1, 2, 3)]
    together = ask(backend, others[0], (request, output), *others[1:])
    assert together[1].text == alone.text
    assert len({one.text for one in together}) > 1


def test_a_long_prompt_leaves_the_others_their_room(backend: OutlinesBackend) -> None:
    context = 2048
    short = drawn("lamp", max_tokens=300)
    (alone,) = ask(backend, (short, PlainText))

    def padded(words: int) -> ModelRequest:
        message = Message(role="user", content="x " * words)
        return short.model_copy(update={"messages": (message,)})

    long = [padded(words) for words in (900, 950, 1000)]
    answers = ask(backend, *((request, PlainText) for request in (long[0], short, *long[1:])))
    assert answers[1] == alone and alone.usage.completion_tokens > 100
    for answer in (answers[0], *answers[2:]):
        used = answer.usage.prompt_tokens + answer.usage.completion_tokens
        assert answer.usage.prompt_tokens + 300 > context >= used


def test_what_waits_is_generated_together(
    backend: OutlinesBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []
    generate = OutlinesBackend._generate

    def spy(self: OutlinesBackend, engine: Engine, batch: list[Asked]) -> Any:
        sizes.append(len(batch))
        return generate(self, engine, batch)

    monkeypatch.setattr(OutlinesBackend, "_generate", spy)
    mixed = [(drawn(sample=n), CategoryAnswer if n % 2 else VerifierAnswer) for n in range(10)]
    for answer, (_, output) in zip(ask(backend, *mixed), mixed, strict=True):
        parse_answer(answer.text, output)
    assert sorted(sizes) == [1, 1, 4, 4]  # five of each schema, four at a time


def test_a_prompt_that_does_not_fit_fails_alone(backend: OutlinesBackend) -> None:
    long = drawn().model_copy(update={"messages": (Message(role="user", content="x " * 5000),)})

    async def both() -> list[Any]:
        asked = (backend.complete(one, CategoryAnswer) for one in (long, drawn()))
        return await asyncio.gather(*asked, return_exceptions=True)

    failed, answered = asyncio.run(both())
    assert isinstance(failed, ToolkitError) and failed.kind == "context_too_long"
    parse_answer(answered.text, CategoryAnswer)


def test_a_batch_that_fails_is_asked_one_by_one(
    model: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Picky:
        def generate(self, batch: list[Asked]) -> list[Completion]:
            if any("lamp" in one.request.messages[1].content for one in batch):
                raise MemoryError("no room")
            return [Completion(text="ok", model="m") for _ in batch]

        def stop(self) -> None: ...

    monkeypatch.setattr(outlines_driver, "load_engine", lambda config: Picky())
    backend = OutlinesBackend(config(model))

    async def all_three() -> list[Any]:
        asked = (backend.complete(drawn(name), PlainText) for name in ("a", "lamp", "b"))
        return await asyncio.gather(*asked, return_exceptions=True)

    first, failed, last = asyncio.run(all_three())
    assert first.text == last.text == "ok"
    assert failed.kind == "bad_request" and "no room" in failed.message


def test_through_the_client(model: Path, cache: ResponseCache) -> None:
    profile = {"driver": "outlines", "model": str(model), "device": "cpu", "temperature": 1.0}
    settings = {"backends": {"own": profile}, "agents": {"default": "own"}}
    usage = UsageMeter()

    async def run() -> list[Any]:
        async with Backends(Config.model_validate(settings), cache, usage) as backends:
            await backends.check(["category_judge"])
            client = backends.client("category_judge")
            asked = (client.structured(drawn(name), CategoryAnswer) for name in ("a", "b", "a"))
            return await asyncio.gather(*asked)

    first, _, again = asyncio.run(run())
    assert first.value == again.value and usage.total.coalesced == 1
    assert all(parsed.cached for parsed in asyncio.run(run()))


def test_identity_follows_the_weights(model: Path, tmp_path: Path) -> None:
    other = save_random_model(tmp_path, context=1024)
    identities = {OutlinesBackend(config(folder)).identity for folder in (model, other, "a/b")}
    assert len(identities) == 3 and str(model) not in " ".join(identities)
    assert OutlinesBackend(config("a/b")).identity == "outlines:transformers:auto:a/b@main"


def error_of(backend: OutlinesBackend, request: ModelRequest | None = None) -> ToolkitError:
    action = backend.check() if request is None else backend.complete(request, CategoryAnswer)

    async def run() -> None:
        await action

    with pytest.raises(ToolkitError) as raised:
        asyncio.run(run())
    return raised.value


@pytest.mark.parametrize(("engine", "extra"), [("transformers", "outlines"), ("vllm", "vllm")])
def test_a_missing_package_names_the_extra(
    monkeypatch: pytest.MonkeyPatch, engine: Any, extra: str
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    backend = open_backend(config(engine=engine))
    assert isinstance(backend, OutlinesBackend)
    error = error_of(backend)
    assert error.kind == "prerequisite" and error.hint == f'pip install "grainwise[{extra}]"'


def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    error = error_of(OutlinesBackend(config(tmp_path)), drawn())
    assert error.kind == "prerequisite" and str(tmp_path) in error.message


@pytest.mark.parametrize("name", ["model.safetensors", "tokenizer.json"])
def test_damaged_files_end_the_run_with_one_error(
    model: Path, cache: ResponseCache, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    folder = tmp_path / "damaged"
    shutil.copytree(model, folder)
    whole = (folder / name).read_bytes()
    (folder / name).write_bytes(whole[: len(whole) // 2])
    loads = []
    load = outlines_driver.load_engine

    def counted(config: OutlinesConfig) -> Engine:
        loads.append(config)
        return load(config)

    monkeypatch.setattr(outlines_driver, "load_engine", counted)
    profile = config(folder, device="cpu")
    client = ModelClient(OutlinesBackend(profile), profile, cache, UsageMeter())

    async def ask() -> list[Any]:
        asked = (client.structured(drawn(name), CategoryAnswer) for name in "abc")
        return await asyncio.gather(*asked, return_exceptions=True)

    errors = asyncio.run(ask())
    assert len(loads) == 1
    for error in errors:
        assert error.kind == "prerequisite" and str(folder) in error.message
        assert "damaged: download them again" in error.hint


def test_damaged_files_of_the_hub_are_fetched_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    from safetensors import SafetensorError

    def broken(*_: Any, **__: Any) -> None:
        raise SafetensorError("header too small")

    monkeypatch.setattr("backends.transformers_engine.TransformersEngine.__init__", broken)
    error = error_of(OutlinesBackend(config("a/b", revision="v2")), drawn())
    assert error.kind == "prerequisite" and "header too small" in error.message
    assert "hf download a/b --revision v2 --force-download" in error.hint


def test_images_are_refused(backend: OutlinesBackend) -> None:
    shown = drawn().model_copy(update={"images": (ImageInput(digest="d", path="p"),)})
    assert not backend.capabilities.vision
    assert error_of(backend, shown).kind == "capability"


def test_device_is_not_for_vllm() -> None:
    with pytest.raises(ValueError, match="vllm chooses its own"):
        config(engine="vllm", device="cpu")


def test_what_is_asked_of_vllm(model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a stand-in for vLLM: which of its arguments carry schema, choices, seed and length."""
    asked: list[Any] = []

    class LLM:
        def __init__(self, **options: Any) -> None:
            self.options = options

        def get_tokenizer(self) -> Any:
            from transformers import AutoTokenizer

            return AutoTokenizer.from_pretrained(model)

        def generate(self, prompts: Any, sampling: Any, use_tqdm: bool) -> list[Any]:
            asked.append((self.options, prompts, sampling))
            done = types.SimpleNamespace(text="A", finish_reason="length", token_ids=[1, 2])
            return (
                [types.SimpleNamespace(outputs=[done], **prompt) for prompt in prompts]
                if all("prompt_token_ids" in prompt for prompt in prompts)
                else []
            )

    package, parameters = types.ModuleType("vllm"), types.ModuleType("vllm.sampling_params")
    package.LLM = LLM  # type: ignore[attr-defined]
    package.SamplingParams = types.SimpleNamespace  # type: ignore[attr-defined]
    parameters.StructuredOutputsParams = types.SimpleNamespace  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "vllm", package)
    monkeypatch.setitem(sys.modules, "vllm.sampling_params", parameters)
    backend = OutlinesBackend(config("a/b", engine="vllm", context=4096, max_parallel=8))
    choice = drawn(sample=2).model_copy(update={"choices": ("A", "B")})
    answers = ask(backend, (drawn(), CategoryAnswer), (choice, PlainText), (drawn("z"), PlainText))
    ((options, prompts, sampling),) = asked  # one batch, though the schemas differ
    assert options["max_model_len"] == 4096 and options["max_num_seqs"] == 8
    assert sampling[0].structured_outputs.json == CategoryAnswer.model_json_schema()
    assert sampling[1].structured_outputs.choice == ["A", "B"]
    assert sampling[2].structured_outputs is None
    assert [one.seed for one in sampling] == [17, 19, 17]
    assert sampling[0].temperature == 1.0 and sampling[0].max_tokens == 1500
    assert answers[0].finish_reason == "length" and answers[0].usage.completion_tokens == 2
    assert answers[0].usage.prompt_tokens == len(prompts[0]["prompt_token_ids"])
