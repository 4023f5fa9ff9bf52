"""From a config to clients, and what is refused before the first call."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from backends.base import Completion
from backends.cache import ResponseCache
from backends.fake import FakeBackend
from backends.registry import Backends, open_backend
from backends.usage import UsageMeter
from runtime.errors import ToolkitError
from schemas.config import Config, FakeConfig
from schemas.judgement import CategoryAnswer
from tests.backends.conftest import category_request


def backends(cache: ResponseCache, agents: dict[str, str], **profiles: Any) -> Backends:
    config = Config.model_validate({"backends": profiles, "agents": agents})
    return Backends(config, cache, UsageMeter())


def test_agents_on_one_profile_share_a_client(cache: ResponseCache) -> None:
    fake = {"driver": "fake"}
    opened = backends(cache, {"default": "a", "rsr": "b", "judge": "a"}, a=fake, b=fake)
    assert opened.client("judge") is opened.client("parser")
    assert opened.client("rsr") is not opened.client("judge")
    assert opened.client("rsr").limiter is not opened.client("judge").limiter
    assert opened.profile("rsr") == FakeConfig(driver="fake")


def test_unknown_backend_is_answered_with_the_nearest_name(cache: ResponseCache) -> None:
    opened = backends(cache, {"default": "gemni"}, gemini={"driver": "fake"})
    with pytest.raises(ToolkitError, match="did you mean gemini") as raised:
        asyncio.run(opened.check(["rsr"]))
    assert raised.value.kind == "config"
    assert "rsr" in raised.value.message


def test_lacking_capability_names_agent_backend_and_cure(cache: ResponseCache) -> None:
    opened = backends(
        cache,
        {"default": "blind", "looker": "seeing"},
        blind={"driver": "fake"},
        seeing={"driver": "fake", "vision": True},
    )
    asyncio.run(opened.check(["looker", "rsr"], {"looker": {"vision"}}))
    with pytest.raises(ToolkitError, match=r"rsr needs vision.*blind") as raised:
        asyncio.run(opened.check(["looker", "rsr"], {"rsr": {"vision"}}))
    assert raised.value.kind == "capability" and "vision: true" in raised.value.hint


def test_unready_backend_is_found_before_any_call(cache: ResponseCache) -> None:
    away = {"driver": "litellm", "model": "hosted_vllm/x", "api_base": "http://127.0.0.1:9/v1"}
    with pytest.raises(ToolkitError, match=r"nothing answers at http://127\.0\.0\.1:9/v1"):
        asyncio.run(backends(cache, {"default": "away"}, away=away).check(["rsr"]))


def test_fake_backend_reads_answers_and_faults_from_a_file(tmp_path: Path) -> None:
    script = tmp_path / "script.json"
    steps = [{"decision": "is_a"}, {"$fault": "rate_limited", "retry_after": 2}, "text"]
    script.write_text(json.dumps({"category_judge": steps}))
    backend = open_backend(FakeConfig(driver="fake", script=str(script)))
    assert isinstance(backend, FakeBackend)

    async def ask() -> Completion:
        return await backend.complete(category_request(), CategoryAnswer)

    assert json.loads(asyncio.run(ask()).text) == {"decision": "is_a"}
    with pytest.raises(ToolkitError) as raised:
        asyncio.run(ask())
    assert (raised.value.kind, raised.value.retry_after) == ("rate_limited", 2)
    assert asyncio.run(ask()).text == "text"
    assert json.loads(asyncio.run(ask()).text) == {"decision": "is_a"}
    with pytest.raises(ToolkitError, match="no answer for rsr"):
        asyncio.run(backend.complete(category_request(task="rsr"), CategoryAnswer))


@pytest.mark.parametrize("content", [None, "{", "[]", '{"rsr": 1}'])
def test_bad_script_is_a_config_error(tmp_path: Path, content: str | None) -> None:
    script = tmp_path / "script.json"
    if content is not None:
        script.write_text(content)
    with pytest.raises(ToolkitError) as raised:
        open_backend(FakeConfig(driver="fake", script=str(script)))
    assert raised.value.kind == "config"


CACHED = """
import asyncio, sys
from backends.base import Completion
from backends.cache import ResponseCache
from backends.registry import Backends
from backends.usage import UsageMeter
from schemas.config import Config
from schemas.judgement import CategoryAnswer
from tests.backends.conftest import category_request

profile = {"driver": "litellm", "model": "hosted_vllm/x", "api_base": "http://127.0.0.1:9/v1"}
config = Config.model_validate({"backends": {"x": profile}, "agents": {"default": "x"}})
client = Backends(config, ResponseCache(sys.argv[1]), UsageMeter()).client("category_judge")
key = category_request().cache_key(client.backend.identity, CategoryAnswer)
client.cache.put(key, Completion(text='{"decision": "is_a"}', model="x"))
parsed = asyncio.run(client.structured(category_request(), CategoryAnswer))
heavy = {"litellm", "instructor", "openai", "aiohttp", "spacy", "PIL"} & set(sys.modules)
print(parsed.cached, sorted(heavy))
"""


def test_cached_run_loads_no_heavy_library(tmp_path: Path) -> None:
    command = [sys.executable, "-c", CACHED, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.split(maxsplit=1)[0] == "True"
    assert "litellm" not in done.stdout and "spacy" not in done.stdout, done.stdout
