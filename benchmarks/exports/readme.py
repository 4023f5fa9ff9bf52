"""What the README of an export says: counts, fields, provenance."""

from __future__ import annotations

import json
from collections.abc import Iterator

from benchmarks.exports.questions import Questions

_ABOUT = {
    "multi_obj": "several objects at once, one of them replaced",
    "multi_attr": "several attributes of one object, one of them replaced",
    "multi_rel": "several relations of one object, one of them replaced",
    "wh": "a question that takes a false attribute for granted",
    "levels": "seven levels of detail; the answer is always No",
}


def body(questions: Questions) -> str:
    """The part that all formats share, as Markdown. Read the questions first: it counts them."""
    return "\n".join(
        [
            "## Questions",
            "",
            "Multiple choice, one right answer. Two questions on the same image make a pair, one "
            "about what is there and one about what is not; a model is right on a pair when both "
            "of its answers are right. Guessing among five options scores 4.0 % of pairs. "
            "Questions of `levels` have two options and no partner.",
            "",
            *_counts(questions),
            "",
            "## Licence and source",
            "",
            f"- Licence: {questions.license}",
            f"- Source of images and annotations: {questions.source}",
            "- The images are byte for byte those of the source.",
            "",
            "## Provenance",
            "",
            *_provenance(questions),
            "",
        ]
    )


def total(questions: Questions) -> int:
    """All questions that have been read."""
    return sum(counts.total() for counts in questions.counts.values())


def _counts(questions: Questions) -> Iterator[str]:
    yield "| setting | asks about | questions | by number of elements (levels: by level) |"
    yield "|---|---|---:|---|"
    for setting, counts in questions.counts.items():
        parts = ", ".join(f"{name}: {counts[name]:,}" for name in sorted(counts))
        yield f"| {setting} | {_ABOUT[setting]} | {counts.total():,} | {parts} |"


def _provenance(questions: Questions) -> Iterator[str]:
    if not questions.provenance:
        yield "Made with grainwise; the questions came without a manifest."
        return
    yield from _tested(questions.provenance.get("tested_against"))
    yield "Made with grainwise; from the manifest of the questions:"
    yield ""
    yield "```json"
    yield json.dumps(questions.provenance, indent=2, sort_keys=True, ensure_ascii=False)
    yield "```"


def _tested(graphs: object) -> Iterator[str]:
    """What the discriminator tested the negatives against, by number of graphs."""
    if not isinstance(graphs, dict):
        return
    image, caption, none = (graphs.get(key, 0) for key in ("image", "caption", "none"))
    yield (
        f"Negatives were tested by a vision model on the images of {image} graphs, against the "
        f"caption only of {caption}, not at all of {none}."
    )
    yield ""
