"""Questions with "what" and "who": a wrong attribute hides in what they presuppose."""

from __future__ import annotations

import random
from collections.abc import Iterator

from agents.nouns import definite, head, is_plural
from backends.rules.grammar import capitalized
from backends.rules.lexicon import is_person
from benchmarks.questions_parts import Link, Parts, Thing
from benchmarks.questions_row import Row, Source, seeded, shuffled

SHOWN = 3
"""Negatives of the subject among the options."""


def wh(source: Source, parts: Parts) -> Iterator[Row]:
    """ "What is looking out of the door with a dark green color?" (FINER section 2.4).

    A pair for each relation whose two objects are the only ones of their name, and whose subject
    alone has it.
    """
    number = 0
    for subject, links in parts.links.items():
        thing = parts.things[subject]
        for link in links:
            number += 1
            target = parts.things[link.target]
            clear = thing.unique and target.unique and link.only and thing.part.replaceable
            if clear and any(part.replaceable for part in target.attributes):
                rng = seeded(source, "wh", number)
                yield from _pair(source, rng, thing, link, target)


def _pair(
    source: Source, rng: random.Random, subject: Thing, link: Link, target: Thing
) -> Iterator[Row]:
    """Nothing where fewer than three negatives agree with the verb of the question."""
    fitting = [name for name in subject.negatives if is_plural(name) == is_plural(subject.name)]
    persons = [name for name in fitting if is_person(head(name))]
    word = "What"
    if is_person(head(subject.name)) and len(persons) >= SHOWN:
        word, fitting = "Who", persons
    if len(fitting) < SHOWN:
        return
    attribute = rng.choice([part for part in target.attributes if part.replaceable])
    claim = rng.choice(attribute.wrong)
    answer, *others = (
        f"{capitalized(definite(name))}." for name in (subject.name, *rng.sample(fitting, SHOWN))
    )
    verb = "are" if is_plural(target.name) else "is"
    noun = f"{capitalized(target.phrase)} {verb}"
    question = f"{word} {link.part.text}"
    yield shuffled(
        source, "wh_1_pos", f"{question} {attribute.text}?", rng,
        answer, [f"{noun} {claim}.", *others],
    )  # fmt: skip
    yield shuffled(
        source, "wh_1_neg", f"{question} {claim}?", rng,
        f"{noun} not {claim}, but {verb} {attribute.text}.", [answer, *others],
    )  # fmt: skip
