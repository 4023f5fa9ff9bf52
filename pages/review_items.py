"""How each kind of item is shown to a reviewer, and why one may be rejected."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any

from pydantic import BaseModel

from agents.phrases import statement
from pages.words import both_sides
from runtime.review_items import Row
from schemas.finer import AnsweredRow, Verdict
from schemas.preference import ChatMessage, PreferencePair, TextPart
from schemas.scene_graph import NegatedGraph, SceneGraph
from schemas.tuning import TuningPair

LETTERS = "ABCDE"


@dataclass(frozen=True)
class Kind:
    """What the items of a file are. `view` makes of an item's content what its template prints."""

    name: str
    question: str
    model: type[BaseModel]
    view: Callable[[Any], dict[str, Any]]
    reasons: tuple[str, ...]
    editable: bool = True

    def model_of(self, row: Row) -> type[BaseModel]:
        """The model of a row: both kinds of training pairs have the same file name."""
        is_tuning = self.model is PreferencePair and isinstance(row, dict) and "polarity" in row
        return TuningPair if is_tuning else self.model


def _graph(content: Any) -> dict[str, Any]:
    graph = SceneGraph.model_validate(content)
    names = [one.name for one in graph.objects]
    relations = [
        {"subject": names[one.subject], "text": one.relation, "object": names[one.object]}
        for one in graph.relations
    ]
    return {"objects": graph.objects, "relations": relations}


def _element(content: Any) -> dict[str, Any]:
    def stated(text: str) -> str:
        return statement(content["kind"], text, content.get("subject"), content.get("object"))

    # As it stands: whether four negatives differ is for the reviewer to see.
    negatives = [stated(text) for text in content["negatives"]]
    return {
        "element_kind": content["kind"],
        "positive": stated(content["text"]),
        "negatives": negatives,
    }


def _verdict(content: Any) -> dict[str, Any]:
    verdict = Verdict.model_validate(content)
    options = [
        {"text": text, "probability": probability, "positive": index == verdict.positive}
        for index, (text, probability) in enumerate(
            zip(verdict.options, verdict.probabilities, strict=True)
        )
    ]
    return {"verdict": verdict, "options": options}


def _questions(content: Any) -> dict[str, Any]:
    rows = [AnsweredRow.model_validate(row) for row in content]
    words = both_sides(rows[0].question, rows[-1].question)
    shown = [
        {
            "row": row,
            "side": {"_pos": "positive", "_neg": "negative"}.get(row.qtype[-4:], row.qtype),
            "words": marked,
            "choices": list(zip(LETTERS, row.choices, strict=False)),
            "answer": given.get("prediction"),
        }
        for row, given, marked in zip(rows, content, words, strict=False)
    ]
    return {"questions": shown}


def _pair(content: Any) -> dict[str, Any]:
    model = TuningPair if "polarity" in content else PreferencePair
    pair: PreferencePair | TuningPair = model.model_validate(content)
    rejected, chosen = both_sides(message_text(pair.rejected), message_text(pair.chosen))
    return {
        "pair": pair,
        "prompt": message_text(pair.prompt),
        "rejected": rejected,
        "chosen": chosen,
        "margin": getattr(pair, "margin", None),
    }


def message_text(messages: tuple[ChatMessage, ...]) -> str:
    """The text parts of messages, a line each."""
    parts = (part for message in messages for part in message.content)
    return "\n".join(part.text for part in parts if isinstance(part, TextPart))


def image_of(row: Row) -> str | None:
    """The path of a row's image as it stands there."""
    return row.get("image") or next(iter(row.get("images") or ()), None)


def alternative(row: Row) -> str:
    """A text in place of the image: what is said of it, else its name."""
    caption = row.get("caption")
    name = PurePath(image_of(row) or "image").name
    return f"{name}: {str(caption)[:500]}" if caption else f"Image {name}"


_QUESTIONS = Kind(
    "questions",
    "Are the right answers right, and the others wrong?",
    AnsweredRow,
    _questions,
    ("marked answer is wrong", "another answer is right too", "reads badly", "cannot be seen"),
)

KINDS: dict[str, Kind] = {
    "scene_graphs.jsonl": Kind(
        "graph",
        "Does the graph say what the image shows?",
        SceneGraph,
        _graph,
        ("object not in the image", "wrong attribute", "wrong relation", "something is missing",
         "reads badly"),
    ),
    "negatives.jsonl": Kind(
        "element",
        "Is the first statement true, and are the four others false?",
        NegatedGraph,
        _element,
        ("a negative is true", "the positive is false", "a negative is absurd", "reads badly"),
    ),
    "verdicts.jsonl": Kind(
        "verdict",
        "Is the marked statement the only true one?",
        Verdict,
        _verdict,
        ("another one is true too", "the marked one is false", "cannot be told from the image"),
        editable=False,
    ),
    "multi_obj.csv": _QUESTIONS,
    "multi_attr.csv": _QUESTIONS,
    "multi_rel.csv": _QUESTIONS,
    "wh.csv": _QUESTIONS,
    "levels.csv": _QUESTIONS,
    "predictions.csv": _QUESTIONS,
    "pairs.jsonl": Kind(
        "pair",
        "Is the chosen text better than the rejected one, and right about the image?",
        PreferencePair,
        _pair,
        ("chosen is wrong about the image", "rejected is not worse", "reads badly", "both wrong"),
    ),
}  # fmt: skip
"""What can be reviewed, by the name of the file."""
