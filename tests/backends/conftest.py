from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from backends.base import Message, ModelRequest, Sampling
from backends.cache import ResponseCache
from schemas.judgement import CategoryQuestion


def category_request(prediction: str = "couch", **changes: object) -> ModelRequest:
    """What the category judge asks."""
    inputs = CategoryQuestion(prediction=prediction, target="sofa")
    messages = (
        Message(role="system", content="# Task: category_judge\nDecide."),
        Message(role="user", content=f"<input>\n{inputs.model_dump_json()}\n</input>"),
    )
    request = ModelRequest(
        task="category_judge",
        prompt_version="1",
        inputs=inputs,
        messages=messages,
        sampling=Sampling(max_tokens=64, seed=17),
    )
    return request.model_copy(update=changes)


@pytest.fixture
def cache(tmp_path: Path) -> Iterator[ResponseCache]:
    opened = ResponseCache(tmp_path / "cache")
    yield opened
    opened.close()
