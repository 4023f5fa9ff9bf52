"""Loads pairs and checks every one before a model is loaded (spec 4)."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from PIL import Image

from runtime.errors import ToolkitError
from runtime.files import read_records
from runtime.sources import Source
from schemas.preference import ChatMessage
from schemas.training import PromptRow, TrainingRow
from training.checks import Needs, Problem, Size, check_row, image_size, locate, text_of

Row = dict[str, Any]
"""A row in TRL's format; `id` and keys that start with `_` are not for training."""

_ANSWERS = ("chosen", "rejected", "completion")


@dataclass(frozen=True)
class Dropped:
    """A row that is not trained on: its number in the file, what kind of problem, and details."""

    row: int
    id: str | None
    reason: str
    message: str


@dataclass
class Loaded:
    """Rows that passed, as plain values in TRL's format, and those that did not."""

    rows: list[Row] = field(default_factory=list)
    dropped: list[Dropped] = field(default_factory=list)

    @property
    def has_images(self) -> bool:
        """Whether any row has an image."""
        return any(row.get("images") for row in self.rows)

    def summary(self) -> str:
        """`54 of 57 rows; dropped: 2 image missing, 1 too long`."""
        text = f"{len(self.rows)} of {len(self.rows) + len(self.dropped)} rows"
        counts = Counter(item.reason for item in self.dropped).most_common()
        return (
            f"{text}; dropped: {', '.join(f'{n} {why}' for why, n in counts)}" if counts else text
        )


def load_rows(source: Path | Source, needs: Needs) -> Loaded:
    """Read a JSONL or Parquet file and check each row by itself.

    Raises ToolkitError (input) for a row that is no training row at all, with file, line and
    field; a row that is one but must not be trained on is dropped with its reason.
    """
    loaded = Loaded()
    model = TrainingRow if needs.answer else PromptRow
    source = Source.of(source) if isinstance(source, Path) else source
    folder = source.shards[0].path.parent
    for number, row in enumerate(read_records(source, model), 1):
        try:
            check_row(row, folder, needs)
        except Problem as problem:
            loaded.dropped.append(Dropped(number, row.id, problem.reason, problem.message))
        else:
            # Pairs of one image belong together, also where the image itself is left out.
            group = " ".join(row.images) or text_of(row.prompt)
            place = {"_row": number, "_group": group}
            loaded.rows.append(place | _plain(row, folder, needs))
    return loaded


def _plain(row: PromptRow, folder: Path, needs: Needs) -> Row:
    """The row in TRL's format; text only if it is for a model without vision.

    A prompt has what else its row says beside it, and `image_paths`, for the reward function.
    """
    plain: Row = {"id": row.id}
    for name, column in _columns(needs).items():
        messages: tuple[ChatMessage, ...] = getattr(row, name)
        plain[column] = [
            {"role": message.role, "content": text_of([message])}
            if needs.text_only
            else message.model_dump(mode="json")
            for message in messages
        ]
    if not needs.text_only:
        plain["images"] = [str(locate(image, folder)) for image in row.images]
    if not needs.answer:
        more = {name: v for name, v in (row.model_extra or {}).items() if name not in _ANSWERS}
        plain = more | plain | {"image_paths": plain.get("images", [])}
    if needs.margin and isinstance(row, TrainingRow):
        plain |= {"margin": row.margin, "kind": row.kind}
    return plain


def _columns(needs: Needs) -> dict[str, str]:
    """Messages of a row, each with its name in TRL's format."""
    if not needs.answer:
        return {"prompt": "prompt"}
    if not needs.rejected:
        return {"prompt": "prompt", "chosen": "completion"}
    return {"prompt": "prompt", "chosen": "chosen", "rejected": "rejected"}


