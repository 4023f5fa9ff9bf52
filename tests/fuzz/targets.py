"""What is fed with hostile bytes, and the valid ones they are made of."""

from __future__ import annotations

import gzip
import io
import json
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pyarrow
import pyarrow.parquet
from PIL import Image
from pydantic import BaseModel

from backends.base import Completion, PlainText
from backends.cache import ResponseCache
from backends.chat import read_completion
from backends.images import data_uri_of
from backends.parse import check_finish_reason, parse_answer
from runtime.config import dump_config, load_config, read_yaml
from runtime.errors import ToolkitError
from runtime.files import read_records
from runtime.store import HEADER, JOURNAL, Failure, Outcome, OutcomeStore
from schemas.edit import RevisedResponse
from schemas.entity import ParsedResponse
from schemas.finer import GivenRow, NegativeAnswer, VerifierAnswer
from schemas.judgement import AttributeAnswer, CategoryAnswer
from schemas.record import ImageRecord
from schemas.scene_graph import CaptionRecord, SceneGraph, SceneGraphAnswer
from schemas.training import TrainConfig, TrainingRow
from schemas.trajectory import Feedback, QuestionRecord
from scoring.__main__ import BadInput, _example
from scoring.assignment import ScoringError
from scoring.metrics import score_example
from tests.fuzz.review_targets import fuzz_requests, fuzz_reviews, request_seeds, review_seeds

ROOT = Path(__file__).parents[2]
TYPED = (ToolkitError, BadInput, ScoringError)
_TRAINING = (
    b'{"id": "1", "images": ["a.png"], "prompt": [{"role": "user", "content": [{"type": "image"}, '
    b'{"type": "text", "text": "Say."}]}], "chosen": [{"role": "assistant", "content": [{"type": '
    b'"text", "text": "A cat."}]}], "rejected": [{"role": "assistant", "content": [{"type": "text",'
    b' "text": "A dog."}]}], "kind": "reliability", "margin": 0.3}\n'
)
_CSV = (
    b"image,qtype,question,choice1,choice2,choice3,choice4,choice5,gt_index\n"
    b'a.png,obj,"Can you see a ""cat""\nhere?",Yes,No,b,c,d,0\na.png,obj,Can you?,Yes,No,b,c,d,1\n'
)
_JUDGED = (
    b'{"id": "a", "predictions": [{"id": "p", "quantity": 2}], "entities": '
    b'[{"id": "e", "depth": 3}], "judgements": [{"prediction": "p", "entity": "e", '
    b'"level": 2, "attribute_score": 0.5}]}'
)
_ANSWERS: dict[type[BaseModel], bytes] = {
    CategoryAnswer: b'```json\n{"decision": "is_a",}\n```',
    AttributeAnswer: b'{"verdicts": [{"candidate": 0, "correct": [0], "wrong": [], '
    b'"recalled": [1]}]}',
    ParsedResponse: b'{"entities": [{"category": "cat", "quantity": 2, "attributes": ["red"]}]}',
    RevisedResponse: b'{"revised": "A cat on a mat."}',
    SceneGraphAnswer: b'{"objects": [{"name": "cat", "attributes": ["a hat"]}, {"name": "mat"}], '
    b'"relations": [{"subject": 0, "relation": "is on", "object": 1}]}',
    NegativeAnswer: b'{"sets": [{"element": 0, "negatives": ["a", "b", "c", "d"]}]}',
    VerifierAnswer: b'{"absent": [0, 2]}',
    Feedback: b'{"issues": [{"kind": "object", "evidence": "a dog", "instruction": "say dog"}], '
    b'"needs_revision": true, "consistency": 0.5}',
    PlainText: b"B",
}
_RESPONSE = {
    "model": "m",
    "choices": [{
        "finish_reason": "stop",
        "message": {"content": "{}", "refusal": None, "provider_specific_fields": {"refusal": ""}},
        "logprobs": {"content": [
            {"token": "a", "logprob": -1.0, "top_logprobs": [{"token": "b", "logprob": -2.0}]}
        ]},
    }],
    "usage": {"prompt_tokens": 3, "completion_tokens": 4},
}  # fmt: skip


