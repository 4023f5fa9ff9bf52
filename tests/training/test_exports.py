"""Exports: what each trainer documents, and TRL trains on its own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from datasets import load_dataset
from trl import DPOConfig, DPOTrainer

from tests.training.models import make_images, make_pairs, write_pairs
from training.exports import main


@pytest.fixture
def run(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    names = make_images(tmp_path)
    pairs = make_pairs(["reliability"] * 4, images=[f"../{name}" for name in names])
    write_pairs(folder / "pairs.jsonl", pairs)
    return folder


def test_trl_trains_on_its_export(run: Path, vlm: Path, tmp_path: Path) -> None:
    output = tmp_path / "deep/trl"
    assert main(["trl", str(run), "--output", str(output)]) == 0
    for name in ("image0.png", "image1.png", "image2.png"):
        (tmp_path / name).unlink()  # the images are inside
    dataset = load_dataset("parquet", data_files=str(output / "train.parquet"), split="train",
                           cache_dir=str(tmp_path / "cache"))  # fmt: skip
    assert dataset["kind"][:] == ["reliability"] * 4
    arguments = DPOConfig(output_dir=str(tmp_path / "out"), max_steps=1, use_cpu=True, bf16=False,
                          report_to="none")  # fmt: skip
    trainer = DPOTrainer(model=str(vlm), args=arguments, train_dataset=dataset)
    trainer.train()
    assert trainer.state.global_step == 1


def test_pairs_without_images_and_margins(tmp_path: Path) -> None:
    bare = [
        {k: v for k, v in pair.items() if k in ("prompt", "chosen", "rejected")}
        for pair in make_pairs(["reliability"] * 2)
    ]
    write_pairs(tmp_path / "pairs.jsonl", bare)
    assert main(["trl", str(tmp_path), "--output", str(tmp_path / "trl")]) == 0
    dataset = load_dataset("parquet", data_files=str(tmp_path / "trl/train.parquet"),
                           split="train", cache_dir=str(tmp_path / "cache"))  # fmt: skip
    assert dataset.column_names == ["prompt", "chosen", "rejected"]
    assert main(["llamafactory", str(tmp_path), "--output", str(tmp_path / "lf")]) == 0
    info = json.loads((tmp_path / "lf/dataset_info.json").read_text())
    assert "images" not in info["grainwise_pairs"]["columns"]


def test_llamafactory(run: Path, tmp_path: Path) -> None:
    output = tmp_path / "deep/lf"
    assert main(["llamafactory", str(run), "--output", str(output)]) == 0
    entry = json.loads((output / "dataset_info.json").read_text())["grainwise_pairs"]
    rows = json.loads((output / entry["file_name"]).read_text())
    pairs = [json.loads(line) for line in (run / "pairs.jsonl").read_text().splitlines()]
    question = pairs[0]["prompt"][0]["content"][1]["text"]
    assert rows[0]["conversations"] == [{"from": "human", "value": f"<image>\n{question}"}]
    assert rows[0]["chosen"] == {
        "from": "gpt",
        "value": pairs[0]["chosen"][0]["content"][0]["text"],
    }
    assert rows[0]["rejected"]["value"] == pairs[0]["rejected"][0]["content"][0]["text"]
    assert (output / rows[0]["images"][0]).resolve() == tmp_path / "image0.png"
    assert entry["ranking"] is True
    assert set(entry["columns"].values()) == {"conversations", "chosen", "rejected", "images"}


def test_ms_swift(run: Path, tmp_path: Path) -> None:
    assert main(["ms-swift", str(run), "--output", str(tmp_path / "swift")]) == 0
    lines = (tmp_path / "swift/pairs.jsonl").read_text().splitlines()
    row = json.loads(lines[1])
    assert [message["role"] for message in row["messages"]] == ["user", "assistant"]
    assert row["messages"][0]["content"].startswith("<image>\n")
    assert row["rejected_response"].endswith(" b")
    assert row["images"] == [str(tmp_path / "image1.png")]
    assert len(lines) == 4


def test_a_missing_image_or_run_is_named(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "image1.png").unlink()
    assert main(["trl", str(run), "--output", str(tmp_path / "trl")]) == 2
    assert "image1.png: no such image" in capsys.readouterr().err
    assert list((tmp_path / "trl").iterdir()) == []
    assert main(["ms-swift", str(tmp_path / "no"), "--output", str(tmp_path / "x")]) == 2
    assert "pairs.jsonl: No such file" in capsys.readouterr().err
    assert not (tmp_path / "x").exists()


def test_an_unpaired_row_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (pair,) = make_pairs(["reliability"])
    del pair["rejected"]
    write_pairs(tmp_path / "pairs.jsonl", [pair])
    assert main(["ms-swift", str(tmp_path), "--output", str(tmp_path / "x")]) == 2
    assert "pair-0: rejected: missing" in capsys.readouterr().err
    assert list((tmp_path / "x").iterdir()) == []
