"""Two tiny dual encoders and a dozen drawn scenes, made once a session."""

from __future__ import annotations

from pathlib import Path

import pytest

from examples.shapes.generate import write_scenes
from tests.training.fgam.models import save_tiny_siglip
from training.small_models import save_tiny_clip


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clip")
    save_tiny_clip(folder)
    return folder


@pytest.fixture(scope="session")
def siglip_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("siglip")
    save_tiny_siglip(folder)
    return folder


@pytest.fixture(scope="session")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("shapes") / "scenes"
    write_scenes(folder, scenes=12, seed=5)
    return folder