@dataclass(frozen=True)
class Target:
    """`run` gets hostile bytes and a folder of its own; only a TYPED error may come of it."""

    name: str
    seeds: Sequence[bytes]
    run: Callable[[bytes, Path], object]


@cache
def targets() -> dict[str, Target]:
    """All targets by name."""
    examples = ROOT / "examples"
    configs = [path.read_bytes() for path in sorted((examples / "configs").glob("*.yaml"))]
    training = [
        path.read_bytes() for path in sorted((ROOT / "training/configs").glob("*dpo*.yaml"))
    ]
    images = _lines(examples / "granfact-mini/images.jsonl")
    captions = _lines(examples / "finer-mini/captions.jsonl")
    graphs = _lines(examples / "finer-mini/scene_graphs.gold.jsonl")
    questions = _lines(examples / "finer-mini/questions.jsonl")
    found = [
        Target("jsonl images", images, _reader("rows.jsonl", ImageRecord)),
        Target(
            "gz",
            [gzip.compress(row, mtime=0) for row in images],
            _reader("rows.jsonl.gz", ImageRecord),
        ),
        Target("zst", [_zstd(row) for row in images], _reader("rows.jsonl.zst", ImageRecord)),
        Target("jsonl captions", captions, _reader("rows.jsonl", CaptionRecord)),
        Target("jsonl graphs", graphs, _reader("rows.jsonl", SceneGraph)),
        Target("jsonl questions", questions, _reader("rows.jsonl", QuestionRecord)),
        Target("jsonl training", [_TRAINING], _reader("rows.jsonl", TrainingRow)),
        Target("csv", [_CSV], _reader("rows.csv", GivenRow)),
        Target("parquet", _parquet(images), _reader("rows.parquet", ImageRecord)),
        Target("scoring", [_JUDGED], _score),
        *(
            Target(f"answer {model.__name__}", [seed], _answer(model))
            for model, seed in _ANSWERS.items()
        ),
        Target("response", [json.dumps(_RESPONSE).encode()], _response),
        Target(
            "cache entry", [Completion(text="{}", model="m").model_dump_json().encode()], _entry
        ),
        Target("cache file", [_database()], _database_file),
        Target("config", configs, _config),
        Target("training config", training, _train_config),
        Target("journal", [_journal()], _run_file(JOURNAL)),
        Target("run header", [_header()], _run_file(HEADER)),
        Target("image", _images(), lambda data, folder: data_uri_of(data)),
        Target("reviews", review_seeds(), fuzz_reviews),
        Target("review requests", request_seeds(), fuzz_requests),
    ]
    return {target.name: target for target in found}


def _lines(path: Path) -> list[bytes]:
    """Two rows each, so that what spans rows is there too."""
    rows = path.read_bytes().splitlines(keepends=True)
    return [b"".join(rows[at : at + 2]) for at in range(0, len(rows) - 1, 2)]


def _zstd(data: bytes) -> bytes:
    import pyarrow

    return bytes(pyarrow.compress(data, "zstd", asbytes=True))


def _reader(name: str, model: type[BaseModel]) -> Callable[[bytes, Path], object]:
    def run(data: bytes, folder: Path) -> None:
        (folder / name).write_bytes(data)
        for record in read_records(folder / name, model):
            # What was read can be written.
            json.dumps(record.model_dump(mode="json"), ensure_ascii=False).encode()
            record.model_dump_json().encode()

    return run


def _score(data: bytes, folder: Path) -> None:
    score_example(_example(data))


def _answer(output: type[BaseModel]) -> Callable[[bytes, Path], object]:
    def run(data: bytes, folder: Path) -> None:
        parse_answer(
            data.decode("utf-8", "surrogateescape" if len(data) % 2 else "replace"), output
        )

    return run


def _response(data: bytes, folder: Path) -> None:
    try:
        response = json.loads(data)
    except (ValueError, RecursionError):
        return
    if isinstance(response, dict):
        completion = read_completion(response, "m")
        check_finish_reason(completion)
        completion.model_dump_json().encode()


