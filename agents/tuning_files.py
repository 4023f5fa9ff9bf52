"""Which tuples of FINER-Tuning are written: mixtures, exclusions, and the closing report."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Literal

from agents.command import Results
from runtime.errors import ToolkitError
from schemas.base import StrictModel
from schemas.tuning import TUNING_KINDS, TuningKind, TuningPair, TuningPairs

Polarities = Literal["both", "positive", "negative"]


class Mixture(StrictModel):
    """How many tuples of each kind are wanted relative to each other, and of which polarity.

    `weights` are exact: with 2 and 1 there are twice as many of the first kind, and as many as
    there can be. Without any, all tuples of all kinds are written. `most` bounds all together.
    """

    weights: dict[TuningKind, float] | None = None
    polarity: Polarities = "both"
    most: int | None = None

    @property
    def kinds(self) -> tuple[TuningKind, ...]:
        """The kinds that are wanted at all."""
        return tuple(self.weights or TUNING_KINDS)

    def quotas(self, available: Mapping[TuningKind, int]) -> dict[TuningKind, int]:
        """Phrases of each kind to keep, of those that there are."""
        if self.weights is None and self.most is None:
            return dict(available)
        weights = self.weights or dict.fromkeys(available, 1.0)
        unit = min((available.get(kind, 0) / weight for kind, weight in weights.items()), default=0)
        if self.most is not None:
            sides = 2 if self.polarity == "both" else 1
            unit = min(unit, self.most / sides / sum(weights.values()))
        # A sum of floats may fall just short of the whole number that is meant.
        return {kind: int(unit * weight + 1e-9) for kind, weight in weights.items()}


def write_pairs(results: Results) -> Iterator[str]:
    """Write `pairs.jsonl` in input order, as the run's mixture wants it. Yield the report."""
    from agents.execute import in_words, write_rejected
    from runtime.files import write_jsonl

    settings = {key: results.settings[key] for key in Mixture.model_fields}
    mixture = Mixture.model_validate(settings)
    chosen = _chosen(results, mixture)
    counts: Counter[str] = Counter()
    missing: dict[str, Counter[str]] = defaultdict(Counter)

    def rows() -> Iterator[TuningPair]:
        for made in _made(results):
            counts["excluded"] += made.excluded
            for kind, reason in made.missing.items():
                missing[kind][reason.partition(":")[0]] += 1
            for pair in made.pairs:
                wanted = _digest(results.seed, made.id, pair.kind) in chosen
                if wanted and mixture.polarity in ("both", pair.polarity):
                    counts[f"{pair.kind} {pair.polarity}"] += 1
                    counts[f"by {pair.written_by}"] += pair.kind == "wh"
                    yield pair

    total = write_jsonl(results.directory / "pairs.jsonl", rows())
    rejected = write_rejected(results)
    for kind in ("obj", "attr", "rel", "wh"):
        sides = f"{counts[f'{kind} positive']:,} positive, {counts[f'{kind} negative']:,} negative"
        lacking = ", ".join(f"{n:,} {reason}" for reason, n in sorted(missing[kind].items()))
        yield f"{kind:5} {sides}{f'; left out: {lacking}' if lacking else ''}"
    by_model, by_template = counts["by model"], counts["by template"]
    yield f"wh pairs: {by_model:,} in a model's words, {by_template:,} by the template"
    reasons = in_words(rejected)
    yield (
        f"{total:,} pairs in pairs.jsonl; {counts['excluded']:,} images excluded; "
        f"rejected: {reasons or 'none'}"
    )


def read_exclusions(path: Path | None) -> frozenset[str]:
    """Ids, file names or sha256 of images, one a line. Raises ToolkitError("input")."""
    if path is None:
        return frozenset()
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        hint = "give a text file with an id, a file name or a sha256 in each line"
        raise ToolkitError("input", f"{path}: {error}", hint) from error
    return frozenset(line.strip() for line in lines if line.strip())


def is_excluded(identifier: str, image: Path, excluded: Collection[str]) -> bool:
    """Whether the list names the row's id, its image's name (with or without ending) or bytes."""
    if {identifier, image.name, image.stem} & set(excluded):
        return True
    if not any(len(entry) == 64 for entry in excluded) or not image.is_file():
        return False
    with image.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest() in excluded


def _made(results: Results) -> Iterator[TuningPairs]:
    for outcome in results.outcomes():
        if outcome.value is not None:
            yield TuningPairs.model_validate(outcome.value)


def _chosen(results: Results, mixture: Mixture) -> set[bytes]:
    """Digests of the phrases to keep: of each kind its quota, drawn by the seed."""
    drawn: dict[TuningKind, list[bytes]] = defaultdict(list)
    for made in _made(results):
        for kind in {pair.kind for pair in made.pairs}:
            drawn[kind].append(_digest(results.seed, made.id, kind))
    quotas = mixture.quotas({kind: len(found) for kind, found in drawn.items()})
    return {key for kind, number in quotas.items() for key in sorted(drawn[kind])[:number]}


def _digest(seed: int, image: str, kind: str) -> bytes:
    return hashlib.blake2b(f"{seed}\n{image}\n{kind}".encode(), digest_size=8).digest()
