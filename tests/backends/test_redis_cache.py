"""The cache in a real Redis server: what it stores, what it refuses, how it fails."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path

import pytest

from backends import redis_cache
from backends.base import Completion
from backends.cache import ResponseCache, cache_folder, open_cache
from backends.redis_cache import PASSWORD_VARIABLE, RedisCache
from runtime.errors import ToolkitError
from tests.backends.test_cache import ANSWER
from tests.servers.redis_server import redis_server

redis = pytest.importorskip("redis")


@pytest.fixture(scope="module")
def url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with redis_server(tmp_path_factory.mktemp("redis")) as address:
        yield address


def test_round_trip_is_shared_and_stays_in_its_namespace(url: str) -> None:
    one, other = open_cache(f"{url}/1"), open_cache(f"{url}/1")
    large = ANSWER.model_copy(update={"text": "\U0001f6cb" * 300_000})
    one.put("a", ANSWER)
    one.put("b", large)
    assert (other.get("a"), other.get("b"), other.get("c")) == (ANSWER, large, None)
    keys = redis.Redis.from_url(f"{url}/1").keys()
    assert sorted(keys) == [b"grainwise:completion:a", b"grainwise:completion:b"]
    assert open_cache(f"{url}/2").get("a") is None
    one.close()
    other.close()


@pytest.mark.parametrize(
    "damage", [b"", b"{", b"[1]", b'{"text": 1}', b"\x00\xff", pickle.dumps(ANSWER.model_dump())]
)
def test_damaged_entry_is_a_miss_and_is_replaced(url: str, damage: bytes) -> None:
    cache = RedisCache(f"{url}/3")
    redis.Redis.from_url(f"{url}/3").set("grainwise:completion:key", damage)
    assert cache.get("key") is None
    cache.put("key", ANSWER)
    assert cache.get("key") == ANSWER


def test_value_of_another_type_is_a_miss_and_is_replaced(url: str) -> None:
    cache = RedisCache(f"{url}/4")
    redis.Redis.from_url(f"{url}/4").rpush("grainwise:completion:key", "x")
    assert cache.get("key") is None
    cache.put("key", ANSWER)
    assert cache.get("key") == ANSWER


def test_server_that_comes_back_is_waited_for_and_one_that_does_not_ends_the_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(redis_cache, "_TRIES", 2)
    with redis_server(tmp_path) as address:
        cache = RedisCache(address)
        cache.put("key", ANSWER)
    port = int(address.rpartition(":")[2])
    with redis_server(tmp_path, port=port):
        assert cache.get("key") is None  # that server kept nothing, and the connection is new
        cache.put("key", ANSWER)
        assert cache.get("key") == ANSWER
    for ask in (lambda: cache.get("key"), lambda: cache.put("key", ANSWER)):
        with pytest.raises(ToolkitError, match="run the same command again") as raised:
            ask()
        assert raised.value.kind == "prerequisite"
    with pytest.raises(ToolkitError, match=f"127.0.0.1:{port} cannot be used"):
        RedisCache(address)


def test_password_is_taken_from_url_or_environment_and_never_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with redis_server(tmp_path, "--requirepass", "s3cret@x") as address:
        place = address.removeprefix("redis://")
        RedisCache(f"redis://:s3cret%40x@{place}/0").put("a", ANSWER)
        for wrong in (address, f"redis://ada:s3cret@{place}/0"):
            with pytest.raises(ToolkitError) as raised:
                RedisCache(wrong)
            assert "s3" not in str(raised.value)
        monkeypatch.setenv(PASSWORD_VARIABLE, "s3cret@x")
        assert RedisCache(address).get("a") == ANSWER


@pytest.mark.parametrize(
    "url",
    [
        "http://host/1", "redis://host:port/1", "redis://host/1?password=s3cret",
        "redis://:s3/cret@host/1", "redis://:s3?cret@host/1", "redis://host/1?no_such_option=1", "redis://[host/1",
    ],
)  # fmt: skip
def test_url_that_is_none_is_a_config_error_without_secrets(url: str) -> None:
    with pytest.raises(ToolkitError) as raised:
        open_cache(url)
    assert raised.value.kind == "config"
    assert "s3" not in str(raised.value)


def test_a_path_is_a_directory_and_downloads_have_one_in_any_case(tmp_path: Path) -> None:
    cache = open_cache(str(tmp_path / "cache"))
    assert isinstance(cache, ResponseCache)
    assert cache_folder(str(tmp_path)) == tmp_path
    assert cache_folder("redis://host:6379/0") == Path(".cache/grainwise")
    cache.put("a", Completion(text="x", model="m"))
    cache.close()
