"""A person's decisions: `reviews.jsonl`, which anybody may write, and what the page is sent."""

from __future__ import annotations

import asyncio
import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock

from aiohttp import StreamReader
from aiohttp.base_protocol import BaseProtocol
from aiohttp.test_utils import make_mocked_request
from pydantic import BaseModel

from pages.review_board import Board
from pages.review_files import open_run
from pages.review_server import ReviewServer, Setup
from runtime.files import read_records
from runtime.review_items import Item, items
from runtime.reviews import REVIEWS, read_decisions
from runtime.sources import Source
from schemas.finer import GivenRow
from schemas.review import Review
from schemas.scene_graph import NegatedGraph, SceneGraph
from schemas.training import TrainingRow

_GRAPH = {
    "id": "g",
    "image": "a.png",
    "objects": [{"name": "cat", "attributes": ["red"]}, {"name": "mat"}],
    "relations": [{"subject": 0, "relation": "on", "object": 1}],
}
_CAT = {"name": "cat", "negatives": ["dog", "fox", "cow", "pig"]}
_QUESTION = {"image": "a.png", "question": "Is it?", "choice1": "Yes", "choice2": "No"}
_PAIR = {
    "id": "p", "images": ["a.png"], "prompt": [], "kind": "reliability", "gap": 0.1, "margin": 0.1,
    "chosen": [{"role": "assistant", "content": [{"type": "text", "text": "A cat."}]}],
    "rejected": [{"role": "assistant", "content": [{"type": "text", "text": "A dog."}]}],
    "scores": {"metric": "P", "chosen": 1, "rejected": 0.5},
}  # fmt: skip
_ROWS: dict[str, list[dict[str, Any]]] = {
    "scene_graphs.jsonl": [_GRAPH],
    "negatives.jsonl": [{"id": "n", "image": "a.png", "objects": [_CAT]}],
    "pairs.jsonl": [_PAIR],
    "wh.csv": [_QUESTION | {"qtype": f"wh_1_{side}", "gt_index": "0"} for side in ("pos", "neg")],
}
_MODELS: dict[str, type[BaseModel]] = {
    "scene_graphs.jsonl": SceneGraph,
    "negatives.jsonl": NegatedGraph,
    "pairs.jsonl": TrainingRow,
    "wh.csv": GivenRow,
}


def review_seeds() -> list[bytes]:
    """A decision on an item of each file: as it is, or edited into the same."""
    return [b"".join(_review(name, edit) for name in _ROWS) for edit in (False, True)]


def request_seeds() -> list[bytes]:
    """What the page sends: a decision with the values of a form, an undo, a threshold."""
    values = {"negatives[0]": "ant", "objects[0].name": "lynx", "[0].gt_index": "1", "margin": "2"}
    seeds = [b'{"at": 0.25}']
    for name in _ROWS:
        plain = {"file": name, "reviewer": "ann", "n": 1}
        decision = {"sha256": _item(name).sha256, "decision": "accept", "values": values}
        seeds += [json.dumps(plain | decision).encode(), json.dumps(plain).encode()]
    return seeds


def fuzz_reviews(data: bytes, folder: Path) -> None:
    """Shows the items of a run with these reviews on the page, and reads what was accepted."""
    with _opened(folder, data) as server:
        for name in _ROWS:
            for page in ("item", "form"):
                _answer(server, "GET", f"{page}?file={name}&reviewer=ann&n=1")
    for name, model in _MODELS.items():
        list(read_records(Source.of(folder / name).only_reviewed(), model))


def fuzz_requests(data: bytes, folder: Path) -> None:
    """Sends this to everything that takes a body; what was written must be readable."""
    with _opened(folder, b"") as server:
        for name in ("decide", "config", "undo"):
            _answer(server, "POST", name, data)
    read_decisions(folder)


def _item(name: str) -> Item:
    [item] = items(name, _ROWS[name])
    return item


def _review(name: str, is_edited: bool) -> bytes:
    item = _item(name)
    review = Review(
        file=name,
        id=item.id,
        reviewer="ann",
        decision="accept",
        edited=item.content if is_edited else None,
        at=datetime(2026, 1, 1, tzinfo=UTC),
        item_sha256=item.sha256,
    )
    return review.model_dump_json().encode() + b"\n"


@contextmanager
def _opened(folder: Path, reviews: bytes) -> Iterator[ReviewServer]:
    for name, rows in _ROWS.items():
        lines = [json.dumps(row) for row in rows]
        if name.endswith(".csv"):
            lines = [",".join(one) for one in (rows[0], *(row.values() for row in rows))]
        (folder / name).write_text("".join(f"{line}\n" for line in lines))
    (folder / REVIEWS).write_bytes(reviews)
    board = Board(folder, open_run(folder, None, 0))
    server = ReviewServer(board, Setup(folder, folder, None, "ann"))
    try:
        yield server
    finally:
        server.socket.close()
        os.close(board._log._descriptor)


def _answer(server: ReviewServer, method: str, name: str, body: bytes = b"") -> None:
    async def answered() -> int:
        payload = StreamReader(mock.Mock(BaseProtocol), 2**16)
        payload.feed_data(body)
        payload.feed_eof()
        headers = {
            "Host": server.host,
            "Origin": f"http://{server.host}",
            "Content-Type": "application/json",
        }
        path = f"/{server.token}/{name}"
        request = make_mocked_request(method, path, headers, payload=payload)
        app = server.app()
        app.freeze()
        return (await app._handle(request)).status

    assert asyncio.run(answered()) in (200, 400, 404, 409, 413)
