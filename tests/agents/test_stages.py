"""How rows become units of work."""

from __future__ import annotations

from pathlib import Path

import pytest

from agents.command import relocate
from agents.stages import split_responses
from schemas.record import ImageRecord


def test_each_response_is_a_record_of_its_own() -> None:
    row = ImageRecord.model_validate(
        {
            "id": "x" * 200,
            "image": "images/a.jpg",
            "responses": ["A cat.", "A dog."],
            "styles": ["neutral", "aggressive"],
            "reference": "A cat.",
        }
    )
    first, second = split_responses(row, Path("data"), Path("runs/one"))
    assert (first.id, second.id) == (f"{row.id}#0", f"{row.id}#1")
    assert (first.response, first.style) == ("A cat.", "neutral")
    assert (second.image_id, second.index) == (row.id, 1)
    assert first.image == "../../data/images/a.jpg"


@pytest.mark.parametrize("image", ["https://example.com/a.jpg", "s3://bucket/a.jpg"])
def test_urls_stay_as_they_are(image: str) -> None:
    assert relocate(image, Path("data"), Path("runs")) == image


def test_an_absolute_path_points_to_the_same_file(tmp_path: Path) -> None:
    image = tmp_path / "a.jpg"
    target = tmp_path / "runs" / "one"
    assert (target / relocate(str(image), Path("data"), target)).resolve() == image
