"""The LLM path against a real server: directly and through LiteLLM."""

from __future__ import annotations

import asyncio
import json
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from backends.base import Capabilities, Completion, ImageInput
from backends.cache import ResponseCache
from backends.client import ModelClient, Parsed
from backends.litellm_driver import LiteLLMBackend, key_variables
from backends.prices import table_price
from backends.usage import UsageMeter
from runtime.errors import ToolkitError
from schemas.config import LiteLLMConfig
from schemas.judgement import CategoryAnswer
from tests.backends.conftest import category_request
from tests.servers.openai_server import OpenAIServer, Settings, running

# Directly, twice; and through LiteLLM.
PATHS = pytest.mark.parametrize("model", ["hosted_vllm/test", "openai/test", "custom_openai/test"])


def config(model: str, api_base: str | None, **options: Any) -> LiteLLMConfig:
    return LiteLLMConfig(driver="litellm", model=model, api_base=api_base, **options)


def complete(
    model: str, api_base: str, request: Any = None, **options: Any
) -> Completion | ToolkitError:
    async def once() -> Completion | ToolkitError:
        backend = LiteLLMBackend(config(model, api_base, **options))
        try:
            return await backend.complete(request or category_request(), CategoryAnswer)
        except ToolkitError as error:
            return error
        finally:
            await backend.close()

    return asyncio.run(once())


def answered(model: str, api_base: str, request: Any = None, **options: Any) -> Completion:
    completion = complete(model, api_base, request, **options)
    assert isinstance(completion, Completion), completion
    return completion


@PATHS
def test_enforced_schema_sampling_and_usage(model: str) -> None:
    with running() as (server, api_base):
        completion = answered(model, api_base)
        (body,) = server.bodies
    assert CategoryAnswer.model_validate_json(completion.text)
    assert completion.usage.prompt_tokens > 0 < completion.usage.completion_tokens
    assert (body["model"], body["temperature"], body["max_tokens"]) == ("test", 0.0, 64)
    assert body["seed"] == 17
    schema = body["response_format"]["json_schema"]
    assert schema["strict"] is True
    assert schema["schema"]["required"] == ["decision"]
    assert schema["schema"]["additionalProperties"] is False


def test_gemini_answers_in_the_schema_at_its_price(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "key")
    with running() as (server, api_base):
        completion = answered("gemini/gemini-2.5-flash", api_base.replace("/v1", "/v1beta"))
        (body,) = server.bodies
    assert CategoryAnswer.model_validate_json(completion.text)
    assert body["response_format"]["json_schema"]["schema"]["required"] == ["decision"]
    usage, price = completion.usage, table_price("gemini/gemini-2.5-flash")
    assert price is not None
    paid = usage.prompt_tokens * price.input + usage.completion_tokens * price.output
    assert usage.cost_usd == pytest.approx(paid / 1e6)


@PATHS
@pytest.mark.parametrize("structured", ["json", "prompt"])
def test_schema_goes_into_the_messages_where_it_cannot_be_enforced(
    model: str, structured: Any
) -> None:
    with running() as (server, api_base):
        completion = answered(model, api_base, structured=structured)
        (body,) = server.bodies
    assert CategoryAnswer.model_validate_json(completion.text)
    said = json.dumps(body["messages"])
    assert "cannot_refer_to" in said and "# Task: category_judge" in said
    json_mode = {"type": "json_object"} if structured == "json" else None
    assert body.get("response_format") == json_mode


@PATHS
def test_image_is_shown_as_data_uri_with_the_question(model: str, tmp_path: Path) -> None:
    path = tmp_path / "picture.jpg"
    Image.new("RGB", (8, 8), "red").save(path, "PNG")
    request = category_request(images=(ImageInput(digest="d", path=str(path)),))
    with running() as (server, api_base):
        answered(model, api_base, request)
        content = server.bodies[0]["messages"][-1]["content"]
    assert [part["type"] for part in content] == ["text", "image_url"]
    assert content[1]["image_url"]["url"].startswith("data:image/png;base64,")


@PATHS
def test_log_probabilities(model: str) -> None:
    with running() as (_, api_base):
        completion = answered(model, api_base, category_request(top_logprobs=3))
        assert answered(model, api_base).logprobs is None
    assert completion.logprobs is not None
    first = completion.logprobs[0]
    assert (first.token, first.logprob) == ("{", -0.1)
    assert first.top == {"{": -0.1, "<1>": -3.0, "<2>": -4.0}


@PATHS
@pytest.mark.parametrize(("fault", "kind"), [("rate_429", "rate_limited"), ("error_500", "server")])
def test_faults_become_typed_errors_after_one_request(model: str, fault: str, kind: str) -> None:
    with running(Settings(faults={fault: 1.0}, retry_after_s=0.25)) as (server, api_base):
        error = complete(model, api_base)
    assert isinstance(error, ToolkitError)
    assert (error.kind, bool(error.hint)) == (kind, True)
    assert error.retry_after == (0.25 if fault == "rate_429" else None)
    assert server.stats["requests"] == 1


