"""Finds the reward function that a config names, and stops all processes where one must stop."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from runtime.errors import ToolkitError
from schemas.training import RLSettings
from schemas.validation import nearest
from training.data import Row

Reward = Callable[..., Any]
"""A reward function as TRL calls it: `(prompts, completions, **columns)` to one number, or None
for "cannot be said", for each completion."""


@contextmanager
def open_reward(config: RLSettings, source: Path, rows: list[Row]) -> Iterator[Reward]:
    """The reward function of a config whose file is `source`.

    With `reward_config` what `reward` names is called with that file and the rows, and gives a
    context manager of the reward function; without one it is the reward function itself. Raises
    ToolkitError (config) when there is no such function, and what opening it raises.
    """
    function = _find(config.reward, source)
    if config.reward_config is None:
        yield function
        return
    with function(source.parent / config.reward_config, rows) as reward:
        yield _stopping_all(reward)


def _find(name: str, source: Path) -> Reward:
    module, _, attribute = name.partition(":")
    place = f"{source}: reward: {name}"
    try:
        found = importlib.import_module(module)
    except ImportError as error:
        hint = "write MODULE:FUNCTION; the module must be importable, so run from its folder"
        raise ToolkitError("config", f"{place}: {error}", hint) from error
    function = getattr(found, attribute, None)
    if not callable(function):
        names = [name for name, value in vars(found).items() if callable(value)]
        message = f"{place}: {module} has no function {attribute}{nearest(attribute, names)}"
        raise ToolkitError("config", message, "write MODULE:FUNCTION")
    return function  # type: ignore[no-any-return]


def _stopping_all(reward: Reward) -> Reward:
    """When the reward of one process stops the training, all stop there; else they would wait."""

    @functools.wraps(reward)
    def together(**columns: Any) -> Any:
        from accelerate.utils import gather_object

        rewards, mine = None, None
        try:
            rewards = reward(**columns)
        except ToolkitError as error:
            mine = error
        reasons = gather_object([mine and (mine.kind, mine.message, mine.hint)])
        for reason in filter(None, reasons):
            raise mine or ToolkitError(*reason)
        return rewards

    return together
