"""Which alternatives are no negatives, and why."""

from __future__ import annotations

import pytest

from agents.negative_checks import problem
from schemas.finer import ElementQuestion

CAPTION = "A man with a red scarf is sitting on a bench next to a bicycle."


def check(kind: str, text: str, candidate: str, *others: str, caption: str = "") -> str | None:
    question = ElementQuestion.model_validate(
        {"kind": kind, "text": text, "subject": "man", "object": "bench", "avoid": ["scooter"]}
    )
    return problem(question, candidate, ["kitten"], others, caption)


GOOD = [
    ("object", "puppy", "rabbit"), ("object", "puppies", "rabbits"),
    ("object", "dining table", "coffee table"), ("object", "tennis racket", "hockey stick"),
    ("object", "American flag", "banner"), ("object", "pants", "socks"),
    ("object", "body of water", "meadow"), ("object", "glass", "mug"),
    ("attribute", "a dark green color", "a light gray color"),
    ("attribute", "a sitting posture", "a kneeling posture"),
    ("attribute", "made of wood", "made of stone"),
    ("attribute", "wearing a hat", "wearing a helmet"),
    ("attribute", "wearing a hat", "carrying a suitcase"),
    ("attribute", "its head tilted backward", "its head resting on the ground"),
    ("attribute", "long floppy ears", "short pointed ears"),
    ("attribute", "the number 13", "the number 31"),
    ("attribute", "a wooden surface", "a metal surface"),
    ("relation", "is sitting on", "is standing under"), ("relation", "is under", "is on top of"),
    ("relation", "in front of", "behind"), ("relation", "holds", "throws"),
    ("relation", "are behind", "are in front of"), ("relation", "is wearing", "is washing"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "candidate"), GOOD)
def test_negatives(kind: str, text: str, candidate: str) -> None:
    assert check(kind, text, candidate) is None


BAD = [
    ("object", "puppy", "dog", "more general"), ("object", "dog", "puppy", "more special"),
    ("object", "couch", "sofa", "synonym"), ("object", "car", "vehicle", "more general"),
    ("object", "sports car", "car", "more general"),
    ("object", "car", "sports car", "more special"),
    ("object", "puppy", "Puppy", "repeats"), ("object", "puppy", "a puppy", "repeats"),
    ("object", "puppy", "kittens", "repeats"), ("object", "puppy", "the kitten", "repeats"),
    ("object", "puppy", "scooter", "repeats"), ("object", "puppy", "rabbits", "singular"),
    ("object", "puppies", "rabbit", "plural"), ("object", "puppy", "", "words"),
    ("object", "puppy", "no puppy", "negation"), ("object", "puppy", "  ", "words"),
    ("object", "puppy", "cat that is sitting on top of the chair by the door today", "words"),
    ("attribute", "a dark green color", "a Dark Green color", "repeats"),
    ("attribute", "a dark green color", "a green color", "or less"),
    ("attribute", "a green color", "a dark green color", "more special"),
    ("attribute", "a gray color", "a grey color", "both are gray"),
    ("attribute", "a dark green color", "a rough surface", "built like"),
    ("attribute", "a dark green color", "painted red", "built like"),
    ("attribute", "made of wood", "a wooden surface", "built like"),
    ("attribute", "its head tilted backward", "a small head", "built like"),
    ("attribute", "long ears", "a long tail", "built like"),
    ("attribute", "a red scarf", "a red scarf that is not wool", "negation"),
    ("attribute", "long ears", "without ears", "negation"),
    ("relation", "is sitting on", "is near", "too vague"),
    ("relation", "is in front of", "is next to", "too vague"),
    ("relation", "is next to", "is beside", "says the same"),
    ("relation", "is sitting on", "sits under", "begins"),
    ("relation", "holds", "is holding", "begins"),
    ("relation", "is on", "is on top of", "says the same"),
    ("relation", "are behind", "is in front of", "begins"),
    ("relation", "is sitting on", "is not on", "negation"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text", "candidate", "reason"), BAD)
def test_no_negatives(kind: str, text: str, candidate: str, reason: str) -> None:
    found = check(kind, text, candidate)
    assert found is not None and reason in found


@pytest.mark.parametrize("candidate", ["chair", "armchair", "seats", "furniture"])
def test_other_things_of_the_graph_are_no_negatives(candidate: str) -> None:
    others = ["chairs"] if candidate == "seats" else ["chair"]
    assert check("object", "table", candidate, *others) is not None


def test_what_the_caption_mentions_is_no_negative() -> None:
    assert check("object", "man", "bicycle", caption=CAPTION) == "the caption mentions one"
    assert check("object", "man", "robot", caption=CAPTION) is None
    assert check("object", "park bench", "work bench", caption=CAPTION) is None


def test_what_is_true_of_the_same_thing_is_no_negative() -> None:
    assert "repeats" in str(check("attribute", "a red color", "a blue color", "a blue color"))
    assert "says" in str(check("relation", "is sitting on", "is behind", "is right behind"))
