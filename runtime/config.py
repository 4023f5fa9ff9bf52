"""Reads the config file and applies `--backend`; says what is wrong with either."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from runtime.errors import ToolkitError
from runtime.sources import without_userinfo
from schemas.config import Config
from schemas.validation import describe_errors, nearest

Model = TypeVar("Model", bound=BaseModel)

_HINT = "correct the config file"
_MAX_BYTES, _MAX_VALUES = 200_000, 10_000


def load_config(
    path: Path | None, overrides: Sequence[str] = (), *, agents: Collection[str] = ()
) -> Config:
    """The config of a file (or the default one), with the `--backend` overrides applied.

    An override `NAME` puts every agent on that backend, `AGENT=NAME` one agent. `agents` are
    the names an override or the file may use; empty means any. `gguf`, `script` and `prompts`
    become relative to the file. Raises ToolkitError("config") with file, dotted key, expectation.
    """
    config = _with_paths(read_yaml(path, Config), path) if path else Config()
    _check_names(config, agents, source=str(path))
    config = config.model_copy(update={"agents": _override(config.agents, overrides)})
    _check_names(config, agents, source="--backend")
    return config


def dump_config(config: Config) -> dict[str, Any]:
    """What was passed and what it became, fit to be published: no passwords, no local folders."""
    return {
        "passed": _publishable(config.model_dump(mode="json", exclude_unset=True)),
        "resolved": _publishable(config.model_dump(mode="json")),
    }


def read_yaml(path: Path, model: type[Model]) -> Model:
    """A YAML file as a model; an empty one stands for no keys.

    Raises ToolkitError("config") with file, line or dotted key, and expectation.
    """
    data = _plain_yaml(path)
    data = {} if data is None else data
    try:
        return model.model_validate(data)
    except ValidationError as error:
        message = f"{path}: {describe_errors(error, data, model)}"
        raise ToolkitError("config", message, _HINT) from None


def _plain_yaml(path: Path) -> Any:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
        if len(content) > _MAX_BYTES:
            raise ToolkitError("config", f"{path}: more than {_MAX_BYTES:,} bytes", _HINT)
        data = yaml.safe_load(content.decode("utf-8"))
    except OSError as error:
        message = f"{path}: {error.strerror or error}"
        raise ToolkitError("config", message, "check the path after --config") from error
    except RecursionError:
        raise ToolkitError("config", f"{path}: nested too deeply", _HINT) from None
    except ToolkitError:
        raise
    except Exception as error:  # of any type: a date or a number that is none, a tag out of place
        mark = getattr(error, "problem_mark", None)
        place = f"{path}:{mark.line + 1}" if mark else str(path)
        reason = getattr(error, "problem", None) or " ".join(str(error).split())
        raise ToolkitError("config", f"{place}: not valid YAML: {reason[:200]}", _HINT) from None
    for number, value in enumerate(_values(data)):
        if number > _MAX_VALUES:
            message = f"{path}: more than {_MAX_VALUES:,} values, with those that aliases repeat"
            raise ToolkitError("config", message, _HINT)
        if isinstance(value, str) and any("\ud800" <= letter <= "\udfff" for letter in value):
            message = f"{path}: half of a surrogate pair in {value[:40]!a}"
            raise ToolkitError("config", message, _HINT)
    return data


def _values(data: Any) -> Iterator[Any]:
    """Every key and value inside; without end where an alias stands inside of what it names."""
    waiting = [data]
    while waiting:
        yield (value := waiting.pop())
        if isinstance(value, dict):
            waiting.extend((*value.keys(), *value.values()))
        elif isinstance(value, list | tuple | set):
            waiting.extend(value)


def _with_paths(config: Config, path: Path) -> Config:
    """Files that it names stand beside the config; `~` is the home directory."""
    folder, backends = path.parent, {}
    for name, backend in config.backends.items():
        files = {
            field: str(folder / _expanded(value, f"{path}: backends.{name}.{field}"))
            for field in ("gguf", "script")
            if (value := getattr(backend, field, None))
        }
        backends[name] = backend.model_copy(update=files)
    run = config.run
    if run.cache.startswith("~"):
        run = run.model_copy(update={"cache": str(_expanded(run.cache, f"{path}: run.cache"))})
    prompts = config.prompts and str(folder / _expanded(config.prompts, f"{path}: prompts"))
    return config.model_copy(update={"backends": backends, "prompts": prompts, "run": run})


def _expanded(text: str, place: str) -> Path:
    try:
        return Path(text).expanduser()
    except RuntimeError:
        message = f"{place}: nobody has the home directory {text.split('/')[0][:100]}"
        raise ToolkitError("config", message, "write the whole path") from None


def _override(agents: dict[str, str], overrides: Sequence[str]) -> dict[str, str]:
    for name in overrides:
        if "=" not in name:
            agents = {"default": name}
    pairs = (name.split("=", 1) for name in overrides if "=" in name)
    return agents | {agent.strip(): name.strip() for agent, name in pairs}


def _check_names(config: Config, agents: Collection[str], source: str) -> None:
    backends = sorted({*config.backends, "rules"})
    for agent, name in config.agents.items():
        if agents and agent not in {*agents, "default"}:
            message = f"{source}: agents.{agent[:100]}: unknown agent{nearest(agent, agents)}"
            hint = f"known: default, {', '.join(sorted(agents))}"
            raise ToolkitError("config", message, hint)
        if name not in backends:
            message = f"{source}: agents.{agent[:100]}: unknown backend {name[:100]!r}"
            message += nearest(name, backends)
            hint = f"known: {', '.join(backends)[:500]}; a --config file can define more"
            raise ToolkitError("config", message, hint)


def _publishable(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _publishable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_publishable(item) for item in value]
    if isinstance(value, str):
        return Path(value).name if value.startswith(("/", "~")) else without_userinfo(value)
    return value
