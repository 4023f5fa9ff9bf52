from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from shutil import copytree
from typing import Any

import pytest

from runtime.errors import ToolkitError
from runtime.files import write_jsonl
from runtime.store import HEADER, JOURNAL, Failure, Outcome, OutcomeStore

FINGERPRINT = {"agent": "rsr", "input": "abc", "backends": {"rsr": {"model": "m1"}}}
ROOT = Path(__file__).parents[2]


def value(record_id: str, index: int = 0, text: str = "é\u2028") -> Outcome:
    return Outcome(id=record_id, index=index, value={"text": text}, usage={"requests": 2})


def failure(record_id: str, index: int = 0, reason: str = "broken JSON") -> Outcome:
    return Outcome(
        id=record_id, index=index, failure=Failure(kind="malformed", reason=reason, hint="retry")
    )


def refusal(directory: Path, **options: object) -> ToolkitError:
    fingerprint = options.pop("fingerprint", FINGERPRINT)
    with pytest.raises(ToolkitError) as caught:
        OutcomeStore(directory, fingerprint, **options)  # type: ignore[arg-type]
    assert (caught.value.kind, caught.value.exit_code) == ("input", 2)
    return caught.value


def leaving_copies(step: Callable[..., Any], directory: Path, copies: Path) -> Callable[..., Any]:
    """The step, which copies what a kill before and after it would leave of a directory."""

    def copy() -> None:
        number = len(os.listdir(copies)) if copies.exists() else 0
        copytree(directory, copies / f"{number:03}")

    def stepped(*arguments: Any, **options: Any) -> Any:
        copy()
        try:
            return step(*arguments, **options)
        finally:
            copy()

    return stepped


def test_outcomes_come_back_in_the_asked_order(tmp_path: Path) -> None:
    outcomes = [value("a", 0), failure("b", 1), value("c", 2)]
    with OutcomeStore(tmp_path / "run", FINGERPRINT) as store:
        for outcome in reversed(outcomes):
            store.append(outcome)
        assert list(store.iterate_in_order(["a", "b", "missing", "c"])) == outcomes
        assert store.get("missing") is None
    with OutcomeStore(tmp_path / "run", FINGERPRINT) as store:
        assert list(store.iterate_in_order("abc")) == outcomes
        assert store.done("b") and not store.done("missing")


def test_an_outcome_is_either_a_value_or_a_failure() -> None:
    with pytest.raises(ValueError, match="either a value or a failure"):
        Outcome(id="a", index=0)
    with pytest.raises(ValueError, match="either a value or a failure"):
        Outcome(id="a", index=0, value={}, failure=Failure(kind="server", reason="x"))


def test_an_empty_value_is_a_value(tmp_path: Path) -> None:
    with OutcomeStore(tmp_path, FINGERPRINT) as store:
        store.append(Outcome(id="a", index=0, value={}))
        assert store.get("a") == Outcome(id="a", index=0, value={})


@pytest.mark.parametrize("torn", [b'{"id":"b","in', b'{"id":"b","index":1,"value":{}}', b"\0\0\n"])
def test_an_unfinished_last_line_is_cut(tmp_path: Path, torn: bytes) -> None:
    with OutcomeStore(tmp_path, FINGERPRINT) as store:
        store.append(value("a"))
    whole = (tmp_path / JOURNAL).read_bytes()
    (tmp_path / JOURNAL).write_bytes(whole + torn)
    with OutcomeStore(tmp_path, FINGERPRINT) as store:
        assert not store.done("b")
        store.append(value("b"))
        assert store.get("b") == value("b")
    with OutcomeStore(tmp_path, FINGERPRINT) as store:
        assert list(store.iterate_in_order("ab")) == [value("a"), value("b")]


def test_damage_before_the_last_line_is_named(tmp_path: Path) -> None:
    with OutcomeStore(tmp_path, FINGERPRINT) as store:
        store.append(value("a"))
    whole = (tmp_path / JOURNAL).read_bytes()
    (tmp_path / JOURNAL).write_bytes(whole + b"garbage\n" + whole)
    assert refusal(tmp_path).message == f"{tmp_path / JOURNAL}:2: damaged line"
    assert (tmp_path / JOURNAL).read_bytes() == whole + b"garbage\n" + whole


