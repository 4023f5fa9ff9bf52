"""What is checked before a model is loaded: each problem with its message."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import Any

import pytest
from PIL import Image
from transformers import AutoProcessor
from trl.trainer.dpo_trainer import DataCollatorForVisionPreference

from runtime.errors import ToolkitError
from tests.training.models import make_images, make_pairs, write_pairs
from training.checks import Needs
from training.data import check_share, drop_long, load_rows, split, to_dataset, token_counter

RP_DPO = Needs(margin=True)


def pair(**changes: Any) -> dict[str, Any]:
    (row,) = make_pairs(["reliability"], images=["image0.png"])
    return row | changes


def answer(text: str, role: str = "assistant", *, image: bool = False) -> list[dict[str, Any]]:
    parts: list[dict[str, Any]] = [{"type": "image"}] if image else []
    return [{"role": role, "content": [*parts, {"type": "text", "text": text}]}]


CASES = [
    (pair(images=["no.png"]), "image missing", "no.png: no such file"),
    (pair(images=["broken.png"]), "image not readable", "broken.png: cannot identify image file"),
    (pair(images=["cut.jpg"]), "image not readable", "cut.jpg: image file is truncated"),
    (pair(images=["pipe"]), "image not readable", "pipe: not a file"),
    (pair(images=["zero\0byte.png"]), "image not readable", "null byte"),
    (pair(images=["huge.png"]), "image too large", "huge.png: 12000 x 10000 pixels"),
    (pair(images=["bomb.png"]), "image too large", "could be decompression bomb"),
    (pair(images=["https://x.org/a.png"]), "remote image", "a.png: download it first"),
    (pair(images=[]), "placeholders", "0 images but 1 placeholders"),
    (pair(images=["image0.png"] * 2), "placeholders", "2 images but 1 placeholders"),
    (pair(chosen=answer("a", image=True)), "placeholders", "an answer has an image placeholder"),
    (pair(chosen=answer("a b"), rejected=answer(" a b\n")), "equal answers",
     "chosen and rejected are the same text"),
    (pair(rejected=None), "no rejected answer", "rejected: missing, and a pair needs both"),
    (pair(chosen=answer("  ")), "empty answer", "chosen: has no text"),
    (pair(chosen=answer("a", "user")), "roles", "chosen: expected one message of the assistant"),
    (pair(rejected=answer("a") * 2), "roles", "rejected: expected one message of the assistant"),
    (pair(prompt=answer("a")), "roles", "prompt: user and assistant must alternate, user last"),
    (pair(prompt=[]), "roles", "prompt: user and assistant must alternate, user last"),
    (pair(margin=None), "no margin", "margin: missing; training.dpo trains pairs without it"),
    (pair(kind=None), "no kind", "kind: missing; training.dpo trains pairs without it"),
    (pair(kind="attribute"), "unknown kind", "expected reliability or granularity, got"),
    (pair(margin=float("nan")), "margin not finite", "margin: nan"),
    (pair(margin=float("inf")), "margin not finite", "margin: inf"),
]  # fmt: skip


def claim_size(path: Path, width: int, height: int) -> None:
    """A small PNG whose header says that it is large."""
    Image.new("1", (1, 1)).save(path)
    data = bytearray(path.read_bytes())
    data[16:24] = struct.pack(">II", width, height)
    data[29:33] = struct.pack(">I", zlib.crc32(data[12:29]))
    path.write_bytes(data)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    make_images(tmp_path)
    (tmp_path / "broken.png").write_bytes(b"not an image")
    Image.effect_noise((200, 200), 90).save(tmp_path / "whole.jpg")
    (tmp_path / "cut.jpg").write_bytes((tmp_path / "whole.jpg").read_bytes()[:4000])
    claim_size(tmp_path / "huge.png", 12_000, 10_000)
    claim_size(tmp_path / "bomb.png", 20_000, 10_000)
    os.mkfifo(tmp_path / "pipe")
    return tmp_path


@pytest.mark.parametrize(("row", "reason", "message"), CASES, ids=[case[1] for case in CASES])
def test_a_bad_row_is_dropped(folder: Path, row: Any, reason: str, message: str) -> None:
    path = write_pairs(folder / "pairs.jsonl", [pair(id="good"), row])
    loaded = load_rows(path, RP_DPO)
    assert [kept["id"] for kept in loaded.rows] == ["good"]
    (dropped,) = loaded.dropped
    assert (dropped.row, dropped.id, dropped.reason) == (2, row["id"], reason)
    assert message in dropped.message
    assert loaded.summary() == f"1 of 2 rows; dropped: 1 {reason}"


def test_a_row_of_another_shape_stops(folder: Path) -> None:
    path = write_pairs(folder / "pairs.jsonl", [pair(id="good"), pair(chosen="A cat.")])
    with pytest.raises(ToolkitError, match=r"pairs.jsonl:2: chosen: expected a list") as caught:
        load_rows(path, RP_DPO)
    assert caught.value.exit_code == 2


def test_dpo_needs_no_margin_and_sft_no_rejected(folder: Path) -> None:
    bare = {k: v for k, v in pair().items() if k in ("images", "prompt", "chosen", "rejected")}
    path = write_pairs(folder / "pairs.jsonl", [bare])
    (row,) = load_rows(path, Needs()).rows
    assert {"prompt", "chosen", "rejected", "images"} <= row.keys()
    assert row["images"] == [str(folder / "image0.png")]
    completion = {
        "images": ["image0.png"],
        "prompt": bare["prompt"],
        "completion": answer("A cat."),
    }
    write_pairs(path, [completion, {k: v for k, v in bare.items() if k != "rejected"}])
    rows = load_rows(path, Needs(rejected=False)).rows
    assert rows[0]["completion"] == answer("A cat.")
    assert rows[1]["completion"] == bare["chosen"]


def test_text_only_leaves_images_out(folder: Path) -> None:
    path = write_pairs(folder / "pairs.jsonl", [pair(images=["no.png"])])
    loaded = load_rows(path, Needs(text_only=True))
    (row,) = loaded.rows
    assert isinstance(row["prompt"][0]["content"], str)
    assert not loaded.has_images
    assert to_dataset(loaded.rows).column_names == ["prompt", "chosen", "rejected"]


def test_a_later_image_makes_vision_data(folder: Path) -> None:
    """TRL looks at the first row only."""
    (text,) = make_pairs(["reliability"])
    path = write_pairs(folder / "pairs.jsonl", [text | {"id": "text"}, pair()])
    dataset = to_dataset(load_rows(path, Needs()).rows)
    assert dataset[0]["images"] == []
    assert dataset[1]["images"][0].size == (40, 30)


def test_the_share_of_dropped_rows_is_limited(folder: Path) -> None:
    path = write_pairs(folder / "p.jsonl", [pair(id="good"), pair(images=["no.png"])])
    loaded = load_rows(path, RP_DPO)
    check_share(loaded, path, 0.5)
    with pytest.raises(
        ToolkitError, match=r"1 of 2 rows; dropped: 1 image missing; first: .*row 2"
    ):
        check_share(loaded, path, 0.4)
    write_pairs(path, [pair(images=["no.png"])])
    with pytest.raises(ToolkitError, match="nothing to train on: 0 of 1 rows") as caught:
        check_share(load_rows(path, RP_DPO), path, 1.0)
    assert caught.value.exit_code == 2


def test_lengths_are_those_of_trls_collator(folder: Path, vlm: Path) -> None:
    """Counted without processing each image, and with the tokens that the image becomes."""
    names = ["image0.png", "image1.png", "image2.png"]
    pairs = make_pairs(["reliability"] * 3, images=names)
    two = pairs[0]["prompt"][0]["content"]
    pairs[0]["images"], two[:0] = names[:2], [{"type": "image"}]
    loaded = load_rows(write_pairs(folder / "pairs.jsonl", pairs), RP_DPO)
    processor = AutoProcessor.from_pretrained(vlm)
    count = token_counter(processor)
    collate = DataCollatorForVisionPreference(processor)
    for row, example in zip(loaded.rows, to_dataset(loaded.rows), strict=True):
        total, image = count(row)
        ids = collate([example])["input_ids"]
        assert total == ids.shape[1]
        # Each image is 4 tokens and 3 marks around them.
        assert image == 7 * len(row["images"])


def test_a_row_that_would_be_cut_is_dropped(folder: Path, vlm: Path) -> None:
    path = write_pairs(folder / "pairs.jsonl", make_pairs(["reliability"], images=["image0.png"]))
    processor = AutoProcessor.from_pretrained(vlm)
    loaded = load_rows(path, RP_DPO)
    total, _ = token_counter(processor)(loaded.rows[0])
    assert drop_long(loaded, processor, total).rows == loaded.rows
    assert drop_long(loaded, processor, None).rows == loaded.rows
    (dropped,) = drop_long(loaded, processor, total - 1).dropped
    assert dropped.reason == "too long"
    assert dropped.message == f"{total} tokens, 7 of them for images, but max_length is {total - 1}"


def test_no_image_is_both_trained_on_and_held_out(folder: Path) -> None:
    names = make_images(folder, 8)
    pairs = make_pairs(["reliability"] * 40, images=names)
    for needs in (Needs(), Needs(text_only=True)):
        loaded = load_rows(write_pairs(folder / "pairs.jsonl", pairs), needs)
        train, held_out = split(loaded.rows, 0.25, seed=3)
        assert (len(train), len(held_out)) == (30, 10)
        assert not {row["_group"] for row in train} & {row["_group"] for row in held_out}
        assert held_out == split(loaded.rows, 0.25, seed=3)[1]
