"""The output files of `agents.rsr`, and its closing report."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any

from agents.command import Results
from agents.judged import judged_example
from agents.rsr_report import report
from runtime.files import atomic_writer, write_json
from schemas.judged import ExampleResult
from schemas.preference import PreferencePair
from schemas.record import RevisedRecord
from scoring.metrics import ResultsByImage, score_example
from scoring.preference import preference_pairs

EXAMPLES_SHOWN = 3


@dataclass
class RunTotals:
    """What the closing report counts."""

    images: int = 0
    responses: int = 0
    edited: int = 0
    pairs: Counter[str] = field(default_factory=Counter)
    rejected: Counter[str] = field(default_factory=Counter)
    reference: bool = False
    before: ResultsByImage = field(default_factory=ResultsByImage)
    after: ResultsByImage = field(default_factory=ResultsByImage)
    shown: list[tuple[PreferencePair, RevisedRecord]] = field(default_factory=list)


def write_rsr(results: Results) -> Iterator[str]:
    """Write all files of the run and yield the report."""
    totals = RunTotals()
    folder = results.directory
    with (
        atomic_writer(folder / "pairs.jsonl") as pairs,
        atomic_writer(folder / "revisions.jsonl") as revisions,
        atomic_writer(folder / "rejected.jsonl") as rejected,
    ):
        for _, group in groupby(results.outcomes(), key=lambda o: o.id.rpartition("#")[0]):
            records = []
            for outcome in group:
                totals.responses += 1
                if outcome.failure:
                    _reject(rejected, totals, outcome.id, outcome.failure.model_dump(mode="json"))
                    continue
                record = RevisedRecord.model_validate(outcome.value)
                records.append(record)
                revisions.write(record.model_dump_json() + "\n")
                if record.refused:
                    row = {"kind": "revision", "reason": record.refused, "hint": REFUSED_HINT}
                    _reject(rejected, totals, record.id, row)
            _pair_up(records, pairs, totals)
    scores = _scores(totals, results.seed)
    write_json(folder / "scores.json", scores)
    yield from report(totals, scores)


REFUSED_HINT = "use a stronger editor with --backend rsr=NAME"


def _reject(file: Any, totals: RunTotals, identifier: str, row: dict[str, Any]) -> None:
    totals.rejected[row["kind"]] += 1
    file.write(json.dumps({"id": identifier, **row}, ensure_ascii=False) + "\n")


def _pair_up(records: list[RevisedRecord], file: Any, totals: RunTotals) -> None:
    """Pair the responses of one image and count them."""
    totals.images += 1
    totals.edited += sum(bool(record.edits) for record in records)
    totals.reference |= any(record.ground_truth == "reference" for record in records)
    by_index = {record.index: record for record in records}
    for pair in preference_pairs(records):
        totals.pairs[pair.kind] += 1
        file.write(pair.model_dump_json() + "\n")
        if pair.kind == "reliability":
            index = int(pair.id.rpartition("#")[2].partition(":")[0])
            _show(totals, pair, by_index[index])
    totals.before.add(_result(record, revised=False) for record in records)
    totals.after.add(_result(record, revised=True) for record in records)


def _show(totals: RunTotals, pair: PreferencePair, record: RevisedRecord) -> None:
    """Keep three examples for the report, of as many kinds of edits as there are."""
    kinds = {edit.kind for edit in record.edits}
    if len(totals.shown) < EXAMPLES_SHOWN:
        totals.shown.append((pair, record))
    else:
        for place, (_, shown) in enumerate(totals.shown):
            others = {e.kind for _, r in totals.shown if r is not shown for e in r.edits}
            if {e.kind for e in shown.edits} <= others and kinds - others:
                totals.shown[place] = (pair, record)
                return


def _result(record: RevisedRecord, *, revised: bool) -> ExampleResult:
    """Score of the response, or of its revision where one was accepted."""
    judged = record.revision if revised and record.revision else record
    example = judged_example(judged.predictions, record.entities, judged.judgements, record.id)
    return score_example(example)


def _scores(totals: RunTotals, seed: int) -> dict[str, Any]:
    from scoring.bootstrap import bootstrap

    scores: dict[str, Any] = {"ground_truth": "reference" if totals.reference else "entities"}
    for name, kept in (("before", totals.before), ("after", totals.after)):
        intervals = bootstrap(kept, seed=seed)
        scores[name] = {**kept.metrics().model_dump(), "intervals": intervals}
    scores["counts"] = {
        "images": totals.images,
        "responses": totals.responses,
        "edited": totals.edited,
        "pairs": dict(sorted(totals.pairs.items())),
        "rejected": dict(sorted(totals.rejected.items())),
    }
    return scores
