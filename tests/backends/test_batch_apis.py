"""The calls of the three batch APIs when connections are lost and providers fail."""

from __future__ import annotations

import asyncio

import pytest

from backends.batch_apis import OpenAIBatches
from backends.translation import ProviderRequest
from runtime.errors import ToolkitError
from tests.servers.batches import LOST
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
