"""A dataset folder for the Hugging Face Hub: one configuration a setting, and a dataset card."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from benchmarks.exports.parquet import FEATURES, write_shards
from benchmarks.exports.questions import Questions
from benchmarks.exports.readme import body, total

SPLIT = "test"
_SIZES = ((1_000, "n<1K"), (10_000, "1K<n<10K"), (100_000, "10K<n<100K"), (10**6, "100K<n<1M"))


def export(questions: Questions, folder: Path) -> None:
    """Write `SETTING/test-*.parquet`."""
    for setting in questions.settings:
        write_shards(questions.read(setting), folder / setting / SPLIT)


def readme(questions: Questions) -> str:
    """The dataset card. The first configuration is the default one."""
    import yaml

    front = yaml.safe_dump(_front_matter(questions), sort_keys=False, allow_unicode=True)
    first = next(name for name, counts in questions.counts.items() if counts)
    usage = [
        "# Fine-grained negative questions",
        "",
        "```python",
        "from datasets import load_dataset",
        "",
        f'questions = load_dataset("PATH_OR_REPOSITORY", "{first}", split="{SPLIT}")',
        "```",
        "",
        "Rows with the same `pair` belong together; `qtype` is the setting, the number of elements "
        "and the side (`pos` or `neg`); `gt_index` counts `choices` from 0 and `answer` is its "
        "letter.",
        "",
    ]
    return f"---\n{front}---\n\n" + "\n".join(usage) + "\n" + body(questions)


def _front_matter(questions: Questions) -> dict[str, Any]:
    settings = [name for name, counts in questions.counts.items() if counts]
    size = next((name for limit, name in _SIZES if total(questions) < limit), "n>1M")
    configs: list[dict[str, Any]] = [
        {
            "config_name": name,
            "data_files": [{"split": SPLIT, "path": f"{name}/{SPLIT}-*.parquet"}],
        }
        for name in settings
    ]
    configs[0]["default"] = True
    return {
        "license": questions.license,
        "language": ["en"],
        "pretty_name": "Fine-grained negative questions",
        "task_categories": ["visual-question-answering"],
        "tags": ["hallucination", "multiple-choice", "negative-questions", "FINER"],
        "size_categories": [size],
        "configs": configs,
        "dataset_info": [{"config_name": name, "features": _features()} for name in settings],
    }


def _features() -> list[dict[str, str]]:
    """The columns as a dataset card writes them."""
    return [
        {"name": name, "sequence": feature["feature"]["dtype"]}
        if feature["_type"] == "Sequence"
        else {"name": name, "dtype": feature.get("dtype", "image")}
        for name, feature in FEATURES.items()
    ]
