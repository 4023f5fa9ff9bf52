from __future__ import annotations

import importlib
import subprocess
import sys
from argparse import Namespace
from collections.abc import Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from runtime.command_line import CommandOptions, exit_on_error, parse_options
from runtime.errors import ToolkitError
from runtime.sources import Source

ROOT = Path(__file__).parents[2]
REQUIRED = ["in.jsonl", "--output", "out"]


def parse(*words: str) -> CommandOptions:
    return parse_options("python -m agents.rsr", "Makes pairs.", [*REQUIRED, *words])


def test_only_input_and_output_are_required() -> None:
    assert parse() == CommandOptions(
        input=Source(("in.jsonl",)), output=Path("out"), config=None, backends=(), limit=None,
        seed=None, concurrency=64, engine="local", dry_run=False, batch=False, max_cost=None,
        max_error_rate=None, retry_rejected=False, overwrite=False,
        allow_remote_images=False, reviewed_only=False, own=Namespace(),
    )  # fmt: skip


def test_every_flag_arrives() -> None:
    words = (
        "--config c.yaml --backend rules --backend rsr=gemini --limit 5 --seed 0 --concurrency 8 "
        "--engine ray --dry-run --batch --max-cost 2.5 --max-error-rate 1 --retry-rejected "
        "--overwrite "
        "--allow-remote-images --reviewed-only"
    )
    assert parse(*words.split()) == CommandOptions(
        input=Source(("in.jsonl",)), output=Path("out"), config=Path("c.yaml"),
        backends=("rules", "rsr=gemini"), limit=5, seed=0, concurrency=8, engine="ray",
        dry_run=True, batch=True, max_cost=2.5, max_error_rate=1.0, retry_rejected=True,
        overwrite=True,
        allow_remote_images=True, reviewed_only=True, own=Namespace(),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--limit", "0"], "argument --limit: expected a whole number above 0, got '0'"),
        (["--limit", "-3"], "argument --limit: expected a whole number above 0, got '-3'"),
        (["--seed", "-1"], "argument --seed: expected a whole number from 0 on, got '-1'"),
        (["--seed", "1.5"], "argument --seed: expected a whole number from 0 on, got '1.5'"),
        (["--concurrency", "x"], "argument --concurrency: expected a whole number above 0, got "),
        (["--max-cost", "nan"], "argument --max-cost: expected a number above 0, got 'nan'"),
        (["--max-cost", "inf"], "argument --max-cost: expected a number above 0, got 'inf'"),
        (["--max-error-rate", "2"], "argument --max-error-rate: expected a number from 0 to 1, "),
        (["--colour"], "unrecognized arguments: --colour"),
    ],
)
def test_a_bad_flag_exits_with_2(
    words: list[str], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        parse(*words)
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


@pytest.mark.parametrize("module", [
    "agents.response_parser", "benchmarks.finer_build", "benchmarks.finer_score", "pages.review",
    "examples.shapes.generate",
])  # fmt: skip
def test_every_seed_is_one_that_numpy_takes(
    module: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as caught:
        importlib.import_module(module).main(["in", "--output", "out", "--seed", "-1"])
    assert caught.value.code == 2
    assert "argument --seed: expected a whole number from 0 on" in capsys.readouterr().err


def test_a_limit_of_more_records_than_there_can_be_is_none() -> None:
    assert len(list(islice(range(3), parse("--limit", "9" * 20).limit))) == 3


def test_the_parser_imports_no_third_party_package() -> None:
    code = (
        "import sys; before = set(sys.modules); import runtime.command_line; "
        "new = {name.partition('.')[0] for name in set(sys.modules) - before}; "
        "print(sorted(new - set(sys.stdlib_module_names)))"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "['runtime']"


@pytest.mark.parametrize(
    ("error", "code", "text"),
    [
        (ToolkitError("auth", "no key", "set KEY"), 3, "error: no key\n  → set KEY\n"),
        (ToolkitError("config", "bad"), 2, "error: bad\n"),
        (ToolkitError("budget", "spent"), 4, "error: spent\n"),
        (ToolkitError("error_rate", "many"), 5, "error: many\n"),
        (ToolkitError("server", "500"), 2, "error: 500\n"),
        (KeyboardInterrupt(), 130, "interrupted; run the same command again to continue\n"),
    ],
)
def test_what_a_command_raises_becomes_its_exit_code(
    error: BaseException, code: int, text: str, capsys: pytest.CaptureFixture[str]
) -> None:
    @exit_on_error
    def main(argv: Sequence[str] | None) -> int:
        raise error

    assert main([]) == code
    assert capsys.readouterr().err == text


def test_programming_errors_and_plain_results_pass_through() -> None:
    @exit_on_error
    def main(argv: Sequence[str] | None) -> int:
        return 10 // len(argv or ())

    assert main(["x"]) == 10
    with pytest.raises(ZeroDivisionError):
        main([])


def test_a_closed_pipe_ends_quietly() -> None:
    code = (
        "import sys\nfrom runtime.command_line import exit_on_error\n"
        "@exit_on_error\ndef main(argv):\n"
        "    while True:\n        print('x' * 10000)\n"
        "sys.exit(main([]))"
    )
    pipes: dict[str, Any] = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    child = subprocess.Popen([sys.executable, "-c", code], cwd=ROOT, **pipes)
    assert child.stdout and child.stderr
    child.stdout.readline()
    child.stdout.close()
    assert child.stderr.read() == ""
    child.stderr.close()
    assert child.wait(timeout=30) == 141
