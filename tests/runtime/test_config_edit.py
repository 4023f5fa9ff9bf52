"""A threshold is written into all kinds of config files, and nothing else in them changes."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from runtime.config import load_config
from runtime.config_edit import set_value
from runtime.errors import ToolkitError
from tests.e2e.commands import ROOT


def write(path: Path, text: str, value: float = 0.32) -> str:
    path.write_bytes(text.encode())
    set_value(path, "discriminator", "max_entropy", value)
    assert load_config(path).discriminator.max_entropy == value
    return path.read_bytes().decode()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("", "discriminator:\n  max_entropy: 0.32\n"),
        ("# mine\n", "# mine\ndiscriminator:\n  max_entropy: 0.32\n"),
        ("# mine", "# mine\ndiscriminator:\n  max_entropy: 0.32\n"),
        ("run: {seed: 3}", "run: {seed: 3}\ndiscriminator:\n  max_entropy: 0.32\n"),
        ("run: {seed: 3}\r\n",
         "run: {seed: 3}\r\ndiscriminator:\r\n  max_entropy: 0.32\r\n"),
        ("  run: {seed: 3}\n", "  run: {seed: 3}\n  discriminator:\n    max_entropy: 0.32\n"),
        ("discriminator:\n    votes: 3  # few\nrun: {}\n",
         "discriminator:\n    max_entropy: 0.32\n    votes: 3  # few\nrun: {}\n"),
        ("discriminator:\n  max_entropy: 0.5  # as in the paper\n  votes: 3\n",
         "discriminator:\n  max_entropy: 0.32  # as in the paper\n  votes: 3\n"),
        ("discriminator: {max_entropy: .5e0, votes: 3} # x\n",
         "discriminator: {max_entropy: 0.32, votes: 3} # x\n"),
        ("discriminator: {}\n", 'discriminator: {"max_entropy": 0.32}\n'),
        ("discriminator: {votes: 3}\n", 'discriminator: {"max_entropy": 0.32, votes: 3}\n'),
        ('{"run": {"seed": 3}}', '{"discriminator": {"max_entropy": 0.32}, "run": {"seed": 3}}'),
        ("{}", '{"discriminator": {"max_entropy": 0.32}}'),
        ("---\nrun: {cache: 'ü 𝄞'}\n",
         "---\nrun: {cache: 'ü 𝄞'}\ndiscriminator:\n  max_entropy: 0.32\n"),
    ],
)  # fmt: skip
def test_only_the_value_changes(tmp_path: Path, before: str, after: str) -> None:
    assert write(tmp_path / "config.yaml", before) == after


@pytest.mark.parametrize("example", sorted((ROOT / "examples/configs").glob("*.yaml")))
def test_the_examples_keep_their_comments(tmp_path: Path, example: Path) -> None:
    text = example.read_text()
    path = tmp_path / "config.yaml"
    assert write(path, text).startswith(text)
    assert write(path, path.read_text(), 1.0).startswith(text)


@pytest.mark.parametrize(
    "text",
    [
        "a: &x {}\n",
        "run: {seed: 3}\n...\n",
        "agents: &a {default: rules}\ndiscriminator: *a\n",
        "discriminator: {max_entropy: high}\n",
        "[1, 2]\n",
    ],
)
def test_what_cannot_be_edited_is_left_alone(tmp_path: Path, text: str) -> None:
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ToolkitError) as caught:
        set_value(path, "discriminator", "max_entropy", 0.32)
    assert caught.value.kind == "config"
    assert path.read_text() == text


def test_an_aliased_value_is_not_changed_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    text = "run: {max_error_rate: &x 0.5}\ndiscriminator: {max_entropy: *x}\n"
    path.write_text(text)
    with pytest.raises(ToolkitError, match="without changing more than that"):
        set_value(path, "discriminator", "max_entropy", 0.32)
    assert path.read_text() == text


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    (tmp_path / "real.yaml").write_text("run: {}\n")
    os.symlink("real.yaml", tmp_path / "config.yaml")
    set_value(tmp_path / "config.yaml", "discriminator", "max_entropy", 0.32)
    assert (tmp_path / "config.yaml").is_symlink()
    assert "0.32" in (tmp_path / "real.yaml").read_text()


def test_who_may_read_a_config_stays(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.touch(0o600)
    write(path, "run: {seed: 3}")
    assert path.stat().st_mode & 0o777 == 0o600
