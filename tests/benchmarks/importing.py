"""Files that importers read, the command, and what it wrote: shared by the tests of importers."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from benchmarks.sources.__main__ import main
from runtime.files import read_records
from schemas.scene_graph import CaptionRecord, SceneGraph

VG_GRAPH = {
    "image_id": 7,
    "objects": [
        {"object_id": 11, "names": ["the man"], "attributes": ["tall", "wearing a hat"], "x": 1},
        {"object_id": 12, "names": ["door"], "attributes": ["red", "beautiful", "wooden"]},
        {"object_id": 13, "names": ["1"]},
        {"object_id": 14, "names": ["hat"]},
    ],
    "relationships": [
        {"relationship_id": 1, "predicate": "WEARING a", "subject_id": 11, "object_id": 14},
        {"relationship_id": 2, "predicate": "ON", "subject_id": 14, "object_id": 11},
        {"relationship_id": 3, "predicate": "blue", "subject_id": 11, "object_id": 12},
        {"relationship_id": 4, "predicate": "near", "subject_id": 11, "object_id": 13},
        {"relationship_id": 5, "predicate": "near", "subject_id": 12, "object_id": 12},
    ],
}


def write_json(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def write_lines(path: Path, rows: list[Any]) -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def run(*words: str | int | Path) -> int:
    return main([str(word) for word in words])


def captions(folder: Path) -> list[CaptionRecord]:
    return list(read_records(folder / "captions.jsonl", CaptionRecord))


def graphs(folder: Path) -> list[SceneGraph]:
    return list(read_records(folder / "scene_graphs.jsonl", SceneGraph))


def rejected(folder: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (folder / "rejected.jsonl").read_text().splitlines()]
