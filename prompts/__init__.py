"""Prompts: one Markdown file for each agent step, with an id and a version in its front matter."""

from prompts.loader import Prompt, load_prompt

__all__ = ["Prompt", "load_prompt"]
