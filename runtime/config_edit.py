"""Sets one value in a config file and leaves every other character of it as it was."""

from __future__ import annotations

import os
from pathlib import Path

import yaml
from pydantic import ValidationError
from yaml import MappingNode, Node, ScalarNode

from runtime.config import read_yaml
from runtime.errors import ToolkitError
from runtime.files import atomic_writer
from schemas.config import Config


def set_value(path: Path, section: str, key: str, value: float) -> None:
    """Set `SECTION: {KEY: VALUE}` in a config file, atomically; comments and order stay.

    The file is replaced only if it then says the same as before but for this value. Raises
    ToolkitError("config") for a file that is no config, or that says it in a way that cannot be
    edited, as with an alias; and ToolkitError("input") when it cannot be written.
    """
    before = read_yaml(path, Config)
    target = Path(os.path.realpath(path))  # a link stays one
    text = target.read_bytes().decode("utf-8")
    changed = _edited(text, section, key, f"{value:.6g}")
    plain = before.model_dump(exclude_unset=True)
    plain.setdefault(section, {})[key] = value
    try:
        after = Config.model_validate(yaml.safe_load(changed))
    except (yaml.YAMLError, ValidationError):
        after = None
    if after != Config.model_validate(plain):
        message = f"{path}: {section}.{key} cannot be set without changing more than that"
        raise ToolkitError(
            "config", message, f"write it by hand: {section}: {{{key}: {value:.6g}}}"
        )
    with atomic_writer(target) as file:
        os.fchmod(file.fileno(), target.stat().st_mode & 0o777)  # who may read it stays
        file.write(changed)


def _edited(text: str, section: str, key: str, value: str) -> str:
    newline = "\r\n" if "\r\n" in text else "\n"
    root = yaml.compose(text, yaml.SafeLoader)
    found = _child(root, section) if isinstance(root, MappingNode) else None
    if found is None:
        return _with_section(text, root, section, key, value, newline)
    if not isinstance(found, MappingNode):
        return _replaced(text, found, f" {{{key}: {value}}}")
    old = _child(found, key)
    if old is not None:
        return _replaced(text, old, value)
    entry = f'"{key}": {value}' if found.flow_style else f"{key}: {value}"
    if not found.value:
        return _replaced(text, found, f"{{{entry}}}")
    first = found.value[0][0].start_mark
    gap = ", " if found.flow_style else newline + " " * first.column
    return f"{text[: first.index]}{entry}{gap}{text[first.index :]}"


def _with_section(
    text: str, root: Node | None, section: str, key: str, value: str, newline: str
) -> str:
    if isinstance(root, MappingNode) and root.flow_style:  # as JSON is
        entry = f'"{section}": {{"{key}": {value}}}'
        at = root.start_mark.index + 1
        return f"{text[:at]}{entry}{', ' if root.value else ''}{text[at:]}"
    if text and not text.endswith("\n"):
        text += newline
    indent = " " * root.start_mark.column if root else ""
    return f"{text}{indent}{section}:{newline}{indent}  {key}: {value}{newline}"


def _child(node: MappingNode, name: str) -> Node | None:
    return next(
        (value for key, value in node.value if isinstance(key, ScalarNode) and key.value == name),
        None,
    )


def _replaced(text: str, node: Node, new: str) -> str:
    return text[: node.start_mark.index] + new + text[node.end_mark.index :]
