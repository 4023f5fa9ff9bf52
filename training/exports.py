"""Pairs for other trainers: `python -m training.exports FORMAT RUN --output DIR` (spec 4.2).

Formats: `trl` (Parquet with the images inside), `llamafactory`, `ms-swift`. The last two know no
margins, so they train plain DPO on what RP-DPO was meant for.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from runtime.command_line import add_reviewed_only, exit_on_error
from runtime.errors import ToolkitError
from runtime.files import read_records, write_json, write_jsonl
from runtime.sources import Source
from schemas.preference import ChatMessage, ImagePart
from schemas.training import TrainingRow

Export = Callable[[list[TrainingRow], Path, Path], list[Path]]
_PLACE = "<image>"
_AT_ONCE = 100
"""Rows whose images are in memory at the same time."""


def to_trl(rows: list[TrainingRow], source: Path, output: Path) -> list[Path]:
    """`train.parquet`: TRL's conversational preference format. Raises ToolkitError for an image
    that is not there.
    """
    from datasets import Dataset, Image, List
    from datasets.table import embed_table_storage
    from pyarrow.parquet import ParquetWriter

    plain = [row.model_dump(mode="json", exclude={"id"}) for row in rows]
    for row in plain:
        row["images"] = [str(_existing(source / image)) for image in row["images"]]
    if not any(row["images"] for row in plain):
        plain = [{k: v for k, v in row.items() if k != "images"} for row in plain]
    dataset = Dataset.from_list(plain)
    for name in ("margin", "kind"):
        if set(dataset[name]) == {None}:
            dataset = dataset.remove_columns(name)
    if "images" in dataset.column_names:
        dataset = dataset.cast_column("images", List(Image()))
    temporary = output / ".train.parquet.partial"
    arrow = dataset.with_format("arrow")
    with ParquetWriter(temporary, arrow[:0].schema) as writer:
        for start in range(0, len(arrow), _AT_ONCE):
            writer.write_table(embed_table_storage(arrow[start : start + _AT_ONCE]))
    return [temporary.replace(output / "train.parquet")]


def to_llamafactory(rows: list[TrainingRow], source: Path, output: Path) -> list[Path]:
    """`pairs.json` in ShareGPT's form and its `dataset_info.json`; `dataset_dir` is the folder."""
    turn = {"user": "human", "assistant": "gpt"}
    plain = [
        {
            "conversations": [
                {"from": turn[message.role], "value": _flat(message)} for message in row.prompt
            ],
            "chosen": {"from": "gpt", "value": _flat(row.chosen[-1])},
            "rejected": {"from": "gpt", "value": _flat(_rejected(row))},
            "images": _relative(row.images, source, output),
        }
        for row in rows
    ]
    columns = {"messages": "conversations", "chosen": "chosen", "rejected": "rejected"}
    if any(row.images for row in rows):
        columns["images"] = "images"
    entry = {"file_name": "pairs.json", "formatting": "sharegpt", "ranking": True,
             "columns": columns}  # fmt: skip
    write_json(output / "pairs.json", plain)
    write_json(output / "dataset_info.json", {"grainwise_pairs": entry})
    return [output / "pairs.json", output / "dataset_info.json"]


def to_ms_swift(rows: list[TrainingRow], source: Path, output: Path) -> list[Path]:
    """`pairs.jsonl` for `swift rlhf --rlhf_type dpo`; images as absolute paths."""

    def plain() -> Iterator[dict[str, Any]]:
        for row in rows:
            messages = [*row.prompt, row.chosen[-1]]
            yield {
                "messages": [{"role": m.role, "content": _flat(m)} for m in messages],
                "rejected_response": _flat(_rejected(row)),
                "images": [str((source / image).resolve()) for image in row.images],
            }

    write_jsonl(output / "pairs.jsonl", plain())
    return [output / "pairs.jsonl"]


FORMATS: dict[str, Export] = {
    "trl": to_trl,
    "llamafactory": to_llamafactory,
    "ms-swift": to_ms_swift,
}


def _flat(message: ChatMessage) -> str:
    """The text of a message with `<image>` where an image stands, on a line of its own."""
    parts = [_PLACE if isinstance(part, ImagePart) else part.text for part in message.content]
    return "\n".join(parts)


def _rejected(row: TrainingRow) -> ChatMessage:
    if not row.rejected:
        raise ToolkitError("input", f"{row.id}: rejected: missing", "export preference pairs")
    return row.rejected[-1]


def _existing(path: Path) -> Path:
    if not path.is_file():
        hint = "image paths are relative to pairs.jsonl; put the image there"
        raise ToolkitError("input", f"{path}: no such image", hint)
    return path


def _relative(images: Sequence[str], source: Path, output: Path) -> list[str]:
    return [os.path.relpath((source / image).resolve(), output.resolve()) for image in images]


def main(argv: Sequence[str] | None = None) -> int:
    """Export and return the exit code."""
    return exit_on_error(_main)(argv)


def _main(argv: Sequence[str] | None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m training.exports", description="Preference pairs for other trainers."
    )
    parser.add_argument("format", choices=FORMATS)
    parser.add_argument("run", metavar="RUN", type=Path, help="folder with pairs.jsonl")
    parser.add_argument("--output", metavar="DIR", type=Path, required=True)
    add_reviewed_only(parser)
    options = parser.parse_args(argv)
    source = Source.of(options.run / "pairs.jsonl")
    if options.reviewed_only:
        source = source.only_reviewed()
    rows = list(read_records(source, TrainingRow))
    if not rows:
        message = f"{source}: has no pairs{' that were accepted' if source.reviews else ''}"
        raise ToolkitError("input", message, "give the folder of a finished run")
    options.output.mkdir(parents=True, exist_ok=True)
    files = FORMATS[options.format](rows, options.run, options.output)
    print(f"{len(rows)} pairs → {', '.join(map(str, files))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
