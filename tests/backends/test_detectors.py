"""Grounding DINO of a few thousand random weights: the path to boxes, and what is made of them."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from backends import detectors
from backends.detectors import (
    Detection,
    GroundingDino,
    clipped,
    nearest_label,
    without_repeats,
)
from runtime.errors import ToolkitError

WORDS = "[PAD] [UNK] [CLS] [SEP] . ? dog red ball fire hydrant".split()
LABELS = ["dog", "fire hydrant", "red ball"]


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder as the published ones are laid out, with a network that is as small as it can be."""
    import torch
    from transformers import (
        BertConfig,
        BertTokenizerFast,
        GroundingDinoConfig,
        GroundingDinoForObjectDetection,
        GroundingDinoImageProcessorPil,
        SwinConfig,
    )

    folder = tmp_path_factory.mktemp("grounding-dino")
    torch.manual_seed(0)
    swin = SwinConfig(
        image_size=32, embed_dim=8, depths=[1] * 4, num_heads=[1] * 4, window_size=2,
        out_features=["stage2", "stage3", "stage4"],
    )  # fmt: skip
    bert = BertConfig(
        vocab_size=len(WORDS), hidden_size=16, num_hidden_layers=1, num_attention_heads=2,
        intermediate_size=16,
    )  # fmt: skip
    config = GroundingDinoConfig(
        backbone_config=swin, text_config=bert, num_queries=6, d_model=32, encoder_layers=1,
        encoder_ffn_dim=16, encoder_attention_heads=2, decoder_layers=2, decoder_ffn_dim=16,
        decoder_attention_heads=2, disable_custom_kernels=True,
    )  # fmt: skip
    GroundingDinoForObjectDetection(config).save_pretrained(folder)
    BertTokenizerFast(vocab={word: n for n, word in enumerate(WORDS)}).save_pretrained(folder)
    size = {"shortest_edge": 96, "longest_edge": 192}
    GroundingDinoImageProcessorPil(size=size).save_pretrained(folder)
    processor = folder / "preprocessor_config.json"
    published = {"processor_class": "GroundingDinoProcessor"}
    processor.write_text(json.dumps(json.loads(processor.read_text()) | published))
    return folder


def picture(folder: Path, width: int, height: int) -> Path:
    path = folder / f"{width}x{height}.png"
    Image.new("RGB", (width, height), "red").save(path)
    return path


def test_boxes_are_in_pixels_of_the_image_as_it_is(model: Path, tmp_path: Path) -> None:
    import torch
    from transformers import AutoModelForZeroShotObjectDetection, AutoProcessor

    detector = GroundingDino(str(model), min_score=0.0)
    path = picture(tmp_path, 200, 100)
    found = detector.detect(path, LABELS)
    network = AutoModelForZeroShotObjectDetection.from_pretrained(model).eval()
    inputs = AutoProcessor.from_pretrained(model)(
        images=Image.open(path), text="dog. fire hydrant. red ball.", return_tensors="pt"
    )
    with torch.inference_mode():
        [boxes] = network(**inputs).pred_boxes.tolist()  # center, width and height as shares
    expected = [
        clipped([200 * (x - w / 2), 100 * (y - h / 2), 200 * (x + w / 2), 100 * (y + h / 2)],
                200, 100)
        for x, y, w, h in boxes
    ]  # fmt: skip
    assert found and {one.box for one in found} <= set(expected)
    assert {one.label for one in found} <= set(LABELS)
    scores = [one.score for one in found]
    assert scores == sorted(scores, reverse=True) and 0 <= min(scores) <= max(scores) <= 1
    # Both are seen by the network in one size.
    larger = detector.detect(picture(tmp_path, 400, 200), LABELS)
    assert [one.label for one in larger] == [one.label for one in found]
    for one, twice in zip(found, larger, strict=True):
        assert twice.box == pytest.approx([2 * side for side in one.box], abs=0.03)


def test_it_loads_ahead_and_goes_to_other_processes_without_its_weights(model: Path) -> None:
    detector = GroundingDino(str(model), 0.5)
    detector.load()
    sent = pickle.dumps(detector)
    assert len(sent) < 1000
    again = pickle.loads(sent)
    assert (again.model, again.min_score) == (str(model), 0.5)
    again.load()


