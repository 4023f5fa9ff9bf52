"""A scripted backend for tests: ours, and those of anyone who builds on the agents."""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import defaultdict, deque
from collections.abc import Callable, Iterator, Mapping, MutableSequence, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

from pydantic import BaseModel

from backends.base import Capabilities, Completion, ModelRequest
from runtime.errors import ToolkitError
from schemas.config import FakeConfig

Step = str | Completion | ToolkitError | Mapping[str, Any]
Answer = Callable[[ModelRequest, type[BaseModel]], Step]
Script = Mapping[str, Sequence[Step]] | Sequence[Step] | Answer


class FakeBackend:
    """Answers by script and keeps what it was asked in `requests`.

    A script is a list of steps for all calls, a dict of such lists by task, or a function of
    `(request, output)`. A list starts again when it is used up. A step is

    - text, or a dict that becomes JSON text: `{"decision": "is_a"}`;
    - a `Completion`, to set finish reason, tokens or log-probabilities;
    - a `ToolkitError`, which is raised;
    - a dict with the one key `$fault`, a kind of error, and perhaps `retry_after`:
      `{"$fault": "rate_limited", "retry_after": 1.5}`; `truncated` and `refused` become
      completions with that finish reason.

    `delay_s` passes before each answer. `max_in_flight` is the most calls seen at once.

    >>> backend = FakeBackend({"category_judge": [{"decision": "is_a"}]})
    """

    def __init__(
        self,
        script: Script,
        *,
        delay_s: float = 0.0,
        capabilities: Capabilities | None = None,
        identity: str = "fake",
    ) -> None:
        self.identity = identity
        self.capabilities = capabilities or Capabilities(json_schema=True)
        self.requests: MutableSequence[ModelRequest] = []
        self.max_in_flight = 0
        self._in_flight = 0
        self._answer: Answer = script if callable(script) else _Lists(script)
        self._delay_s = delay_s

    @classmethod
    def from_config(cls, config: FakeConfig) -> FakeBackend:
        """Read the script, a JSON object of lists of steps by task.

        Raises ToolkitError (config) when the file cannot be read as such.
        """
        capabilities = Capabilities(json_schema=True, vision=config.vision)
        if config.script is None:
            return cls({}, capabilities=capabilities)
        try:
            text = Path(config.script).read_text(encoding="utf-8")
            script = json.loads(text)
        except (OSError, ValueError) as error:
            raise ToolkitError("config", f"fake script {config.script}: {error}") from error
        if not isinstance(script, dict) or not all(isinstance(v, list) for v in script.values()):
            raise ToolkitError(
                "config",
                f"fake script {config.script} is not an object of lists",
                'write {"category_judge": [{"decision": "is_a"}]}',
            )
        digest = hashlib.sha256(text.encode()).hexdigest()[:16]
        backend = cls(script, capabilities=capabilities, identity=f"fake:{digest}")
        # Nobody looks at what a command asked, and a million requests fill the memory.
        backend.requests = deque(maxlen=0)
        return backend

    async def complete(self, request: ModelRequest, output: type[BaseModel]) -> Completion:
        """The next step of the script. Raises ToolkitError."""
        self.requests.append(request)
        self._in_flight += 1
        self.max_in_flight = max(self.max_in_flight, self._in_flight)
        try:
            await asyncio.sleep(self._delay_s)
            return _as_completion(self._answer(request, output), self.identity)
        finally:
            self._in_flight -= 1

    async def check(self) -> None:
        """Always ready."""

    async def close(self) -> None:
        """Nothing to release."""


class _Lists:
    """Goes through the lists of a script, over and over."""

    def __init__(self, script: Mapping[str, Sequence[Step]] | Sequence[Step]) -> None:
        self._steps: Mapping[str, Iterator[Step]]
        if isinstance(script, Mapping):
            self._steps = {task: cycle(steps) for task, steps in script.items()}
        else:
            shared = cycle(script)
            self._steps = defaultdict(lambda: shared)

    def __call__(self, request: ModelRequest, output: type[BaseModel]) -> Step:
        try:
            return next(self._steps[request.task])
        except (KeyError, StopIteration):
            raise ToolkitError(
                "config", f"the fake backend has no answer for {request.task}", "add it to `script`"
            ) from None


def _as_completion(step: Step, model: str) -> Completion:
    if isinstance(step, ToolkitError):
        raise step
    if isinstance(step, Completion):
        return step
    if isinstance(step, str):
        return Completion(text=step, model=model)
    match step.get("$fault"):
        case None:
            return Completion(text=json.dumps(step), model=model)
        case "truncated":
            return Completion(text="{", finish_reason="length", model=model)
        case "refused":
            return Completion(text="I can't help.", finish_reason="refusal", model=model)
        case kind:
            raise ToolkitError(kind, f"scripted fault: {kind}", "", step.get("retry_after"))
