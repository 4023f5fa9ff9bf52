"""The ledger adds up over sessions, and what was written is there after a kill."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from runtime.errors import ToolkitError
from runtime.spend import SPEND, Spend, SpendLedger
from tests.full_disk import largest_file


def test_adds_up_over_sessions_by_backend(tmp_path: Path) -> None:
    for _ in range(3):
        with SpendLedger(tmp_path) as ledger:
            ledger.add("gemini", 100, 10, 0.25)
            ledger.add("qwen", 7, 1, 0.0)
    with SpendLedger(tmp_path) as ledger:
        assert ledger.spends == {
            "gemini": Spend(answers=3, prompt_tokens=300, completion_tokens=30, cost_usd=0.75),
            "qwen": Spend(answers=3, prompt_tokens=21, completion_tokens=3),
        }
        assert (ledger.cost_usd, ledger.is_new) == (0.75, False)


def test_every_answer_is_on_disk_at_once_and_whole(tmp_path: Path) -> None:
    with SpendLedger(tmp_path) as ledger:
        assert ledger.is_new
        for cost in (0.1, 0.2, 0.7, 1e-9, 0.3):  # their sums are longer and shorter texts
            ledger.add("a", 1, 1, cost)
            on_disk = json.loads((tmp_path / SPEND).read_text())
            assert on_disk["a"]["cost_usd"] == ledger.cost_usd


@pytest.mark.parametrize("text", ["", "{", "[]", '{"a": 1}', '{"a": {"cost": 1}}', "\x00" * 40])
def test_unreadable_ledger_counts_as_new(tmp_path: Path, text: str) -> None:
    (tmp_path / SPEND).write_text(text)
    with SpendLedger(tmp_path) as ledger:
        assert ledger.is_new
        ledger.add("a", 1, 1, 0.5)
    with SpendLedger(tmp_path) as ledger:
        assert ledger.cost_usd == 0.5


def test_a_disk_that_is_full_ends_the_run_before_anything_is_paid(tmp_path: Path) -> None:
    message = r"cannot write .*\.spend\.json: "
    with largest_file(100), pytest.raises(ToolkitError, match=message) as caught:
        SpendLedger(tmp_path)
    assert caught.value.kind == "prerequisite"
    assert caught.value.hint == "free some disk space, then run the same command again"


def test_a_disk_that_fills_up_later_has_room_for_the_sums(tmp_path: Path) -> None:
    with SpendLedger(tmp_path) as ledger, largest_file((tmp_path / SPEND).stat().st_size):
        for backend in ("gemini", "qwen", "gemini"):
            ledger.add(backend, 100, 10, 0.25)
    with SpendLedger(tmp_path) as ledger:
        assert ledger.cost_usd == 0.75


@pytest.mark.parametrize("room", [4096, 4100])  # nothing of the longer text, and a part of it
def test_a_sum_that_the_disk_does_not_take_leaves_the_one_before(tmp_path: Path, room: int) -> None:
    with SpendLedger(tmp_path) as ledger:
        ledger.add("a", 1, 1, 0.25)
        with largest_file(room), pytest.raises(ToolkitError, match="cannot write") as caught:
            ledger.add("b" * 5000, 1, 1, 0.5)
        assert (caught.value.kind, ledger.cost_usd) == ("prerequisite", 0.75)
        with SpendLedger(tmp_path) as kept:
            assert (kept.cost_usd, kept.is_new) == (0.25, False)
        ledger.add("a", 1, 1, 0.25)
    with SpendLedger(tmp_path) as ledger:
        assert ledger.cost_usd == 1.0


def test_a_ledger_that_is_a_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "precious.txt").write_text("mine")
    (tmp_path / SPEND).symlink_to(tmp_path / "precious.txt")
    with pytest.raises(ToolkitError, match=r"\.spend\.json: is a symbolic link") as caught:
        SpendLedger(tmp_path)
    assert caught.value.kind == "input"
    assert (tmp_path / "precious.txt").read_text() == "mine"
