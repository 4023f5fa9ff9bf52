"""A request as the tokens of a model in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from backends.base import ModelRequest
from runtime.errors import ToolkitError
from schemas.config import OutlinesConfig


def shown_name(config: OutlinesConfig) -> str:
    """The model as manifests call it: no local folders."""
    folder = Path(config.model)
    return folder.name if folder.is_dir() else config.model


def check_template(tokenizer: Any, model: str) -> None:
    """Raises ToolkitError (prerequisite) for a model that was not made to be asked."""
    if not getattr(tokenizer, "chat_template", None):
        hint = "choose the instruct or chat version of the model"
        raise ToolkitError("prerequisite", f"{model} has no chat template", hint)


def prompt_tokens(tokenizer: Any, request: ModelRequest) -> list[int]:
    """The messages under the model's own chat template, ready to be answered."""
    messages = [message.model_dump() for message in request.messages]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    tokens: list[int] = tokenizer(text, add_special_tokens=False)["input_ids"]
    return tokens


def too_long(tokens: int, context: int) -> ToolkitError | None:
    """Why a prompt leaves no room for an answer."""
    if tokens < context:
        return None
    message = f"the prompt has {tokens} tokens, the context {context}"
    return ToolkitError("context_too_long", message, "raise `context`, or use another model")
