"""A local model is loaded once, and nobody's patience ends that."""

from __future__ import annotations

import asyncio
import gc
import threading
import time
import weakref
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from backends import outlines_driver
from backends.base import Backend, Completion
from backends.cache import ResponseCache
from backends.client import ModelClient
from backends.llama_cpp_driver import LlamaCppBackend, _Running
from backends.loading import Loading
from backends.outlines_driver import OutlinesBackend
from backends.usage import UsageMeter
from runtime.errors import ToolkitError
from schemas.config import LlamaCppConfig, OutlinesConfig
from schemas.judgement import CategoryAnswer
from tests.backends.conftest import category_request

LOADING_S, TIMEOUT_S = 0.6, 0.2
ANSWER = Completion(text='{"decision": "is_a"}', model="m")


class Model:
    """A server, its endpoint and an engine in one. It can be held back while it loads."""

    def __init__(self, seconds: float = 0.0, failures: int = 0) -> None:
        self.loads, self.closed, self.seconds = 0, 0, seconds
        self.failures = failures
        self.begun, self.released = threading.Event(), threading.Event()
        self.made: weakref.ref[Any] | None = None

    def load(self) -> Any:
        self.loads += 1
        self.begun.set()
        self.released.wait(self.seconds)
        if self.loads <= self.failures:
            raise ToolkitError("prerequisite", "cannot fetch the model")
        loaded = Loaded(self)
        self.made = weakref.ref(loaded)
        return loaded

    def is_gone(self) -> bool:
        """What was loaded is no longer in memory, at the latest in a moment."""
        until = time.monotonic() + 5
        while self.made is None or self.made() is not None:
            if time.monotonic() > until:
                return False
            time.sleep(0.01)
        return True


class Loaded:
    def __init__(self, model: Model) -> None:
        self.model = model

    async def complete(self, *_: Any, **__: Any) -> Completion:
        return ANSWER

    async def close(self) -> None:
        self.model.closed += 1

    def generate(self, batch: Any) -> list[Completion]:
        return [ANSWER for _ in batch]

    def stop(self) -> None:
        self.model.closed += 1


def opened(
    driver: str, model: Model, monkeypatch: pytest.MonkeyPatch
) -> tuple[Backend, LlamaCppConfig | OutlinesConfig]:
    if driver == "llama_cpp":

        def start(self: LlamaCppBackend) -> _Running:
            loaded = model.load()
            return _Running(loaded, loaded)

        monkeypatch.setattr(LlamaCppBackend, "_start", start)
        llama = LlamaCppConfig(driver="llama_cpp", model="a/b", file="c", timeout_s=TIMEOUT_S)
        return LlamaCppBackend(llama), llama
    monkeypatch.setattr(outlines_driver, "load_engine", lambda config: model.load())
    outlines = OutlinesConfig(driver="outlines", model="a/b", timeout_s=TIMEOUT_S)
    return OutlinesBackend(outlines), outlines


DRIVERS = pytest.mark.parametrize("driver", ["llama_cpp", "outlines"])


@DRIVERS
def test_loading_is_shared_and_no_part_of_a_call(
    driver: str, cache: ResponseCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Model(LOADING_S)
    backend, config = opened(driver, model, monkeypatch)
    usage = UsageMeter()
    client = ModelClient(backend, config, cache, usage)

    async def ask() -> list[Any]:
        asked = (client.structured(category_request(name), CategoryAnswer) for name in "abcd")
        return await asyncio.gather(*asked)

    answers = asyncio.run(ask())
    assert model.loads == 1
    assert all(answer.completion.seconds < TIMEOUT_S for answer in answers)
    assert (usage.total.calls, usage.total.retries) == (4, 0)
    asyncio.run(backend.close())
    assert model.closed == 1


@DRIVERS
def test_an_interrupted_wait_goes_on_in_the_next_event_loop(
    driver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Model(60)
    backend, _ = opened(driver, model, monkeypatch)
    asking = (category_request(), CategoryAnswer)

    async def give_up() -> None:
        await asyncio.wait_for(backend.complete(*asking), TIMEOUT_S)

    with pytest.raises(TimeoutError):
        asyncio.run(give_up())

    async def ask() -> Completion:
        asked = asyncio.create_task(backend.complete(*asking))
        await asyncio.sleep(0.05)
        model.released.set()
        return await asked

    assert asyncio.run(ask()) == ANSWER and model.loads == 1
    asyncio.run(backend.close())


@DRIVERS
def test_closed_while_loading_leaves_nothing_behind(
    driver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Model(60)
    backend, _ = opened(driver, model, monkeypatch)

    async def interrupted() -> None:
        asked = asyncio.create_task(backend.complete(category_request(), CategoryAnswer))
        await asyncio.to_thread(model.begun.wait, 5)
        asked.cancel()
        await backend.close()

    asyncio.run(interrupted())
    model.released.set()
    assert model.is_gone()


@DRIVERS
def test_all_who_wait_learn_of_a_failure_and_the_next_call_tries_again(
    driver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Model(failures=1)
    backend, _ = opened(driver, model, monkeypatch)

    async def ask(names: str) -> list[Any]:
        asked = (backend.complete(category_request(name), CategoryAnswer) for name in names)
        return await asyncio.gather(*asked, return_exceptions=True)

    failed = asyncio.run(ask("abc"))
    assert [getattr(error, "kind", None) for error in failed] == ["prerequisite"] * 3
    assert model.loads == 1
    assert asyncio.run(ask("a")) == [ANSWER] and model.loads == 2
    asyncio.run(backend.close())


def test_what_is_dropped_can_be_loaded_anew() -> None:
    model = Model()
    loading = Loading(model.load, ThreadPoolExecutor(1))
    assert loading.drop() is None
    first = asyncio.run(loading.get())
    assert asyncio.run(loading.get()) is first and loading.drop() is first
    assert asyncio.run(loading.get()) is not first and model.loads == 2


def test_a_failure_after_the_last_wait_was_given_up_is_not_reported() -> None:
    model = Model(60, failures=1)
    thread = ThreadPoolExecutor(1)
    loading = Loading(model.load, thread)
    reported: list[Any] = []

    async def give_up() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, about: reported.append(about))
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(loading.get(), 0.05)
        model.released.set()
        await asyncio.to_thread(thread.shutdown)
        await asyncio.sleep(0.01)
        loading.drop()
        gc.collect()

    gc.collect()  # what other tests left has its own things to report
    asyncio.run(give_up())
    assert model.loads == 1 and reported == []
