"""Questions about several elements, in pairs of a positive and a negative one (FINER section 2.4).

Pure and seeded: the same graph, seed and limit always give the same rows.
"""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from agents.phrases import joined
from benchmarks.questions_parts import Part, Parts, Thing
from benchmarks.questions_row import Row, Source, seeded, shuffled

MAX_OBJECTS, MAX_ATTRIBUTES, MAX_RELATIONS = 6, 5, 3
"""Most elements of a question; the paper has three attributes on CompreCap, five on DOCCI."""


class _Frame(NamedTuple):
    """What stands before a list of elements, and what ends its question."""

    before: str
    after: str = ""


def multi_obj(source: Source, parts: Parts) -> Iterator[Row]:
    """ "Can you see a cat and a door frame in this image?", for one to six objects."""
    different: list[Thing] = []
    for thing in parts.things.values():
        if not any(_overlap(thing.key, other.key) for other in different):
            different.append(thing)
    pool = tuple(thing.part for thing in different)
    return _pairs(source, "multi_obj", [(_Frame("", " in this image"), pool)], MAX_OBJECTS)


def multi_attr(source: Source, parts: Parts, most: int = MAX_ATTRIBUTES) -> Iterator[Row]:
    """ "Can you see the puppy with a standing posture and with a red collar?"."""
    pools = [(_Frame(f"{one.phrase} "), one.attributes) for one in parts.things.values()]
    return _pairs(source, "multi_attr", pools, most)


def multi_rel(source: Source, parts: Parts) -> Iterator[Row]:
    """ "Can you see the puppy that is sitting on the chair and is looking out of the door?"."""
    pools = [
        (_Frame(f"{parts.things[subject].phrase} that "), tuple(link.part for link in links))
        for subject, links in parts.links.items()
    ]
    return _pairs(source, "multi_rel", pools, MAX_RELATIONS)


def _overlap(one: str, other: str) -> bool:
    """Whether one name may stand for the other: "dog" for "upper dog"."""
    return f" {one}".endswith(f" {other}") or f" {other}".endswith(f" {one}")


def _pairs(
    source: Source, setting: str, pools: Sequence[tuple[_Frame, Sequence[Part]]], most: int
) -> Iterator[Row]:
    """For each number of elements a pair about one of the pools that have so many."""
    usable = [pool for pool in pools if any(part.replaceable for part in pool[1])]
    for number in range(1, most + 1):
        usable = [pool for pool in usable if len(pool[1]) >= number]
        if not usable:
            return
        rng = seeded(source, setting, number)
        frame, pool = rng.choice(usable)
        yield from _pair(source, f"{setting}_{number}", rng, frame, pool, number)


def _pair(
    source: Source,
    stem: str,
    rng: random.Random,
    frame: _Frame,
    pool: Sequence[Part],
    number: int,
) -> Iterator[Row]:
    """Ask for `number` parts of the pool, once as they are and once with one of them replaced."""
    target = rng.choice([part for part in pool if part.replaceable])
    kept = [part.text for part in rng.sample([p for p in pool if p is not target], number - 1)]
    position = rng.randrange(number)

    def phrase(text: str) -> str:
        return frame.before + joined([*kept[:position], text, *kept[position:]])

    right, asked, *others = map(phrase, (target.text, *rng.sample(target.wrong, len(target.wrong))))
    refusals = [f"No, but I can see {text}." for text in others]
    yield shuffled(
        source, f"{stem}_pos", f"Can you see {right}{frame.after}?", rng,
        f"Yes, I can see {right}.", [f"No, but I can see {asked}.", *refusals],
    )  # fmt: skip
    yield shuffled(
        source, f"{stem}_neg", f"Can you see {asked}{frame.after}?", rng,
        f"No, but I can see {right}.", [f"Yes, I can see {asked}.", *refusals],
    )  # fmt: skip