def test_a_full_disk_leaves_no_half_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real_write = os.write
    with OutcomeStore(tmp_path, FINGERPRINT) as store:
        store.append(value("a"))
        with monkeypatch.context() as patched:
            patched.setattr(os, "write", lambda fd, data: real_write(fd, data[:5]))
            with pytest.raises(ToolkitError, match="cannot write") as caught:
                store.append(value("b"))
        assert caught.value.exit_code == 3
        assert not store.done("b")
        store.append(value("c"))
    with OutcomeStore(tmp_path, FINGERPRINT) as store:
        assert list(store.iterate_in_order("abc")) == [value("a"), value("c")]


def test_a_different_run_is_refused_and_told_what_differs(tmp_path: Path) -> None:
    OutcomeStore(tmp_path, FINGERPRINT).close()
    other = {"agent": "rsr", "backends": {"rsr": {"model": "m2"}}, "seed": 17}
    error = refusal(tmp_path, fingerprint=other)
    assert error.message == (
        f"{tmp_path} holds a different run: "
        'backends.rsr.model: "m1" → "m2"; input: "abc" → absent; seed: absent → 17'
    )
    assert error.hint == "choose another --output, or start over with --overwrite"


def test_overwrite_starts_over_and_removes_only_the_files_of_the_former_run(
    tmp_path: Path,
) -> None:
    outputs = ["pairs.jsonl", "manifest.json"]
    with OutcomeStore(tmp_path, FINGERPRINT, outputs=outputs) as store:
        store.append(value("a"))
    for name in ["pairs.jsonl", "notes.txt"]:
        (tmp_path / name).write_text("x")
    with OutcomeStore(tmp_path, {"agent": "new"}, overwrite=True) as store:
        assert not store.done("a")
    assert sorted(os.listdir(tmp_path)) == [JOURNAL, HEADER, "notes.txt"]
    OutcomeStore(tmp_path, {"agent": "new"}).close()


