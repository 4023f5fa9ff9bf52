"""The test server finds task and inputs wherever the drivers put them."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from backends.base import Capabilities
from backends.chat import chat_arguments
from backends.parse import correction_turn
from backends.structured import Mode
from runtime.errors import ToolkitError
from schemas.judgement import CategoryAnswer
from tests.backends.conftest import category_request
from tests.servers.answers import Answers, task_and_inputs


@pytest.mark.parametrize("mode", ["json_schema", "json", "prompt"])
@pytest.mark.parametrize("corrected", [False, True])
def test_task_and_inputs_in_every_mode(mode: Mode, corrected: bool) -> None:
    request = category_request()
    if corrected:
        request = correction_turn(request, "{]", ToolkitError("malformed", "not JSON"))
    body = chat_arguments(request, CategoryAnswer, mode, Capabilities())
    task, inputs = task_and_inputs(body["messages"])
    assert task == "category_judge"
    assert json.loads(inputs) == {"prediction": "couch", "target": "sofa"}


def test_rules_answer_the_toolkits_tasks() -> None:
    body: dict[str, Any] = chat_arguments(
        category_request(), CategoryAnswer, "json_schema", Capabilities()
    )
    answer = asyncio.run(Answers("rules").text(body))
    assert CategoryAnswer.model_validate_json(answer).decision == "is_a"
