"""What is wrong with one row of training data (spec 4)."""

from __future__ import annotations

import contextlib
import math
import os
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import get_args

from PIL import Image

from schemas.preference import ChatMessage, ImagePart, PairKind, TextPart
from schemas.training import PromptRow, TrainingRow

MAX_PIXELS = 100_000_000
_KINDS = get_args(PairKind)
_ORIENTATION, _TURNED = 0x0112, (5, 6, 7, 8)

Size = tuple[int, int]
"""Width and height of an image in pixels."""


@dataclass(frozen=True)
class Needs:
    """What a method needs of a row, and whether images are left out.

    Without `answer` the model answers by itself, and a row is a prompt alone.
    """

    rejected: bool = True
    margin: bool = False
    text_only: bool = False
    answer: bool = True


class Problem(Exception):
    """Why a row is dropped: the kind of problem, by which rows are counted, and a message."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason, self.message = reason, message


def check_row(row: PromptRow, folder: Path, needs: Needs) -> None:
    """Raises Problem for a row that must not be trained on; `folder` is where its images are."""
    _check_prompt(row)
    if isinstance(row, TrainingRow):
        _check_answers(row, needs)
    if not needs.text_only:
        _check_images(row, folder)


def _check_prompt(row: PromptRow) -> None:
    expected = ["user", "assistant"] * len(row.prompt)
    roles = [message.role for message in row.prompt]
    if not roles or roles[-1] != "user" or roles != expected[: len(roles)]:
        raise Problem("roles", f"prompt: user and assistant must alternate, user last: {roles}")


def _check_answers(row: TrainingRow, needs: Needs) -> None:
    for name in ("chosen", "rejected"):
        answer = getattr(row, name)
        if answer is not None and [message.role for message in answer] != ["assistant"]:
            raise Problem("roles", f"{name}: expected one message of the assistant")
        if answer is not None and not text_of(answer).strip():
            raise Problem("empty answer", f"{name}: has no text")
    if needs.rejected:
        _check_pair(row)
    if needs.margin:
        _check_margin(row)


def _check_pair(row: TrainingRow) -> None:
    if row.rejected is None:
        raise Problem("no rejected answer", "rejected: missing, and a pair needs both")
    if text_of(row.chosen).strip() == text_of(row.rejected).strip():
        raise Problem("equal answers", "chosen and rejected are the same text")


def _check_margin(row: TrainingRow) -> None:
    if row.margin is None or row.kind is None:
        what = "margin" if row.margin is None else "kind"
        raise Problem(f"no {what}", f"{what}: missing; training.dpo trains pairs without it")
    if row.kind not in _KINDS:
        raise Problem("unknown kind", f"kind: expected {' or '.join(_KINDS)}, got {row.kind!r}")
    if not math.isfinite(row.margin):
        raise Problem("margin not finite", f"margin: {row.margin}")


def _check_images(row: PromptRow, folder: Path) -> None:
    answers = (*row.chosen, *(row.rejected or ())) if isinstance(row, TrainingRow) else ()
    if any(_places(message) for message in answers):
        raise Problem("placeholders", "an answer has an image placeholder")
    places = sum(_places(message) for message in row.prompt)
    if places != len(row.images):
        raise Problem("placeholders", f"{len(row.images)} images but {places} placeholders")
    for image in row.images:
        image_size(str(locate(image, folder)))


def locate(image: str, folder: Path) -> Path:
    """The file of an image. Raises Problem for a URL."""
    if "://" in image:
        raise Problem("remote image", f"{image}: download it first, and name the file")
    return folder / image


def image_size(path: str) -> Size:
    """Width and height as a model sees them, turned as EXIF says. Raises as `stored_size`."""
    (width, height), turned = _decoded(path)
    return (height, width) if turned else (width, height)


def stored_size(path: str) -> Size:
    """Width and height of the stored pixels, whatever EXIF says.

    Decodes the file, and raises Problem if it cannot.
    """
    return _decoded(path)[0]


@lru_cache(maxsize=1_000_000)
def _decoded(path: str) -> tuple[Size, bool]:
    """The stored size, and whether EXIF turns the image on its side."""
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            raise Problem("image not readable", f"{path}: not a file")  # a pipe waits for ever
        with _quiet_about_size(), Image.open(path) as image:
            width, height = image.size
            if width * height > MAX_PIXELS:
                raise Problem("image too large", f"{path}: {width} x {height} pixels")
            turned = image.getexif().get(_ORIENTATION) in _TURNED
            image.draft("L", (64, 64))  # a JPEG is then decoded at an eighth of its size
            image.load()
    except FileNotFoundError:
        raise Problem("image missing", f"{path}: no such file") from None
    except Image.DecompressionBombError as error:
        raise Problem("image too large", f"{path}: {error}") from None
    except Problem:
        raise
    except Exception as error:  # of any type: Pillow's decoders trip over what a file says
        raise Problem("image not readable", f"{path}: {error}") from None
    return (width, height), turned


@contextlib.contextmanager
def _quiet_about_size() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        yield


def _places(message: ChatMessage) -> int:
    return sum(isinstance(part, ImagePart) for part in message.content)


def text_of(messages: Iterable[ChatMessage]) -> str:
    """All text of some messages."""
    return "".join(
        part.text for message in messages for part in message.content if isinstance(part, TextPart)
    )
