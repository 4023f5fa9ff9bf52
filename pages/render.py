"""HTML from the templates of this folder. Whatever a template prints is escaped."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from runtime.errors import ToolkitError

if TYPE_CHECKING:
    from jinja2 import Environment

TEMPLATES = Path(__file__).parent / "templates"


def render(template: str, **values: Any) -> str:
    """The template of this name, with `values`; a name it misses is an error.

    Raises ToolkitError("prerequisite") where the extra `review` is not installed.
    """
    return _environment().get_template(template).render(**values)


@lru_cache(maxsize=1)
def _environment() -> Environment:
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError as error:
        raise missing_extra(error) from None
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def missing_extra(error: ImportError) -> ToolkitError:
    """What to say where a library of the extra `review` is not there."""
    message = f"pages need a library that is not installed: {error.name}"
    return ToolkitError("prerequisite", message, 'pip install "grainwise[review]"')
