"""Batches across kills: which of them the provider has, and what becomes of their requests."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from backends.batch import Batches
from backends.batch_apis import Ended, Lines
from backends.batch_store import Answered, BatchStore
from backends.litellm_driver import LiteLLMBackend
from backends.translation import stated_tokens
from backends.usage import UsageMeter
from runtime.errors import PendingError, ToolkitError
from schemas.config import LiteLLMConfig, Price
from schemas.judgement import CategoryAnswer
from tests.backends.conftest import category_request

CONFIG = LiteLLMConfig(
    driver="litellm",
    model="openai/test",
    api_base="http://127.0.0.1:9/v1",
    price=Price(input=1.0, output=0.0),
)


class Provider:
    """A batch API in memory that can lose connections."""

    most_requests, most_bytes = 3, 10**9

    def __init__(self) -> None:
        self.batches: dict[str, Lines] = {}
        self.lost: ToolkitError | None = None
        self.takes_it = self.finds = True

    async def submit(self, token: str, lines: Lines) -> str:
        if self.takes_it:
            self.batches[token] = lines
        if self.lost:
            raise self.lost
        return token

    async def find(self, token: str) -> str | None:
        return token if token in self.batches else None

    async def fetch(self, batch_id: str) -> Ended | None:
        return Ended([Answered(key, 200, CHAT) for key, _ in self.batches[batch_id]], "")


CHAT: dict[str, Any] = {
    "id": "c",
    "object": "chat.completion",
    "created": 0,
    "model": "test",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": '{"decision": "is_a"}'},
            "finish_reason": "stop",
        }
    ],
    "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10},
}


@pytest.fixture
def batches(tmp_path: Path) -> Iterator[Batches]:
    yield opened(tmp_path)


def opened(folder: Path, usage: UsageMeter | None = None) -> Batches:
    batches = Batches(folder, usage or UsageMeter())
    queue = batches.queue("q", LiteLLMBackend(CONFIG))
    assert queue is not None
    queue.api = Provider()
    return batches


def provider(batches: Batches) -> Provider:
    api = batches._queues["q"].api
    assert isinstance(api, Provider)
    return api


async def take(batches: Batches, prediction: str = "couch") -> Any:
    return await batches._queues["q"].take(category_request(prediction), CategoryAnswer, 0.1)


async def queue(batches: Batches, *predictions: str) -> None:
    for prediction in predictions:
        with pytest.raises(PendingError):
            await take(batches, prediction)


def test_each_answer_is_paid_for_once_also_where_nobody_takes_it(tmp_path: Path) -> None:
    usage = UsageMeter()
    batches = opened(tmp_path, usage)

    async def main() -> None:
        await queue(batches, "couch", "couch", "settee")
        await batches.submit()
        assert await batches.collect()
        completion = await take(batches)
        assert completion.text == '{"decision": "is_a"}'
        assert completion.usage.prompt_tokens == 7
        assert await batches.collect() is False
        assert (usage.total.calls, usage.total.prompt_tokens) == (2, 14)

    asyncio.run(main())


@pytest.mark.parametrize(
    ("answer", "kind", "tokens"),
    [
        (CHAT | {"choices": []}, "server", 7),
        ({"error": {"message": "upstream"}}, "bad_request", 0),
        ({"error": {"message": "upstream", "code": 401}}, "server", 0),
        ({"usage": {"prompt_tokens": "many"}}, "server", 0),
        (None, "server", 0),
    ],
)
def test_answer_that_cannot_be_read_is_paid_for_and_rejects_its_record_alone(
    tmp_path: Path, answer: Any, kind: str, tokens: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fetch(self: Provider, batch_id: str) -> Ended:
        (first, _), (second, _) = self.batches[batch_id]
        return Ended([Answered(first, 200, answer), Answered(second, 200, CHAT)], "")

    monkeypatch.setattr(Provider, "fetch", fetch)
    usage = UsageMeter()
    batches = opened(tmp_path, usage)

    async def main() -> None:
        await queue(batches, "couch", "settee")
        await batches.submit()
        assert await batches.collect()
        assert (usage.total.calls, usage.total.prompt_tokens) == (2, 7 + tokens)
        cost = (7 + tokens) * 1e-6 / 2
        assert usage.total.cost_usd == pytest.approx(cost), "at the price of a batch"
        assert await batches.collect() is False
        assert usage.total.calls == 2, "counted once"
        with pytest.raises(ToolkitError) as raised:
            await take(batches, "couch")
        assert raised.value.kind == kind
        assert (await take(batches, "settee")).text

    asyncio.run(main())


@pytest.mark.parametrize(
    ("answer", "tokens"),
    [
        ({"usage": {"prompt_tokens": 7, "completion_tokens": 3}}, (7, 3)),
        ({"usage": {"input_tokens": 5, "cache_read_input_tokens": 2, "output_tokens": 3}}, (7, 3)),
        ({"usageMetadata": {"promptTokenCount": 7, "thoughtsTokenCount": 3}}, (7, 3)),
        ({"usage": {"prompt_tokens": -1}}, (0, 0)),
        ({"usage": None}, (0, 0)),
        ([], (0, 0)),
    ],
)
def test_stated_tokens(answer: Any, tokens: tuple[int, int]) -> None:
    stated = stated_tokens(answer)
    assert (stated.prompt_tokens, stated.completion_tokens) == tokens


def test_batches_hold_what_the_provider_takes(batches: Batches) -> None:
    async def main() -> None:
        await queue(batches, *"abcdefg")
        await batches.submit()
        assert [len(lines) for lines in provider(batches).batches.values()] == [3, 3, 1]
        provider(batches).most_bytes = 1
        await queue(batches, "h", "i")
        await batches.submit()
        assert [len(lines) for lines in provider(batches).batches.values()][3:] == [1, 1]

    asyncio.run(main())


@pytest.mark.parametrize("takes_it", [True, False])
def test_batch_whose_acknowledgement_was_lost_is_looked_for(
    batches: Batches, takes_it: bool
) -> None:
    async def main() -> None:
        api = provider(batches)
        api.lost, api.takes_it = ToolkitError("connection", "lost"), takes_it
        await queue(batches, "couch")
        assert await batches.submit() is False
        assert batches.store.count_submitted() == 1
        api.lost, api.takes_it = None, True
        assert await batches.collect()
        if not takes_it:
            assert await batches.submit()
            assert await batches.collect()
        assert len(api.batches) == 1, "neither lost nor handed in twice"
        assert (await take(batches)).text

    asyncio.run(main())


def test_batch_that_may_be_paid_for_twice_is_left_to_a_person(batches: Batches) -> None:
    async def main() -> None:
        api = provider(batches)
        api.lost, api.finds = ToolkitError("connection", "lost"), False
        await queue(batches, "couch")
        with pytest.raises(ToolkitError, match="lost"):
            await batches.submit()

    asyncio.run(main())


def test_too_many_requests_wait_for_the_batches_that_are_open(
    batches: Batches, caplog: pytest.LogCaptureFixture
) -> None:
    async def main() -> None:
        api = provider(batches)
        api.finds = False
        await queue(batches, "couch")
        await batches.submit()
        api.lost, api.takes_it = ToolkitError("rate_limited", "100 batches are open"), False
        await queue(batches, "settee")
        assert await batches.submit() is False
        assert "could not be handed in: 100 batches are open" in caplog.text
        assert await batches.collect()
        with pytest.raises(ToolkitError, match="100 batches"):
            await batches.submit()
        assert (batches.store.count_queued(), batches.store.open_batches()) == (1, [])

    asyncio.run(main())


def test_refused_batch_leaves_its_requests_queued(batches: Batches) -> None:
    async def main() -> None:
        api = provider(batches)
        api.lost, api.takes_it = ToolkitError("auth", "no"), False
        await queue(batches, "couch")
        with pytest.raises(ToolkitError, match="no"):
            await batches.submit()
        assert (batches.store.count_queued(), batches.store.open_batches()) == (1, [])

    asyncio.run(main())


def test_open_batches_count_against_the_budget(tmp_path: Path) -> None:
    batches = opened(tmp_path, UsageMeter(budget_usd=0.125))

    async def main() -> None:
        await queue(batches, *"abc")
        await batches.submit()
        await batches.submit()
        assert batches.store.count_submitted() == 2
        assert batches.store.reserved_usd() == pytest.approx(0.1)
        assert batches.store.count_queued() == 1

    asyncio.run(main())


@pytest.mark.parametrize(
    ("status", "kind"), [(400, "bad_request"), (413, "context_too_long"), (401, "auth")]
)
def test_line_that_was_refused_is_not_sent_again(
    batches: Batches, status: int, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(self: Provider, batch_id: str) -> Ended:
        lines = self.batches[batch_id]
        return Ended([Answered(key, status, {"message": "why"}) for key, _ in lines], "")

    monkeypatch.setattr(Provider, "fetch", refuse)

    async def main() -> None:
        await queue(batches, "couch")
        await batches.submit()
        await batches.collect()
        with pytest.raises(ToolkitError) as raised:
            await take(batches)
        assert raised.value.kind == kind

    asyncio.run(main())


def test_requests_outlive_the_process(tmp_path: Path) -> None:
    store = BatchStore(tmp_path)
    store.queue("k", "q", {"messages": [{"content": "ä"}]}, 0.5)
    store.close()
    store = BatchStore(tmp_path)
    (queued,) = store.queued("q")
    assert queued == ("k", {"messages": [{"content": "ä"}]}, 0.5)
    store.begin("q", "t", ["k"])
    store.close()
    store = BatchStore(tmp_path)
    assert [batch[1:] for batch in store.open_batches()] == [("q", "t", None)]
    store.remove()
    assert list(tmp_path.iterdir()) == []