def _entry(data: bytes, folder: Path) -> None:
    """A row of the database that anybody may have written."""
    cache = ResponseCache(folder / "cache")
    try:
        cache.put("key", Completion(text="{}", model="m"))
        text = data if len(data) % 3 else data.decode("utf-8", "replace")
        with sqlite3.connect(folder / "cache/cache.db") as database:
            mode, name = len(data) % 5, "../x" if len(data) % 7 == 0 else None
            database.execute(
                "UPDATE Cache SET value = ?, mode = ?, filename = ?", (text, mode, name)
            )
        cache.get("key")
        cache.put("key", Completion(text="new", model="m"))
        found = cache.get("key")
        assert found is not None and found.text == "new"
    finally:
        cache.close()


def _database_file(data: bytes, folder: Path) -> None:
    (folder / "cache").mkdir()
    (folder / "cache/cache.db").write_bytes(data)
    cache = ResponseCache(folder / "cache")
    try:
        cache.get("key")
        cache.put("key", Completion(text="new", model="m"))
    finally:
        cache.close()


def _config(data: bytes, folder: Path) -> None:
    (folder / "config.yaml").write_bytes(data)
    json.dumps(dump_config(load_config(folder / "config.yaml")), ensure_ascii=False).encode()


def _train_config(data: bytes, folder: Path) -> None:
    (folder / "config.yaml").write_bytes(data)
    read_yaml(folder / "config.yaml", TrainConfig).model_dump_json().encode()


def _run_file(name: str) -> Callable[[bytes, Path], object]:
    """The journal or the header of a run that is gone on with, then of one that is overwritten."""

    def run(data: bytes, folder: Path) -> None:
        output = folder / "output"
        output.mkdir()
        for overwrite in (False, True):
            (output / HEADER).write_bytes(_header())
            (output / JOURNAL).write_bytes(_journal())
            (output / name).write_bytes(data)
            try:
                with OutcomeStore(output, {"input": "a"}, overwrite=overwrite) as store:
                    list(store.iterate_in_order(["a", "b", "c"]))
                    store.append(Outcome(id="d", index=3, value={}))
                    assert store.get("d") is not None
            except ToolkitError:
                if overwrite:
                    raise

    return run


def _header() -> bytes:
    return json.dumps({"fingerprint": {"input": "a"}, "outputs": ["rows.jsonl"]}).encode()


def _journal() -> bytes:
    outcomes = (
        Outcome(id="a", index=0, value={"text": "A cat."}, usage={"calls": 1}),
        Outcome(id="b", index=1, failure=Failure(kind="schema", reason="r", hint="h")),
    )
    return b"".join(one.model_dump_json(exclude_defaults=True).encode() + b"\n" for one in outcomes)


def _parquet(lines: list[bytes]) -> list[bytes]:
    rows = [json.loads(line) for line in b"".join(lines).splitlines()]
    texts = [{"id": row["id"], "image": row["image"], "responses": row["responses"],
              "reference": "A cat."} for row in rows]  # fmt: skip
    files = []
    for compression in ("none", "snappy", "zstd", "gzip"):
        file = io.BytesIO()
        pyarrow.parquet.write_table(pyarrow.Table.from_pylist(texts), file, compression=compression)
        files.append(file.getvalue())
    return files


@cache
def _database() -> bytes:
    folder = Path(tempfile.mkdtemp())
    try:
        cache = ResponseCache(folder)
        cache.put("key", Completion(text="{}", model="m"))
        cache.close()
        return (folder / "cache.db").read_bytes()
    finally:
        shutil.rmtree(folder)


def _images() -> list[bytes]:
    def saved(kind: str, mode: str = "RGB", **options: Any) -> bytes:
        file = io.BytesIO()
        Image.effect_noise((24, 16), 50).convert(mode).save(file, kind, **options)
        return file.getvalue()

    exif = Image.Exif()
    exif[0x0112] = 6
    frames = [Image.new("RGB", (24, 16), color) for color in ("red", "blue")]
    more = {"save_all": True, "append_images": frames}
    return [
        saved("JPEG", exif=exif), saved("JPEG", "CMYK"), saved("JPEG", progressive=True),
        saved("PNG"), saved("PNG", "P"), saved("PNG", exif=exif), saved("GIF", "P", **more),
        saved("WEBP"), saved("WEBP", **more), saved("PNG", **more), saved("MPO", **more),
        saved("BMP"),
    ]  # fmt: skip
