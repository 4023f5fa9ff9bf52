"""TSV files for VLMEvalKit: each is a custom multiple-choice dataset (`CustomMCQDataset`).

The first row of an image holds it in base64, the later ones the index of that row, which
VLMEvalKit resolves when it loads the file. Questions of `levels` have the options A and B, as
VLMEvalKit takes a custom file without options for open questions.
"""

from __future__ import annotations

import base64
import csv
from collections.abc import Iterator
from pathlib import Path

from benchmarks.exports.questions import Question, Questions
from benchmarks.exports.readme import body
from benchmarks.finer_prompt import LETTERS

COLUMNS = ("index", "image", "question", *LETTERS, "answer", "category", "l2-category", "pair")


def export(questions: Questions, folder: Path) -> None:
    """Write `FINER_SETTING.tsv` for each setting that has questions."""
    for setting in questions.settings:
        rows = _rows(setting, questions.read(setting))
        first = next(rows, None)
        if first is None:
            continue
        with (folder / f"FINER_{setting}.tsv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.writer(file, delimiter="\t", lineterminator="\n")
            writer.writerow(COLUMNS)
            writer.writerow(first)
            writer.writerows(rows)


def readme(questions: Questions) -> str:
    """How to run it, and what it holds."""
    names = [f"FINER_{name}" for name, counts in questions.counts.items() if counts]
    return _USAGE.format(names=" ".join(names), first=names[0]) + body(questions)


def _rows(setting: str, questions: Iterator[Question]) -> Iterator[tuple[object, ...]]:
    seen: dict[str, int] = {}
    for index, question in enumerate(questions):
        row = question.row
        first = seen.setdefault(row.image, index)
        image = base64.b64encode(question.image).decode("ascii") if first == index else first
        options = (row.choice1, row.choice2, row.choice3, row.choice4, row.choice5)
        yield (
            index, image, row.question, *options, question.answer, row.qtype, setting, question.pair
        )  # fmt: skip


_USAGE = """# Fine-grained negative questions for VLMEvalKit

Put the files into `$LMUData` (default `~/LMUData`) and name them without `.tsv`:

```
python run.py --data {names} --model MODEL
```

VLMEvalKit reports the accuracy of single questions by `category` (setting, number of elements,
side) and `l2-category` (setting). The paired accuracy comes from its file of results, which keeps
the column `pair`:

```python
result = pandas.read_excel("MODEL_{first}_…_result.xlsx")
print(result.groupby("pair").hit.min().mean())
```

"""
