"""The runs that a report is about: their manifests, their files, and what they are called."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import from_json

from runtime.errors import ToolkitError
from runtime.files import read_placed
from runtime.store import HEADER
from schemas.validation import describe_errors

MANIFEST, REJECTED = "manifest.json", "rejected.jsonl"
_HINT = "run its command again: what is done is not done twice"

Row = TypeVar("Row", bound=BaseModel)
Value = TypeVar("Value")


class Execution(BaseModel):
    """What a manifest says of how its run went. Keys of other versions are left alone."""

    command: list[str] = []
    started: str = ""
    finished: str = ""
    wall_seconds: float = 0.0
    live_calls: int = 0
    cached_calls: int = 0
    retries: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    cost_usd: float = 0.0
    latency_s: dict[str, float] = {}


class Manifest(BaseModel):
    """What a report reads of `manifest.json`; not every command writes all of it."""

    agent: str
    seed: int | None = None
    settings: dict[str, Any] = {}
    inputs: dict[str, str] = {}
    models: dict[str, list[str]] = {}
    prompts: dict[str, dict[str, str]] = {}
    versions: dict[str, str | dict[str, Any] | None] = {}
    counts: dict[str, int | dict[str, int | dict[str, int]]] = {}
    execution: Execution | None = None


class Rejection(BaseModel):
    """A row of `rejected.jsonl`."""

    model_config = ConfigDict(extra="ignore")

    id: str = ""
    kind: str = Field(default="row", description="Importers give none.")
    reason: str


@dataclass(frozen=True)
class Run:
    """A finished run: its folder, what it is called in plots and tables, and its manifest."""

    folder: Path
    name: str
    manifest: Manifest

    def has(self, file: str) -> bool:
        """Whether the run has this file."""
        return (self.folder / file).is_file()

    def rows(self, file: str, model: type[Row]) -> Iterator[Row]:
        """The rows of a file. Raises ToolkitError("input") where it is missing or damaged."""
        if not self.has(file):
            raise ToolkitError("input", f"{self.folder / file}: missing", _HINT)
        return (row for _, row in read_placed(self.folder / file, model))

    def value(self, file: str, kind: Any) -> Any:
        """The one JSON value of a file, checked. Raises ToolkitError("input")."""
        return read_json(self.folder / file, kind)


def read_json(path: Path, kind: Any) -> Any:
    """A JSON file as a value of this type. Raises ToolkitError("input")."""
    try:
        data = from_json(path.read_bytes())
    except OSError as error:
        raise ToolkitError("input", f"{path}: {error.strerror or error}", _HINT) from None
    except ValueError as error:
        raise ToolkitError("input", f"{path}: not valid JSON: {error}", _HINT) from None
    try:
        return TypeAdapter(kind).validate_python(data)
    except ValidationError as error:
        model = kind if isinstance(kind, type) and issubclass(kind, BaseModel) else Manifest
        problem = describe_errors(error, data, model)
        raise ToolkitError("input", f"{path}: {problem}", _HINT) from None


def open_runs(folders: Sequence[Path]) -> list[Run]:
    """The finished runs in these folders. Raises ToolkitError("input") for any that is none."""
    manifests = [_manifest(folder) for folder in folders]
    places = Counter(folder.resolve() for folder in folders)
    twice = next((place for place, count in places.items() if count > 1), None)
    if twice:
        raise ToolkitError("input", f"{twice}: given twice", "give each run once")
    names = _names(folders, manifests)
    return [
        Run(folder, name, manifest)
        for folder, name, manifest in zip(folders, names, manifests, strict=True)
    ]


def _manifest(folder: Path) -> Manifest:
    hint = "give the --output directory of a finished run of agents.… or benchmarks.…"
    if not folder.is_dir():
        raise ToolkitError("input", f"{folder}: no such folder", hint)
    if not (folder / MANIFEST).exists():
        if (folder / HEADER).exists():
            raise ToolkitError("input", f"{folder}: the run has not finished", _HINT)
        raise ToolkitError("input", f"{folder}: has no {MANIFEST}, so it holds no run", hint)
    if "method" in read_json(folder / MANIFEST, dict[str, Any]):
        message = f"{folder}: holds a training, which has no report; its log is in {MANIFEST}"
        raise ToolkitError("input", message, hint)
    found: Manifest = read_json(folder / MANIFEST, Manifest)
    return found


def _names(folders: Sequence[Path], manifests: Sequence[Manifest]) -> list[str]:
    """The model that answered questions, or the folder, or its whole path: what no other has."""
    choices = [
        (_model(manifest), path.name, str(path))
        for path, manifest in zip((f.resolve() for f in folders), manifests, strict=True)
    ]
    often = Counter(name for names in choices for name in set(names))
    return [next(n for n in names if n and often[n] == 1) for names in choices]


def _model(manifest: Manifest) -> str:
    """Whose answers a run of `benchmarks.finer evaluate` holds, where it is one model."""
    models = [name for names in manifest.models.values() for name in names]
    return models[0] if manifest.agent == "finer" and len(models) == 1 else ""
