"""`python -m benchmarks.exports FORMAT QUESTIONS_DIR --output DIR`."""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import re
import shutil
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from benchmarks.exports.questions import Questions, open_questions
from benchmarks.exports.readme import total
from runtime.command_line import add_reviewed_only, exit_on_error
from runtime.errors import ToolkitError
from runtime.files import is_running

FORMATS = {
    "huggingface": "benchmarks.exports.huggingface",
    "vlmevalkit": "benchmarks.exports.vlmevalkit",
    "lmms-eval": "benchmarks.exports.lmms_eval",
}


def main(argv: Sequence[str] | None = None) -> int:
    """Write a folder in the format of another tool; exit code 2 for bad input."""
    return exit_on_error(_main)(argv)


def _main(argv: Sequence[str] | None) -> int:
    options = _parser().parse_args(argv)
    questions = open_questions(
        options.questions, options.images or options.questions, options.license, options.source
    )
    if options.reviewed_only:
        questions = questions.only_reviewed()
    with _new_folder(options.output) as folder:
        module = importlib.import_module(FORMATS[options.format])
        module.export(questions, folder)
        _check_any(questions)
        (folder / "README.md").write_text(module.readme(questions), encoding="utf-8")
    for setting, counts in questions.counts.items():
        print(f"{setting:10} {counts.total():9,} questions")
    print(f"wrote {options.output}")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.exports",
        description="Write the questions of a folder, with their images, for another tool.",
    )
    add = parser.add_argument
    add("format", metavar="FORMAT", choices=FORMATS, help=", ".join(FORMATS))
    add("questions", metavar="QUESTIONS_DIR", type=Path,
        help="folder of multi_obj.csv and so on, as `benchmarks.finer build` writes")  # fmt: skip
    add("--output", metavar="DIR", type=Path, required=True, help="new folder for the result")
    add("--images", metavar="DIR", type=Path,
        help="where the images are (default: relative to the CSV files)")  # fmt: skip
    add("--license", metavar="NAME", default="unknown",
        help="licence for the dataset card, such as cc-by-4.0 (default: unknown)")  # fmt: skip
    add("--source", metavar="TEXT", default="not stated",
        help="where images and annotations come from, for the dataset card")  # fmt: skip
    add_reviewed_only(parser)
    return parser


def _check_any(questions: Questions) -> None:
    if total(questions) == 0:
        raise ToolkitError("input", f"{questions.folder}: the CSV files have no rows", "build more")


@contextlib.contextmanager
def _new_folder(path: Path) -> Iterator[Path]:
    """A folder that appears under its name only when complete."""
    try:
        path = path.resolve()
        if path.exists() and not (path.is_dir() and not any(path.iterdir())):
            message = f"{path}: exists and is not an empty folder"
            raise ToolkitError("config", message, "give --output a new folder, or remove this one")
        _remove_abandoned(path)
        partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
        partial.mkdir(parents=True)
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
        reason = getattr(error, "strerror", None) or error
        raise ToolkitError(
            "input", f"cannot write {path}: {reason}", "choose another --output"
        ) from error
    try:
        yield partial
        if path.exists():
            path.rmdir()
        partial.rename(path)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise


def _remove_abandoned(path: Path) -> None:
    """Remove what killed exports to this folder left beside it."""
    if not path.parent.is_dir():
        return
    name = re.compile(rf"\.{re.escape(path.name)}\.(\d{{1,10}})\.partial")
    for sibling in path.parent.iterdir():
        found = name.fullmatch(sibling.name)
        # One of this very process can only be of another with the same number, long gone.
        if found and (int(found[1]) == os.getpid() or not is_running(int(found[1]))):
            shutil.rmtree(sibling, ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
