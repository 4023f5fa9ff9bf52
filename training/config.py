"""Reads a config of `training/configs` and turns it into arguments of TRL and PEFT."""

from __future__ import annotations

import dataclasses
import typing
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, PydanticSchemaGenerationError, TypeAdapter, ValidationError

from runtime.errors import ToolkitError
from schemas.training import LoraSettings
from schemas.validation import nearest

_HINT = "correct the config file"
# What numpy takes. The classes take more, and the training then fails once the model is loaded.
_SEED = Annotated[int, Field(ge=0, lt=2**32)]


def trl_arguments(
    config_class: type, settings: dict[str, Any], source: Path, output: Path, section: str = "trl"
) -> Any:
    """An instance of a config class of TRL or transformers from a `section` of the file.

    Raises ToolkitError (config) for a key that it does not have, with the nearest one, for a
    value of another type, and for what the class itself refuses.
    """
    fields = {field.name for field in dataclasses.fields(config_class)}
    hints = typing.get_type_hints(config_class) | {"seed": _SEED, "data_seed": _SEED | None}
    values: dict[str, Any] = {}
    for key, value in settings.items():
        if key not in fields:
            message = f"{source}: {section}.{key}: unknown key{nearest(key, fields)}"
            hint = f"the keys of `{section}` are the arguments of {config_class.__name__}"
            raise ToolkitError("config", message, hint)
        values[key] = _convert(value, hints[key], f"{source}: {section}.{key}")
    try:
        return config_class(output_dir=str(output), **{"report_to": "none"} | values)
    except (ValueError, TypeError, ImportError) as error:
        raise ToolkitError("config", f"{source}: {section}: {error}", _HINT) from error


def _convert(value: Any, hint: Any, place: str) -> Any:
    """YAML reads 1e-5 as a text and 1 as a whole number; both may stand for a float."""
    try:
        return TypeAdapter(hint).validate_python(value)
    except PydanticSchemaGenerationError:
        return value
    except ValidationError as error:
        expected = error.errors()[0]["msg"].replace("Input should be", "expected")
        raise ToolkitError("config", f"{place}: {expected}, got {value!r}", _HINT) from None


def peft_config(lora: LoraSettings | None) -> Any:
    """The LoRA adapter as PEFT describes it, or None."""
    if lora is None:
        return None
    from peft import LoraConfig

    targets = lora.target_modules
    return LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=targets if isinstance(targets, str) else list(targets),
        exclude_modules=lora.exclude_modules,
        task_type="CAUSAL_LM",
    )
