"""Loads a prompt. A prompt is plain text: user data goes beside it, never into it."""

from __future__ import annotations

import difflib
import hashlib
from functools import cache
from pathlib import Path
from typing import Annotated

import yaml
from pydantic import Field

from schemas.base import ShortText, StrictModel

FOLDER = Path(__file__).parent


class Prompt(StrictModel):
    """The system message of one agent step."""

    id: ShortText
    version: ShortText
    text: Annotated[str, Field(min_length=1)]

    @property
    def digest(self) -> str:
        """Hex sha256 of the text: two runs with the same digest asked the same way."""
        return hashlib.sha256(self.text.encode()).hexdigest()


def has_prompt(name: str) -> bool:
    """Whether a step has a prompt of its own; the others send a published one as it is."""
    return (FOLDER / f"{name}.md").exists()


@cache
def load_prompt(name: str, folder: str | None = None) -> Prompt:
    """`NAME.md` of `folder` where it has one, else the built-in prompt.

    Raises ValueError when its front matter lacks `id` or `version`, or names another id.
    """
    path = FOLDER / f"{name}.md"
    if folder and (Path(folder) / path.name).exists():
        path = Path(folder) / path.name
    try:
        _, front_matter, text = path.read_text(encoding="utf-8").split("---\n", 2)
        prompt = Prompt.model_validate({**yaml.safe_load(front_matter), "text": text.strip()})
    except (TypeError, ValueError, yaml.YAMLError):
        raise ValueError(
            f"{path}: expected `id` and `version` between lines of ---, then a text"
        ) from None
    if prompt.id != name:
        raise ValueError(f"{path}: front matter says id {prompt.id!r}, the name says {name!r}")
    return prompt


def check_folder(folder: str) -> None:
    """Read every prompt of a folder that replaces built-in ones, anew if they were read before.

    Raises OSError when it cannot be read, ValueError for a file that is no prompt or replaces none.
    """
    load_prompt.cache_clear()  # in a notebook a prompt is changed between two runs
    names = [path.stem for path in FOLDER.glob("*.md")]
    for path in sorted(Path(folder).iterdir()):
        if path.suffix == ".md" and path.stem not in names:
            near = difflib.get_close_matches(path.stem, names, n=1)
            meant = f", did you mean {near[0]}.md?" if near else ""
            raise ValueError(f"{path}: there is no prompt of this name to replace{meant}")
        if path.suffix == ".md":
            load_prompt(path.stem, folder)