def test_an_overwrite_that_is_killed_at_any_step_can_be_repeated(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    directory, left = tmp_path / "run", tmp_path / "left"
    with OutcomeStore(directory, FINGERPRINT, outputs=["pairs.jsonl", "scores.json"]) as store:
        store.append(value("a"))
    for name in ["pairs.jsonl", "scores.json", "reviews.jsonl"]:
        (directory / name).write_text("x")
    for name in ["unlink", "ftruncate", "replace", "open", "fsync"]:
        monkeypatch.setattr(os, name, leaving_copies(getattr(os, name), directory, left))
    OutcomeStore(directory, {"agent": "new"}, overwrite=True).close()
    monkeypatch.undo()
    states = sorted(left.iterdir())
    assert len(states) > 10
    for state in states:
        is_new = "new" in (state / HEADER).read_text()
        with OutcomeStore(state, {"agent": "new"} if is_new else FINGERPRINT) as store:
            assert not (is_new and store.done("a"))
        with OutcomeStore(state, {"agent": "new"}, overwrite=True) as store:
            assert not store.done("a")
        assert sorted(os.listdir(state)) == [JOURNAL, HEADER, "reviews.jsonl"]


def test_a_header_cannot_remove_files_elsewhere(tmp_path: Path) -> None:
    directory, precious = tmp_path / "run", tmp_path / "precious.txt"
    precious.write_text("x")
    OutcomeStore(directory, FINGERPRINT, outputs=["../precious.txt", str(precious)]).close()
    OutcomeStore(directory, FINGERPRINT, overwrite=True).close()
    assert precious.exists()


@pytest.mark.parametrize("overwrite", [False, True])
def test_a_directory_of_somebody_else_is_refused(tmp_path: Path, overwrite: bool) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    error = refusal(tmp_path, overwrite=overwrite)
    assert error.message == f"{tmp_path}: has files that no run of grainwise left there"
    assert os.listdir(tmp_path) == ["thesis.tex"]


def test_an_output_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    assert refusal(tmp_path / "file").message == f"{tmp_path / 'file'}: File exists"


def test_a_damaged_header_is_refused(tmp_path: Path) -> None:
    (tmp_path / HEADER).write_text("{}")
    assert refusal(tmp_path).message == f"{tmp_path / HEADER}: damaged"


def test_a_start_that_was_killed_before_its_header_can_be_repeated(tmp_path: Path) -> None:
    (tmp_path / JOURNAL).touch()
    (tmp_path / f".{HEADER}.123.partial").write_text('{"finger')
    OutcomeStore(tmp_path, FINGERPRINT).close()
    assert sorted(os.listdir(tmp_path)) == [JOURNAL, HEADER]


def test_a_journal_that_is_a_link_is_refused(tmp_path: Path) -> None:
    directory, precious = tmp_path / "run", tmp_path / "precious.txt"
    precious.write_text("one line without end")
    OutcomeStore(directory, FINGERPRINT).close()
    (directory / JOURNAL).unlink()
    for target in (precious, tmp_path / "new.txt"):
        (directory / JOURNAL).symlink_to(target)
        for overwrite in (False, True):
            error = refusal(directory, overwrite=overwrite)
            assert error.message == f"{directory / JOURNAL}: is a symbolic link"
        (directory / JOURNAL).unlink()
    assert precious.read_text() == "one line without end"
    assert sorted(os.listdir(tmp_path)) == ["precious.txt", "run"]


@pytest.mark.parametrize("code", [errno.ENOSYS, errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    opened: list[int] = []

    def refuse(descriptor: int, _: int) -> None:
        opened.append(descriptor)
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr("fcntl.flock", refuse)
    with pytest.raises(ToolkitError, match=f"cannot lock .*: {os.strerror(code)}") as caught:
        OutcomeStore(tmp_path, FINGERPRINT)
    assert (caught.value.kind, caught.value.hint) == (
        "prerequisite",
        "put --output on a local disk",
    )
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(opened[0])


def test_retry_rejected_forgets_failures_and_the_later_outcome_wins(tmp_path: Path) -> None:
    with OutcomeStore(tmp_path, FINGERPRINT) as store:
        for outcome in [value("a"), failure("b", 1), failure("c", 2)]:
            store.append(outcome)
    with OutcomeStore(tmp_path, FINGERPRINT, retry_rejected=True) as store:
        assert store.done("a")
        assert not store.done("b") and not store.done("c")
        store.append(value("b", 1))
        store.append(failure("c", 2, "again"))
    with OutcomeStore(tmp_path, FINGERPRINT) as store:
        found = list(store.iterate_in_order("abc"))
    assert found == [value("a"), value("b", 1), failure("c", 2, "again")]


def test_two_stores_cannot_write_one_directory(tmp_path: Path) -> None:
    with OutcomeStore(tmp_path, FINGERPRINT) as store:
        store.append(value("a"))
        for overwrite in (False, True):
            error = refusal(tmp_path, overwrite=overwrite)
            assert error.message == f"another run is writing to {tmp_path}"
        assert store.get("a") == value("a")
    OutcomeStore(tmp_path, FINGERPRINT).close()


def test_a_refused_store_releases_the_directory(tmp_path: Path) -> None:
    with OutcomeStore(tmp_path, FINGERPRINT) as store:
        store.append(value("a"))
    refusal(tmp_path, fingerprint={})
    with OutcomeStore(tmp_path, FINGERPRINT) as store:  # refuses while another one is open
        assert store.get("a") == value("a")


def test_a_killed_process_loses_no_finished_outcome(tmp_path: Path) -> None:
    """SIGKILL at whatever moment: what was acknowledged is there, and nothing is half there."""
    acknowledged = 0
    for _ in range(3):
        command = [sys.executable, "-m", "tests.runtime.endless_writer", str(tmp_path)]
        child = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT)
        assert child.stdout
        for _ in range(200):
            acknowledged = int(child.stdout.readline())
        child.send_signal(signal.SIGKILL)
        rest = child.stdout.read().split("\n")
        acknowledged = max([acknowledged, *(int(line) for line in rest[:-1])])
        child.wait()
    lines = (tmp_path / JOURNAL).read_bytes().splitlines(keepends=True)
    with OutcomeStore(tmp_path, {"agent": "writer"}) as store:
        names = [str(number) for number in range(len(lines) + 1)]
        outcomes = list(store.iterate_in_order(names))
    assert len(outcomes) >= acknowledged + 1 >= 600
    assert [outcome.index for outcome in outcomes] == list(range(len(outcomes)))
    assert all(outcome.value == {"text": outcome.id * 1000} for outcome in outcomes)
    write_jsonl(tmp_path / "rows.jsonl", outcomes)
    rows = (tmp_path / "rows.jsonl").read_text().splitlines()
    assert [json.loads(row)["id"] for row in rows] == names[: len(rows)]
