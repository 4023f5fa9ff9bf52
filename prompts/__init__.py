"""Prompts: one Markdown file for each agent step, with an id and a version in its front matter."""

from prompts.loader import Prompt, check_folder, has_prompt, load_prompt

__all__ = ["Prompt", "check_folder", "has_prompt", "load_prompt"]
