"""What makes outcomes here or on a node: shares of limits, paths that hold anywhere, pickling."""

from __future__ import annotations

import asyncio
import pickle
from pathlib import Path

import pytest

from agents.response_parser import ResponseParser
from agents.worker import Worker
from backends.usage import UsageMeter
from runtime.errors import ToolkitError
from schemas.config import Config
from schemas.record import ResponseRecord


def worker(**backend: object) -> Worker[ResponseRecord, object]:
    profile = {"driver": "litellm", "model": "m", "max_parallel": 50} | backend
    config = Config.model_validate({"backends": {"it": profile}, "agents": {"default": "it"}})
    return Worker(ResponseParser(), config, UsageMeter(2.0, 0.5), Path("out"))


def test_shares_never_add_up_to_more_than_the_limits() -> None:
    whole = worker(rpm=100, tpm=90_000)
    part = whole.share(7).config.backends["it"]
    assert (part.max_parallel, part.rpm, part.tpm) == (7, 14, 12857)
    assert whole.config.backends["it"].max_parallel == 50
    assert whole.divisible == 50
    assert worker(rpm=9).divisible == 9
    for parts in range(1, 51):
        assert whole.share(parts).config.backends["it"].max_parallel * parts <= 50


def test_rules_without_a_profile_have_no_limit_to_divide() -> None:
    plain = Worker(ResponseParser(), Config(), UsageMeter(), Path("out"))
    assert plain.divisible is None
    assert plain.share(3).config.backends == {}


def test_a_share_finds_its_files_from_anywhere_and_can_be_pickled() -> None:
    part = worker().share(2)
    assert part.folder == Path("out").absolute()
    assert part.config.run.cache == str(Path(".cache/grainwise").absolute())
    again = pickle.loads(pickle.dumps(part))
    assert again.config == part.config
    assert again.meter == part.meter
    url = "redis://host:6379/0"
    config = Config.model_validate({"run": {"cache": url}})
    remote = Worker(ResponseParser(), config, UsageMeter(), Path("out")).share(2)
    assert remote.config.run.cache == url


def test_paths_of_the_config_become_absolute() -> None:
    backends = {"l": {"driver": "llama_cpp", "gguf": "a.gguf"}}
    config = Config.model_validate({"backends": backends, "prompts": "mine"})
    part = Worker(ResponseParser(), config, UsageMeter(), Path("out")).share(1)
    assert getattr(part.config.backends["l"], "gguf") == str(Path("a.gguf").absolute())  # noqa: B009
    assert part.config.prompts == str(Path("mine").absolute())


def test_a_check_that_fails_names_the_machine(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("platform.node", lambda: "node-7")
    missing = worker(api_key_env="NO_SUCH_KEY")

    async def check() -> None:
        async with missing:
            await missing.check()

    with pytest.raises(ToolkitError, match=r"on node-7: .*NO_SUCH_KEY") as raised:
        asyncio.run(check())
    assert raised.value.kind == "auth"
