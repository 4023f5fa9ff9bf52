"""The shipped noun hierarchy and the kinds on top of it."""

from __future__ import annotations

import pytest

from backends.rules.wordnet import normalise, read_table, wordnet


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Golden Retriever", "golden retriever"),
        ("T-shirt", "t shirt"),
        ("St. Peter's", "st peters"),
        ("Galaxy S22+", "galaxy s22 plus"),
        ("Pok\u00e9mon", "pokemon"),
        ("model 3.5", "model 3.5"),
        (" -- ", ""),
    ],
)
def test_normalise(text: str, expected: str) -> None:
    assert normalise(text) == expected


@pytest.mark.parametrize(
    ("plural", "singular"),
    [
        ("dogs", "dog"), ("buses", "bus"), ("benches", "bench"), ("boxes", "box"),
        ("berries", "berry"), ("knives", "knife"), ("leaves", "leaf"), ("women", "woman"),
        ("children", "child"), ("mice", "mouse"), ("people", "person"), ("tomatoes", "tomato"),
        ("teeth", "tooth"), ("golden retrievers", "golden retriever"), ("bus", "bus"),
        ("glass", "glass"), ("policemen", "policeman"), ("horses", "horse"), ("shoes", "shoe"),
    ],
)  # fmt: skip
def test_singular(plural: str, singular: str) -> None:
    assert wordnet().singular(plural) == singular


@pytest.mark.parametrize(
    ("phrase", "kind"),
    [
        ("golden retrievers", "dog"), ("dog", "mammal"), ("labradoodle", "mammal"),
        ("oak", "tree"), ("croissant", "food"), ("laptop", "machine"), ("Eiffel Tower", "tower"),
        ("book shelf", "bookshelf"), ("sedan", "vehicle"), ("astronaut", "person"),
        ("seal", "mammal"), ("crane", "bird"), ("crane", "lifting device"), ("mouse", "rodent"),
        ("mouse", "electronic device"), ("couch", "sofa"), ("sofa", "couch"),
    ],
)  # fmt: skip
def test_is_a(phrase: str, kind: str) -> None:
    assert wordnet().is_a(phrase, kind)


@pytest.mark.parametrize(
    ("phrase", "kind"),
    [
        ("dog", "golden retriever"), ("dog", "person"), ("hot dog", "dog"), ("wheel", "car"),
        ("couch", "bed"), ("unheard of", "dog"), ("dog", "unheard of"), ("koala bear", "bear"),
    ],
)  # fmt: skip
def test_is_not_a(phrase: str, kind: str) -> None:
    assert not wordnet().is_a(phrase, kind)


def test_siblings() -> None:
    assert wordnet().are_siblings("golden retriever", "labrador retriever")
    assert not wordnet().are_siblings("golden retriever", "dog")
    assert not wordnet().are_siblings("golden retriever", "teapot")


def test_an_adjective_and_a_noun_do_not_melt_into_another_word() -> None:
    """WordNet has "bluejacket", a sailor."""
    assert not wordnet().is_a("blue jacket", "person")


def test_synonyms_share_a_synset() -> None:
    (sofa,) = wordnet().synsets("sofa")
    assert "couch" in wordnet().lemmas(sofa)
    assert wordnet().parents(sofa)
    assert sofa in wordnet().closure(sofa)


def test_every_curated_name_stands_below_its_kinds() -> None:
    for names, above in read_table("kinds.tsv"):
        for kind in above.removeprefix("=").split(";"):
            for name in names.replace("|", ",").split(","):
                assert wordnet().is_a(name, kind), (name, kind)


def test_every_series_and_brand_has_a_known_kind() -> None:
    kinds = [row[2] for row in read_table("names.tsv")]
    kinds += [kind for row in read_table("brands.tsv") for kind in row[1].split(";")]
    kinds += [row[1] for row in read_table("roles.tsv")]
    assert not [kind for kind in kinds if kind not in wordnet()]