def test_unsure_detections_are_left_out(model: Path, tmp_path: Path) -> None:
    path = picture(tmp_path, 200, 100)
    found = GroundingDino(str(model), min_score=0.0).detect(path, LABELS)
    limit = found[1].score - 1e-4
    sure = GroundingDino(str(model), min_score=limit).detect(path, LABELS)
    assert sure == [one for one in found if one.score > limit] != found
    assert GroundingDino(str(model), min_score=1.0).detect(path, LABELS) == []


def test_no_label_is_no_question(tmp_path: Path) -> None:
    detector = GroundingDino("not loaded")
    assert detector.detect(picture(tmp_path, 20, 10), []) == []
    nonsense = ["...", "", "a name of many more words than the name of a thing has"]
    assert detector.detect(picture(tmp_path, 20, 10), nonsense) == []


def test_many_labels_are_asked_for_in_several_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[list[str]] = []
    detector = GroundingDino("not loaded")
    monkeypatch.setattr(
        detector, "_pass", lambda image, labels: asked.append(list(labels)) or iter(())
    )
    detector.detect(picture(tmp_path, 20, 10), [*(f"Thing. {n}" for n in range(45)), "thing 3"])
    assert [len(labels) for labels in asked] == [20, 20, 5]
    assert asked[0][:2] == ["thing 0", "thing 1"]


def test_an_unreadable_image_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    for content in (None, b"no image"):
        if content:
            path.write_bytes(content)
        with pytest.raises(ToolkitError, match=r"a\.png") as raised:
            GroundingDino("not loaded").detect(path, LABELS)
        assert raised.value.kind == "image"


def test_other_models_and_pickled_weights_are_refused(model: Path, tmp_path: Path) -> None:
    import shutil

    import torch
    from safetensors.torch import load_file

    other = tmp_path / "other"
    other.mkdir()
    (other / "config.json").write_text('{"model_type": "bert"}')
    pickled = tmp_path / "pickled"
    shutil.copytree(model, pickled)
    torch.save(load_file(pickled / "model.safetensors"), pickled / "pytorch_model.bin")
    (pickled / "model.safetensors").unlink()
    path = picture(tmp_path, 20, 10)
    for folder, said in ((other, "it is of type bert"), (pickled, "model.safetensors")):
        with pytest.raises(ToolkitError, match=said) as raised:
            GroundingDino(str(folder)).detect(path, LABELS)
        assert raised.value.kind == "prerequisite" and "--boxes" in raised.value.hint


def test_missing_libraries_are_named_with_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(detectors, "find_spec", lambda name: None if name == "torch" else object())
    with pytest.raises(ToolkitError, match="the detector needs torch") as raised:
        GroundingDino()
    assert raised.value.exit_code == 3
    assert raised.value.hint.startswith('pip install "grainwise[train]"')


def test_the_module_loads_neither_torch_nor_transformers() -> None:
    code = (
        "import sys, backends.detectors as d; d.GroundingDino(); "
        "print({'torch', 'transformers'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.stdout == "set()\n", done.stderr


@pytest.mark.parametrize(
    ("said", "label"),
    [
        ("fire hydrant", "fire hydrant"),
        ("hydrant", "fire hydrant"),
        ("dog ball", "dog"),
        ("Red ball", "red ball"),
        ("cat", None),
        ("", None),
    ],
)
def test_words_that_a_detection_was_read_with_name_a_label(said: str, label: str | None) -> None:
    assert nearest_label(said, LABELS) == label


def test_boxes_are_cut_at_the_edges() -> None:
    assert clipped([-3.0, 5.0, 12.3456, 30.0], 20, 10) == (0, 5, 12.35, 10)
    assert clipped([19.5, 0.0, 30.0, 10.0], 20, 10) is None
    assert clipped([30.0, 0.0, 40.0, 10.0], 20, 10) is None


def test_of_two_boxes_on_each_other_the_likelier_stays() -> None:
    dog = Detection((0, 0, 100, 100), "dog", 0.6)
    puppy = Detection((0, 0, 100, 90), "puppy", 0.7)  # 90 % of the union
    collar = Detection((40, 40, 60, 60), "collar", 0.5)
    cat = Detection((20, 0, 120, 100), "cat", 0.4)  # 8,000 of 12,000
    assert without_repeats([dog, puppy, collar, cat]) == [puppy, collar, cat]
