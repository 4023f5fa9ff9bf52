"""Prompts: one Markdown file for each agent step, with an id and a version in its front matter."""

from prompts.loader import Prompt, has_prompt, load_prompt

__all__ = ["Prompt", "has_prompt", "load_prompt"]
