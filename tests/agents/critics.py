"""A critic over HTTP: the local test server, whose scores are a plain function of the answer."""

from __future__ import annotations

import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from schemas.trajectory import CriticInput
from tests.servers.answers import task_and_inputs
from tests.servers.openai_server import OpenAIServer, running

DOLLAR = {"input": 0, "output": 1e6 / 16}
"""The price of a model that takes one dollar for an answer of the critic, which has 16 tokens."""

Score = Callable[[CriticInput], float]


def score(asked: CriticInput) -> float:
    """Different for nearly every answer, and always the same for the same one."""
    return zlib.crc32(f"{asked.question}|{asked.response}".encode()) % 101 / 100


class Critic:
    """What the server says, and what it was asked; a number outside 0 to 1 is no valid answer."""

    def __init__(self, score: Score) -> None:
        self.score = score
        self.asked: list[CriticInput] = []

    async def text(self, body: dict[str, Any]) -> str:
        _, inputs = task_and_inputs(body["messages"])
        item = CriticInput.model_validate_json(inputs)
        self.asked.append(item)
        return json.dumps({"issues": [], "needs_revision": False, "consistency": self.score(item)})


@contextmanager
def critic_server(folder: Path, score: Score = score, **config: Any) -> Iterator[tuple[Any, ...]]:
    """Serve; yields the critic, the server, and a grainwise config in `folder` that asks it.

    `config` changes the backend's profile, or with `run` how the run behaves.
    """
    with running() as (server, address):
        critic = Critic(score)
        server._answers = critic  # type: ignore[assignment]
        run = {"cache": str(folder / "cache"), **config.pop("run", {})}
        profile = {
            "driver": "litellm",
            "model": "hosted_vllm/critic",
            "api_base": address,
            "structured": "json_schema",
            "vision": True,
            "price": {"input": 0, "output": 0},
        }
        file = folder / "critic.yaml"
        file.write_text(
            json.dumps(
                {"backends": {"c": profile | config}, "agents": {"default": "c"}, "run": run}
            )
        )
        yield critic, server, file


def images_shown(server: OpenAIServer) -> set[int]:
    """How many images the requests had."""
    return {
        sum(part["type"] == "image_url" for message in body["messages"]
            if isinstance(message["content"], list) for part in message["content"])
        for body in server.bodies
    }  # fmt: skip