def drop_long(
    loaded: Loaded, processor: Any, limit: int | None, name: str = "max_length"
) -> Loaded:
    """Drop rows that do not fit `limit` whole: neither an image nor an answer is ever cut."""
    if limit is None:
        return loaded
    count = token_counter(processor)
    kept = Loaded(dropped=list(loaded.dropped))
    for row in loaded.rows:
        total, image = count(row)
        if total <= limit:
            kept.rows.append(row)
        else:
            message = f"{total} tokens, {image} of them for images, but {name} is {limit}"
            kept.dropped.append(Dropped(row["_row"], row["id"], "too long", message))
    return kept


def token_counter(processor: Any) -> Callable[[Row], tuple[int, int]]:
    """A function from a row to its length and the length of its images, in tokens.

    How many tokens an image becomes depends on its size alone, so a blank image is processed
    once for each size.
    """
    from trl import apply_chat_template

    tokenizer = getattr(processor, "tokenizer", processor)

    def tokens(text: str) -> int:
        return len(tokenizer(text, add_special_tokens=False)["input_ids"])

    added: dict[tuple[Size, ...], int] = {}

    def count(row: Row) -> tuple[int, int]:
        columns = [c for c in ("prompt", *_ANSWERS) if c in row]
        texts = apply_chat_template({column: row[column] for column in columns}, processor)
        sizes = tuple(image_size(path) for path in row.get("images", ()))
        if sizes and sizes not in added:
            blank = [Image.new("RGB", size) for size in sizes]
            whole = processor(text=[texts["prompt"]], images=[blank], add_special_tokens=False)
            added[sizes] = len(whole["input_ids"][0]) - tokens(texts["prompt"])
        images = added[sizes] + len(sizes) if sizes else 0
        answer = max((tokens(texts[column]) for column in columns[1:]), default=0)
        return tokens(texts["prompt"]) - len(sizes) + images + answer, images

    return count


def split(rows: list[Row], held_out: float, seed: int) -> tuple[list[Row], list[Row]]:
    """The rows to train on, and those held out: at least one image (or prompt), none in both.

    Raises ToolkitError (config) when that leaves nothing to train on.
    """
    names = sorted({row["_group"] for row in rows})
    random.Random(seed).shuffle(names)
    kept = set(names[: max(1, round(held_out * len(names)))]) if held_out else set()
    if len(kept) == len(names):
        message = "held_out: all rows are of one image, so none is left to train on"
        raise ToolkitError("config", message, "set `held_out: 0` or give more images")
    train = [row for row in rows if row["_group"] not in kept]
    return train, [row for row in rows if row["_group"] in kept]


def to_dataset(rows: list[Row]) -> Any:
    """A `datasets.Dataset` in TRL's format; images are opened when they are used.

    The column `images` exists only when a row has one, because TRL takes a data set with that
    column for vision data.
    """
    from datasets import Dataset, List
    from datasets import Image as ImageFeature

    has_images = any(row.get("images") for row in rows)
    unused = {"_row", "_group", "id"} | (set() if has_images else {"images"})
    plain = [{k: v for k, v in row.items() if k not in unused} for row in rows]
    dataset = Dataset.from_list(plain)
    return dataset.cast_column("images", List(ImageFeature())) if has_images else dataset


def check_share(loaded: Loaded, path: Path, max_dropped: float) -> None:
    """Raises ToolkitError when nothing is left, or more was dropped than is allowed."""
    total = len(loaded.rows) + len(loaded.dropped)
    first = f"; first: {_where(path, loaded.dropped[0])}" if loaded.dropped else ""
    if not loaded.rows:
        raise ToolkitError("input", f"{path}: nothing to train on: {loaded.summary()}{first}",
                           "correct the data; nothing was written")  # fmt: skip
    if len(loaded.dropped) > max_dropped * total:
        raise ToolkitError(
            "error_rate",
            f"{path}: {loaded.summary()}{first}",
            "correct the data, or raise `max_dropped` in the config",
        )


def _where(path: Path, item: Dropped) -> str:
    return f"{path}, row {item.row}: {item.message}"
