"""Open-vocabulary detectors: names of things → boxes in an image (FGAM section 3.2.1).

Grounding DINO through `transformers`; torch and transformers load with the model.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from backends.images import readable_image
from runtime.errors import ToolkitError
from schemas.region import Box

DEFAULT_MODEL = "IDEA-Research/grounding-dino-tiny"
MIN_SCORE = 0.35
_MIN_WORD_SCORE = 0.25  # of a word, to be read as part of a detection's label
_MODEL_TYPES = ("grounding-dino", "mm-grounding-dino")
_LABELS_A_PASS = 20  # the model reads 256 tokens; the fewer names, the less it mixes them up
_MOST_WORDS = 6
_SAME_REGION = 0.8  # intersection over union
_WORD = re.compile(r"[a-z0-9][a-z0-9'’-]*")


@dataclass(frozen=True)
class Detection:
    """A thing that was found: its box in pixels, one of the labels asked for, and a score 0–1."""

    box: Box
    label: str
    score: float


class Detector(Protocol):
    """Finds things by name."""

    @property
    def name(self) -> str:
        """What stands in `source` of its regions."""
        ...

    def load(self) -> None:
        """Get ready. Raises ToolkitError when it cannot be loaded."""
        ...

    def detect(self, image: Path, labels: Sequence[str]) -> list[Detection]:
        """What of the labels is in an image, likeliest first. Raises ToolkitError."""
        ...


class GroundingDino:
    """A Grounding DINO or MM Grounding DINO of the Hub or of a folder, on a GPU if there is one.

    Keeps detections of at least `min_score`, and the likeliest of those that lie on each other.
    Raises ToolkitError("prerequisite") when torch or transformers is not installed.
    """

    name = "grounding-dino"

    def __init__(self, model: str = DEFAULT_MODEL, min_score: float = MIN_SCORE) -> None:
        self.model, self.min_score = model, min_score
        self._loaded: tuple[Any, Any] | None = None
        self._lock = threading.Lock()
        missing = [name for name in ("torch", "transformers") if not find_spec(name)]
        if missing:
            raise ToolkitError(
                "prerequisite",
                f"the detector needs {' and '.join(missing)}",
                'pip install "grainwise[train]", or give boxes with --boxes',
            )

    def __reduce__(self) -> tuple[type[GroundingDino], tuple[str, float]]:
        """Another process loads the model by itself."""
        return GroundingDino, (self.model, self.min_score)

    def load(self) -> None:
        """Load the model, if that is still to do. Raises ToolkitError("prerequisite")."""
        with self._lock:
            self._load()

    def detect(self, image: Path, labels: Sequence[str]) -> list[Detection]:
        """What of the labels is in an image, likeliest first; one call at a time.

        Raises ToolkitError: "image" for one that cannot be read, "prerequisite" for a model that
        cannot be loaded.
        """
        known = list(dict.fromkeys(filter(None, map(_asked, labels))))
        with readable_image(image) as opened:
            pixels = opened.convert("RGB")
        with self._lock:
            found = [
                detection
                for start in range(0, len(known), _LABELS_A_PASS)
                for detection in self._pass(pixels, known[start : start + _LABELS_A_PASS])
            ]
        return without_repeats(found)

    def _pass(self, image: Any, labels: Sequence[str]) -> Iterator[Detection]:
        import torch

        model, processor = self._load()
        inputs = processor(images=image, text=list(labels), return_tensors="pt").to(model.device)
        with torch.inference_mode():
            outputs = model(**inputs)
        [found] = processor.post_process_grounded_object_detection(
            outputs,
            inputs["input_ids"],
            threshold=self.min_score,
            text_threshold=_MIN_WORD_SCORE,
            target_sizes=[(image.height, image.width)],
        )
        # Where nothing is found, there is one empty label all the same.
        boxes, scores = found["boxes"].tolist(), found["scores"].tolist()
        for box, score, said in zip(boxes, scores, found["text_labels"], strict=False):
            label, inside = nearest_label(said, labels), clipped(box, image.width, image.height)
            if label and inside:
                yield Detection(inside, label, score)

    def _load(self) -> tuple[Any, Any]:
        """The model and its processor. Weights that are not safetensors are refused."""
        if self._loaded is None:
            import torch
            from transformers import AutoConfig, AutoModelForZeroShotObjectDetection, AutoProcessor

            try:
                kind = AutoConfig.from_pretrained(self.model).model_type
                if kind not in _MODEL_TYPES:
                    raise ValueError(f"it is of type {kind}, not {' or '.join(_MODEL_TYPES)}")
                network = AutoModelForZeroShotObjectDetection.from_pretrained(
                    self.model, use_safetensors=True
                )
                processor = AutoProcessor.from_pretrained(self.model)
            except (OSError, ValueError, ImportError, KeyError) as error:
                hint = "check --detector and the network, or give boxes with --boxes"
                message = f"{self.model}: cannot be loaded: {error}"
                raise ToolkitError("prerequisite", message, hint) from error
            device = "cuda" if torch.cuda.is_available() else "cpu"
            self._loaded = network.to(device).eval(), processor
        return self._loaded


def _asked(label: str) -> str | None:
    """A label as it is put to the model, which reads a full stop as its end."""
    words = _WORD.findall(label.lower())
    return " ".join(words) if 0 < len(words) <= _MOST_WORDS else None


def nearest_label(said: str, labels: Sequence[str]) -> str | None:
    """The label meant by the words that a detection was read with; None if it shares none.

    The model may leave out a word ("hydrant") or take one of another label along.
    """
    words = set(_WORD.findall(said.lower()))

    def likeness(label: str) -> float:
        own = set(_WORD.findall(label))
        return len(words & own) / len(words | own)

    best = max(labels, key=likeness, default=None) if words else None
    return best if best and likeness(best) else None


def clipped(box: Sequence[float], width: int, height: int) -> Box | None:
    """The part of a box that is in the image; None where less than one pixel is left."""
    x0, x1 = (round(min(max(edge, 0.0), width), 2) for edge in (box[0], box[2]))
    y0, y1 = (round(min(max(edge, 0.0), height), 2) for edge in (box[1], box[3]))
    return (x0, y0, x1, y1) if x1 - x0 >= 1 and y1 - y0 >= 1 else None


def without_repeats(found: Sequence[Detection]) -> list[Detection]:
    """Likeliest first, without those that lie on a likelier one, whatever their label.

    One region with two texts would count against itself in the region loss.
    """
    kept: list[Detection] = []
    for one in sorted(found, key=lambda detection: -detection.score):
        if all(_overlap(one.box, other.box) <= _SAME_REGION for other in kept):
            kept.append(one)
    return kept


def _overlap(first: Box, second: Box) -> float:
    """Intersection over union, 0 to 1."""
    wide = min(first[2], second[2]) - max(first[0], second[0])
    high = min(first[3], second[3]) - max(first[1], second[1])
    if wide <= 0 or high <= 0:
        return 0.0
    areas = ((x1 - x0) * (y1 - y0) for x0, y0, x1, y1 in (first, second))
    return wide * high / (sum(areas) - wide * high)
