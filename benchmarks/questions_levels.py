"""The seven levels of the motivation study: ever more detail, and one that is always wrong."""

from __future__ import annotations

from collections.abc import Iterator

from agents.nouns import definite, indefinite
from agents.phrases import joined
from benchmarks.questions_parts import Link, Parts, Thing
from benchmarks.questions_row import Row, Source, seeded

NAMED = 3
"""Attributes of the object that the last levels name."""


def levels(source: Source, parts: Parts) -> Iterator[Row]:
    """Seven questions about one object, all to be answered No (FINER section 1, spec 3.4).

    None for a graph without an object that has all they need: three attributes, and a relation
    to an object with an attribute. The same attribute is the wrong one of levels 2 to 4.
    """
    found = [choice for subject in parts.links for choice in _complete(parts, subject)]
    if not found:
        return
    rng = seeded(source, "levels")
    thing, link, target = rng.choice(found)
    changed = rng.choice([part for part in thing.attributes if part.replaceable])
    others = [part.text for part in thing.attributes if part is not changed]
    first, second = rng.sample(others, NAMED - 1)
    wrong = rng.choice(changed.wrong)
    last = rng.choice([part for part in target.attributes if part.replaceable])
    article = definite if target.unique else indefinite
    full = f"{thing.phrase} {joined([first, second, changed.text])}, that"
    asked = (
        f"{rng.choice(thing.part.wrong)} in this image",
        f"{thing.phrase} {wrong}",
        f"{thing.phrase} {joined([first, wrong])}",
        f"{thing.phrase} {joined([first, second, wrong])}",
        f"{full} {rng.choice(link.part.wrong)}",
        f"{full} {link.verb} {article(rng.choice(target.negatives))}",
        f"{full} {link.part.text} {rng.choice(last.wrong)}",
    )
    for number, text in enumerate(asked, 1):
        question = f"Can you see {text}?"
        yield Row(source.image, f"level_{number}", question, "Yes", "No", "", "", "", 1)


def _complete(parts: Parts, subject: int) -> Iterator[tuple[Thing, Link, Thing]]:
    """Relations of an object about which all seven questions can be asked."""
    thing = parts.things[subject]
    replaceable = any(part.replaceable for part in thing.attributes)
    if not (thing.part.replaceable and replaceable and len(thing.attributes) >= NAMED):
        return
    for link in parts.links[subject]:
        target = parts.things[link.target]
        described = any(part.replaceable for part in target.attributes)
        if link.part.replaceable and target.part.replaceable and described:
            yield thing, link, target