@PATHS
@pytest.mark.parametrize(("fault", "reason"), [("truncation", "length"), ("refusal", "refusal")])
def test_finish_reasons(model: str, fault: str, reason: str) -> None:
    with running(Settings(faults={fault: 1.0})) as (_, api_base):
        assert answered(model, api_base).finish_reason == reason


@PATHS
def test_key_is_sent_and_never_shown(model: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", "sk-secret-right")
    with running(Settings(api_key="sk-secret-right")) as (_, api_base):
        answered(model, api_base, api_key_env="TEST_KEY")
        monkeypatch.setenv("TEST_KEY", "sk-secret-wrong")
        error = complete(model, api_base, api_key_env="TEST_KEY")
    assert isinstance(error, ToolkitError)
    assert error.kind == "auth" and error.exit_code == 3
    assert "sk-secret" not in str(error)


def test_line_end_of_a_key_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEST_KEY", "sk-right\n")
    with running(Settings(api_key="sk-right")) as (_, api_base):
        assert answered("hosted_vllm/test", api_base, api_key_env="TEST_KEY").text


def test_password_of_the_url_is_never_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    api_base = f"http://ada:hunter2@127.0.0.1:{_free_port()}/v1"
    unreachable = check(config("hosted_vllm/test", api_base))
    assert unreachable is not None and "hunter2" not in str(unreachable)
    lost = complete("hosted_vllm/test", api_base)
    assert isinstance(lost, ToolkitError) and lost.kind == "connection"
    assert "hunter2" not in str(lost)
    monkeypatch.setenv("TEST_KEY", "sk-right")
    both = complete("hosted_vllm/test", api_base, api_key_env="TEST_KEY")
    assert isinstance(both, ToolkitError) and both.kind == "config"
    assert "hunter2" not in str(both)


@PATHS
def test_stated_quota_is_kept_to(model: str, cache: ResponseCache) -> None:
    headers = {
        "x-ratelimit-limit-requests": "1200",
        "x-ratelimit-remaining-requests": "1199",
        "x-ratelimit-reset-requests": "50ms",
    }

    async def burst(api_base: str, **options: Any) -> float:
        profile = config(model, api_base, **options)
        backend = LiteLLMBackend(profile)
        client = ModelClient(backend, profile, cache, UsageMeter())
        await client.structured(category_request(f"first {options}"), CategoryAnswer)
        started = time.monotonic()
        asked = (category_request(f"{number} {options}") for number in range(24))
        await asyncio.gather(*(client.structured(r, CategoryAnswer) for r in asked))
        await backend.close()
        return time.monotonic() - started

    with running(Settings(headers=headers)) as (_, api_base):
        # 20 a second, a second's worth at once: the other four wait 50 ms each.
        assert asyncio.run(burst(api_base)) > 0.19
        profile = config(model, api_base, rpm=60_000)
        backend = LiteLLMBackend(profile)
        limiter = ModelClient(backend, profile, cache, UsageMeter()).limiter
        quota = answered(model, api_base).limits
        assert quota is not None and quota.requests is not None
        assert quota.requests.per_minute == 1200
        limiter.adopt(quota)
        assert limiter.rates == (60_000, None), "the config wins"


@PATHS
def test_one_backend_closes_and_another_is_opened_in_the_same_loop(model: str) -> None:
    async def twice(api_base: str) -> None:
        for _ in range(2):
            backend = LiteLLMBackend(config(model, api_base))
            await backend.complete(category_request(), CategoryAnswer)
            await backend.close()

    with running() as (server, api_base):
        asyncio.run(twice(api_base))
    assert server.stats["answered"] == 2


@PATHS
def test_nobody_there(model: str) -> None:
    error = complete(model, f"http://127.0.0.1:{_free_port()}/v1")
    assert isinstance(error, ToolkitError)
    assert error.kind == "connection"


def _free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def ask_many(
    settings: Settings, model: str, cache: ResponseCache, questions: int
) -> tuple[list[Any], UsageMeter, OpenAIServer]:
    """Outcomes of `questions` different requests through the whole client."""
    usage = UsageMeter()

    async def run(api_base: str) -> list[Any]:
        profile = config(model, api_base, max_parallel=16, timeout_s=1)
        backend = LiteLLMBackend(profile)
        client = ModelClient(backend, profile, cache, usage, sleep=lambda _: asyncio.sleep(0.01))
        asked = (
            client.structured(category_request(f"couch {number}"), CategoryAnswer)
            for number in range(questions)
        )
        try:
            return await asyncio.gather(*asked, return_exceptions=True)
        finally:
            await backend.close()

    with running(settings) as (server, api_base):
        return asyncio.run(run(api_base)), usage, server


@PATHS
def test_every_call_ends_and_is_counted_under_faults(model: str, cache: ResponseCache) -> None:
    with running() as (_, api_base):
        answered(model, api_base)  # LiteLLM's import alone would outlast the short timeout below
    names = ("rate_429", "error_500", "hang", "truncation", "refusal", "broken_json")
    settings = Settings(faults=dict.fromkeys(names, 0.05), seed=3)
    outcomes, usage, server = ask_many(settings, model, cache, 120)
    kinds = {outcome.kind for outcome in outcomes if isinstance(outcome, ToolkitError)}
    values = [outcome for outcome in outcomes if isinstance(outcome, Parsed)]
    assert len(values) > 90
    assert {"truncated", "refused"} <= kinds
    assert len(values) + sum(isinstance(o, ToolkitError) for o in outcomes) == 120
    # Fewer only where a busy machine let the timeout pass before the request was sent.
    assert 120 <= server.stats["requests"] <= usage.total.calls
    assert max(server.attempts.values()) <= 6
    assert server.stats["rate_429"] == usage.total.rate_limited > 0
    assert server.stats["hang"] > 0 and usage.total.corrections > 0


def test_cached_run_asks_nothing(cache: ResponseCache) -> None:
    with running() as (server, api_base):
        for expected in (5, 5):
            outcomes = asyncio.run(_ask_five(api_base, cache))
            assert len({parsed.key for parsed in outcomes}) == 5
            assert server.stats["requests"] == expected


async def _ask_five(api_base: str, cache: ResponseCache) -> list[Parsed[CategoryAnswer]]:
    profile = config("hosted_vllm/test", api_base)
    backend = LiteLLMBackend(profile)
    client = ModelClient(backend, profile, cache, UsageMeter())
    asked = (client.structured(category_request(str(n)), CategoryAnswer) for n in range(5))
    try:
        return await asyncio.gather(*asked)
    finally:
        await backend.close()


def check(profile: LiteLLMConfig) -> ToolkitError | None:
    try:
        asyncio.run(LiteLLMBackend(profile).check())
    except ToolkitError as error:
        return error
    return None


@pytest.mark.parametrize(
    ("model", "options", "variable"),
    [
        ("gemini/gemini-2.5-flash", {"api_key_env": "GEMINI_API_KEY"}, "GEMINI_API_KEY"),
        ("gpt-4o", {}, "OPENAI_API_KEY"),
        ("claude-sonnet-4-5", {}, "ANTHROPIC_API_KEY"),
        ("hosted_vllm/qwen", {"api_key_env": "MY_KEY"}, "MY_KEY"),
    ],
)
def test_missing_key_is_named(
    model: str, options: dict[str, Any], variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (variable, "GOOGLE_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    error = check(config(model, None, **options))
    assert error is not None
    assert (error.kind, error.exit_code) == ("auth", 3)
    assert f"{variable} is not set" in error.message
    monkeypatch.setenv(variable, "x")
    assert check(config(model, None, **options)) is None


def test_openai_written_out_wants_its_usual_key_and_an_own_endpoint_none() -> None:
    written_out = config("openai/gpt-4o", "https://api.openai.com/v1")
    assert key_variables(written_out) == ("OPENAI_API_KEY",)
    assert key_variables(config("openai/gpt-4o", "http://127.0.0.1:8000/v1")) == ()


def test_unreachable_endpoint_is_named_with_its_cure() -> None:
    api_base = f"http://127.0.0.1:{_free_port()}/v1"
    error = check(config("hosted_vllm/qwen", api_base))
    assert error is not None
    assert (error.kind, error.exit_code) == ("prerequisite", 3)
    assert api_base in error.message and "vllm serve" in error.hint
    with running() as (_, reachable):
        assert check(config("hosted_vllm/qwen", reachable)) is None


def test_capabilities_come_from_the_config_or_the_table() -> None:
    def of(model: str, api_base: str | None = None, **options: Any) -> Capabilities:
        return LiteLLMBackend(config(model, api_base, **options)).capabilities

    own = of("hosted_vllm/qwen", "http://127.0.0.1:1/v1")
    assert own == Capabilities(json_schema=True, logprobs=True, seed=True, vision=False)
    assert of("hosted_vllm/qwen", "http://127.0.0.1:1/v1", vision=True).vision
    gemini = of("gemini/gemini-2.5-flash")
    assert gemini.vision and gemini.json_schema
    assert not of("gemini/gemini-2.5-flash", vision=False).vision
    assert not of("ollama_chat/phi4", "http://127.0.0.1:1").logprobs


def test_identity_tells_models_and_modes_apart_but_not_where_they_are_served() -> None:
    profiles = [
        config("hosted_vllm/a", "http://x/v1"),
        config("hosted_vllm/b", "http://x/v1"),
        config("hosted_vllm/a", "http://x/v1", structured="prompt"),
    ]
    same = config("hosted_vllm/a", "http://y/v1", max_parallel=3, timeout_s=5, rpm=7)
    assert len({LiteLLMBackend(profile).identity for profile in profiles}) == 3
    assert LiteLLMBackend(same).identity == LiteLLMBackend(profiles[0]).identity
