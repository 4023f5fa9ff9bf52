"""Loads a prompt. A prompt is plain text: user data goes beside it, never into it."""

from __future__ import annotations

import hashlib
from functools import cache
from pathlib import Path

import yaml

from schemas.base import ShortText, StrictModel

FOLDER = Path(__file__).parent


class Prompt(StrictModel):
    """The system message of one agent step."""

    id: ShortText
    version: ShortText
    text: str

    @property
    def digest(self) -> str:
        """Hex sha256 of the text: two runs with the same digest asked the same way."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def has_prompt(name: str) -> bool:
    """Whether a step has a prompt of its own; the others send a published one as it is."""
    return (FOLDER / f"{name}.md").exists()


@cache
def load_prompt(name: str) -> Prompt:
    """Read `prompts/NAME.md`.

    Raises ValueError when its front matter lacks `id` or `version`, or names another id.
    """
    raw = (FOLDER / f"{name}.md").read_text(encoding="utf-8")
    _, front_matter, text = raw.split("---\n", 2)
    prompt = Prompt.model_validate({**yaml.safe_load(front_matter), "text": text.strip()})
    if prompt.id != name:
        raise ValueError(f"prompts/{name}.md: front matter says id {prompt.id!r}")
    return prompt
