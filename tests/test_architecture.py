"""The rules of ARCHITECTURE.md that a machine can hold: who imports whom, what stays unloaded."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
# Each folder with the folders it may import; a dotted name allows that module only.
MAY_IMPORT = {
    "schemas": set(),
    "prompts": {"schemas"},
    "scoring": {"schemas"},
    "runtime": {"schemas"},
    "backends": {"schemas", "runtime.errors"},
    "agents": {"schemas", "prompts", "scoring", "runtime", "backends"},
    "training": {"schemas", "scoring", "runtime"},
    "benchmarks": {"schemas", "prompts", "scoring", "runtime", "backends", "agents"},
    "pages": {"schemas", "prompts", "scoring", "runtime", "backends", "agents", "benchmarks"},
}


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module


@pytest.mark.parametrize("folder", MAY_IMPORT)
def test_imports_point_upwards(folder: str) -> None:
    wrong = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for name in imports(path)
        if (top := name.split(".")[0]) in MAY_IMPORT and top != folder
        if not {top, name} & MAY_IMPORT[folder]
    ]
    assert wrong == []


@pytest.mark.parametrize(
    "module",
    [
        "agents.rsr", "agents.caption_parser", "agents.negative_generator", "agents.discriminator",
        "agents.region_writer",
        "benchmarks.granfact", "benchmarks.finer", "benchmarks.finer_build",
        "benchmarks.finer_evaluate", "benchmarks.finer_score", "benchmarks.diff",
        "benchmarks.graph_scores", "benchmarks.sources", "benchmarks.exports", "scoring",
        "training.dpo", "training.rp_dpo", "training.sft", "training.exports",
        "training.small_models", "training.rl", "training.hybrid",
        "training.fgam", "training.fgam.evaluate", "pages.report", "pages.review",
    ],
)  # fmt: skip
def test_help_loads_nothing_heavy(module: str) -> None:
    code = (
        "import runpy, sys\n"
        f"sys.argv = ['{module}', '--help']\n"
        "try:\n"
        f"    runpy.run_module('{module}', run_name='__main__', alter_sys=True)\n"
        "except SystemExit:\n"
        "    pass\n"
        "heavy = {'litellm', 'torch', 'spacy', 'ray', 'numpy', 'pyarrow', 'instructor', 'pandas',\n"
        "         'datasets', 'trl', 'transformers', 'peft', 'altair', 'vl_convert', 'jinja2'}\n"
        "print('loaded', sorted(heavy & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert "usage: " in done.stdout
    assert done.stderr.splitlines()[-1] == "loaded []"


def test_every_prompt_is_complete() -> None:
    from prompts import load_prompt

    for path in sorted((ROOT / "prompts").glob("*.md")):
        prompt = load_prompt(path.stem)
        assert prompt.text.startswith(f"# Task: {path.stem}\n")
        assert prompt.text.count("<input>") >= 1
        assert "## Output contract" in prompt.text
