"""A task folder for lmms-eval: a YAML file a setting, a group, `utils.py` and Parquet data."""

from __future__ import annotations

import inspect
from collections.abc import Iterable
from pathlib import Path

from benchmarks import finer_prompt
from benchmarks.exports import lmms_eval_utils
from benchmarks.exports.parquet import write_shards
from benchmarks.exports.questions import Questions
from benchmarks.exports.readme import body

GROUP = "finer"

_FUTURE = "from __future__ import annotations\n"
_IMPORT = "from benchmarks.finer_prompt import UNPARSED, chosen_option, prompt\n"


def export(questions: Questions, folder: Path) -> None:
    """Write `finer_SETTING.yaml`, `finer.yaml`, `utils.py` and `data/*.parquet`.

    The group reports the mean paired accuracy of the settings; `levels` is a task of its own.
    """
    tasks = []
    for setting in questions.settings:
        shards = write_shards(questions.read(setting), folder / "data" / setting)
        if shards:
            task = f"{GROUP}_{setting}"
            tasks.append(task)
            data = [f"data/{path.name}" for path in shards]
            text = _task(task, data, sorted(questions.counts[setting]))
            (folder / f"{task}.yaml").write_text(text, encoding="utf-8")
    paired = [task for task in tasks if task != f"{GROUP}_levels"]
    if paired:
        (folder / f"{GROUP}.yaml").write_text(_group(paired), encoding="utf-8")
    (folder / "utils.py").write_text(_utils(), encoding="utf-8")


def readme(questions: Questions) -> str:
    """How to run it, and what it holds."""
    tasks = ",".join(f"{GROUP}_{name}" for name, counts in questions.counts.items() if counts)
    return _USAGE.format(tasks=tasks) + body(questions)


def _utils() -> str:
    """Needs nothing but Python, as lmms-eval loads the file by itself."""
    shared = inspect.getsource(finer_prompt).partition(_FUTURE)[2].strip()
    return inspect.getsource(lmms_eval_utils).replace(_IMPORT, f"{shared}\n")


def _task(task: str, data: Iterable[str], counts: Iterable[str]) -> str:
    levels = task.endswith("_levels")
    process = "process_level_results" if levels else "process_results"
    metrics = [(name, "mean") for name in ("accuracy", *(counts if levels else ()))]
    if not levels:
        metrics.insert(0, ("paired_accuracy", "!function utils.paired_accuracy"))
    lines = [
        f"task: {task}",
        "dataset_path: parquet",
        "dataset_kwargs:",
        "  data_files:",
        "    test:",
        *(f"      - {name}" for name in data),
        "test_split: test",
        "output_type: generate_until",
        "doc_to_visual: !function utils.doc_to_visual",
        "doc_to_text: !function utils.doc_to_text",
        "doc_to_target: !function utils.doc_to_target",
        f"process_results: !function utils.{process}",
        "generation_kwargs:",
        "  max_new_tokens: 16",
        "  temperature: 0",
        "  do_sample: false",
        "metric_list:",
        *(line for name, aggregation in metrics for line in _metric(name, aggregation, True)),
        *_metric("unparsed", "mean", False),
        "metadata:",
        "  version: 1.0",
    ]
    return "\n".join(lines) + "\n"


def _metric(name: str, aggregation: str, higher: bool) -> list[str]:
    better = str(higher).lower()
    return [
        f"  - metric: {name}",
        f"    aggregation: {aggregation}",
        f"    higher_is_better: {better}",
    ]


def _group(tasks: Iterable[str]) -> str:
    lines = [
        f"group: {GROUP}",
        "task:",
        *(f"  - {task}" for task in tasks),
        "aggregate_metric_list:",
        "  - metric: paired_accuracy",
        "    aggregation: mean",
        "    weight_by_size: false",
        "metadata:",
        "  version: 1.0",
    ]
    return "\n".join(lines) + "\n"


_USAGE = """# Fine-grained negative questions for lmms-eval

```
python -m lmms_eval --model MODEL --include_path THIS_FOLDER --tasks {tasks}
```

`paired_accuracy` counts a pair as right when both of its questions are answered right; `unparsed`
is the share of answers that name no option, which count as wrong. The files of data are found
relative to the tasks by lmms-eval 0.7 and later; run an older one from inside this folder.

"""
