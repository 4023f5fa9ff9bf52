"""Parquet shards of questions with their images, as `datasets` reads them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from typing import Any

from benchmarks.exports.questions import Question

SHARD_BYTES = 500_000_000
ROWS_A_GROUP = 100

_TEXT, _NUMBER = {"dtype": "string", "_type": "Value"}, {"dtype": "int64", "_type": "Value"}
FEATURES: dict[str, dict[str, Any]] = {
    "image": {"_type": "Image"},
    "pair": _NUMBER,
    "qtype": _TEXT,
    "question": _TEXT,
    # Older releases of `datasets` know no "List"; newer ones read a "Sequence" of texts as one.
    "choices": {"feature": _TEXT, "_type": "Sequence"},
    "gt_index": _NUMBER,
    "answer": _TEXT,
}


def write_shards(
    questions: Iterable[Question], stem: Path, *, shard_bytes: int = SHARD_BYTES
) -> list[Path]:
    """Write `STEM-00000.parquet` and so on, each of about `shard_bytes`; none for no question.

    Images are embedded byte for byte. Equal images of a row group are stored once.
    """
    from pyarrow.parquet import ParquetWriter

    schema, rows, paths = _schema(), iter(questions), list[Path]()
    batch = _batch(rows, schema)
    while batch.num_rows:
        paths.append(stem.with_name(f"{stem.name}-{len(paths):05}.parquet"))
        paths[-1].parent.mkdir(parents=True, exist_ok=True)
        with (
            paths[-1].open("wb") as file,
            closing(
                # A dictionary that holds a whole group's images is what stores equal ones once.
                ParquetWriter(file, schema, dictionary_pagesize_limit=2**30)
            ) as writer,
        ):
            while batch.num_rows and file.tell() < shard_bytes:
                writer.write_batch(batch)
                batch = _batch(rows, schema)
    return paths


def _batch(rows: Iterator[Question], schema: Any) -> Any:
    from pyarrow import RecordBatch

    return RecordBatch.from_pylist([_row(q) for q in islice(rows, ROWS_A_GROUP)], schema=schema)


def _row(question: Question) -> dict[str, Any]:
    row = question.row
    return {
        "image": {"bytes": question.image, "path": question.file},
        "pair": question.pair,
        "qtype": row.qtype,
        "question": row.question,
        "choices": list(row.choices),
        "gt_index": row.gt_index,
        "answer": question.answer,
    }


def _schema() -> Any:
    import pyarrow as pa

    text, number = pa.string(), pa.int64()
    types = {
        "image": pa.struct({"bytes": pa.binary(), "path": text}),
        "pair": number,
        "qtype": text,
        "question": text,
        "choices": pa.list_(text),
        "gt_index": number,
        "answer": text,
    }
    features = json.dumps({"info": {"features": FEATURES}})
    return pa.schema(types, metadata={"huggingface": features})
