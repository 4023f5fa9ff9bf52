"""Models are made once a session; nothing may be looked for online."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.training.models import make_images, save_text_model
from training.small_models import save_tiny_vlm

os.environ["HF_HUB_OFFLINE"] = "1"


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def text_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("text-model")
    save_text_model(folder)
    return folder


@pytest.fixture(scope="session")
def vlm(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vlm")
    save_tiny_vlm(folder)
    return folder


@pytest.fixture(scope="session")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Paths of three images."""
    folder = tmp_path_factory.mktemp("images")
    return [str(folder / name) for name in make_images(folder)]
