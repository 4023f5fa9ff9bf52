"""The calls of the three batch APIs when connections are lost and providers fail."""

from __future__ import annotations

import asyncio

import aiohttp
import aiohttp.client
import pytest

from backends import batch_apis
from backends.batch_apis import AnthropicBatches, GeminiBatches, OpenAIBatches
from backends.translation import ProviderRequest
from runtime.errors import ToolkitError
from tests.servers.batches import LOST, SLOW, SLOW_S
from tests.servers.openai_server import Settings, running

MESSAGES = [{"role": "user", "content": "hello"}]
LINES = [("k", ProviderRequest({"model": "test", "messages": MESSAGES}, {}))]


@pytest.mark.parametrize(
    ("fault", "kind", "created"),
    [(LOST, "connection", 1), (504, "server", 0), (429, "rate_limited", 0)],
)
def test_batch_is_handed_in_once_whatever_comes_back(
    fault: int | str, kind: str, created: int
) -> None:
    async def main(api_base: str) -> None:
        api = OpenAIBatches("openai/test", api_base, "key")
        with pytest.raises(ToolkitError) as raised:
            await api.submit("token", LINES)
        assert raised.value.kind == kind
        found = await api.find("token")
        assert (found is not None) == bool(created), "it is found where the provider has it"

    settings = Settings(batch_faults={"POST /v1/batches": [fault]})
    with running(settings) as (served, api_base):
        asyncio.run(main(api_base))
        assert served.stats["POST /v1/files"] == served.stats["POST /v1/batches"] == 1
        assert served.stats["batches"] == created


def hand_in_slowly() -> str:
    """To Anthropic, which takes its time to answer."""
    settings = Settings(batch_faults={"POST /v1/messages/batches": [SLOW]})
    with running(settings) as (_, api_base):
        api = AnthropicBatches("anthropic/test", api_base.removesuffix("/v1"), "key")
        return asyncio.run(api.submit("token", LINES))


def test_large_batch_may_take_longer_than_a_usual_call(monkeypatch: pytest.MonkeyPatch) -> None:
    usual = aiohttp.ClientTimeout(total=SLOW_S / 5)
    monkeypatch.setattr(aiohttp.client, "DEFAULT_TIMEOUT", usual)
    assert hand_in_slowly() == "batch_0"


@pytest.mark.parametrize("limit", ["sock_read", "total"])
def test_silence_is_a_lost_connection(limit: str, monkeypatch: pytest.MonkeyPatch) -> None:
    timeout = aiohttp.ClientTimeout(**{"total": None, limit: SLOW_S / 5})
    monkeypatch.setattr(batch_apis, "_TIMEOUT", timeout)
    with pytest.raises(ToolkitError, match=r"/v1/messages/batches: \w+") as raised:
        hand_in_slowly()
    assert raised.value.kind == "connection"


@pytest.mark.parametrize("text", ["<html>Sign in</html>", "", "[1]"])
@pytest.mark.parametrize("api", [AnthropicBatches, GeminiBatches])
def test_page_of_a_gateway_is_a_failure_of_the_server(
    api: type[AnthropicBatches | GeminiBatches], text: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def page(*_: object) -> str:
        return text

    monkeypatch.setattr(batch_apis._Http, "ask", page)
    with pytest.raises(ToolkitError, match="something else than a JSON object") as raised:
        asyncio.run(api("provider/test", None, "key").fetch("batches/1"))
    assert raised.value.kind == "server"
