"""English of noun phrases, attributes and relations."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.nouns import definite, head, indefinite, is_plural
from agents.phrases import is_phrase, joined, statement, with_phrase


@pytest.mark.parametrize(
    ("name", "phrase"),
    [
        ("puppy", "a puppy"),
        ("umbrella", "an umbrella"),
        ("hourglass", "an hourglass"),
        ("unicorn", "a unicorn"),
        ("one-way sign", "a one-way sign"),
        ("unidentified object", "an unidentified object"),
        ("x-ray", "an x-ray"),
        ("utility pole", "a utility pole"),
        ("quicksand", "quicksand"),
        ("rhinoceros", "a rhinoceros"),
        ("ledge", "a ledge"),
        ("LED lamp", "an LED lamp"),
        ("body of water", "a body of water"),
        ("statue of a laughing Buddha", "a statue of a laughing Buddha"),
        ("pair of shoes", "a pair of shoes"),
        ("bus", "a bus"),
        ("wine glass", "a wine glass"),
        ("American flag", "an American flag"),
        ("Boeing 747", "a Boeing 747"),
        ("TV", "a TV"),
        ("dogs", "dogs"),
        ("skis", "skis"),
        ("people", "people"),
        ("sunglasses", "sunglasses"),
        ("two dogs", "two dogs"),
        ("grass", "grass"),
        ("cheese tomato sauce", "cheese tomato sauce"),
        ("red wine", "red wine"),
        ("luggage", "luggage"),
        ("piece of luggage", "a piece of luggage"),
        ("sky", "the sky"),
        ("night sky", "the night sky"),
        ("sun", "the sun"),
        ("second dahlia", "the second dahlia"),
        ("widest brush", "the widest brush"),
        ("forest floor", "a forest floor"),
        ("upper dogs", "upper dogs"),
        ("Big Ben", "Big Ben"),
        ("Mickey Mouse", "Mickey Mouse"),
        ("Eiffel Tower", "the Eiffel Tower"),
        ("Fire Hydrant", "a Fire Hydrant"),
        ("a dog.", "a dog"),
        ("the  old\nman", "an old man"),
    ],
)
def test_indefinite(name: str, phrase: str) -> None:
    assert indefinite(name) == phrase


@pytest.mark.parametrize(
    ("name", "phrase"),
    [
        ("puppy", "the puppy"),
        ("grass", "the grass"),
        ("dogs", "the dogs"),
        ("the dog", "the dog"),
        ("Big Ben", "Big Ben"),
        ("Golden Gate Bridge", "the Golden Gate Bridge"),
    ],
)
def test_definite(name: str, phrase: str) -> None:
    assert definite(name) == phrase


@pytest.mark.parametrize(
    ("name", "plural"),
    [
        ("dogs", True), ("men", True), ("jeans", True), ("skis", True), ("statue of dogs", False),
        ("lens", False), ("bus", False), ("dress", False), ("tennis", False), ("grass", False),
        ("dogs with a ball", True), ("sheep", False), ("group of people", False),
    ],
)  # fmt: skip
def test_is_plural(name: str, plural: bool) -> None:
    assert is_plural(name) is plural


@pytest.mark.parametrize(
    "attribute",
    [
        "made of wood", "wearing a hat", "wearing glasses", "covered in snow", "in profile",
        "partially covered in snow", "smiling at the camera", "leaning forward", "panting",
        "cut in half", "lit by the sun", "asleep", "upside down", "full of water", "facing left",
        "with a red collar", "without a roof", "shining brightly", "that is broken", "lying down",
    ],
)  # fmt: skip
def test_attributes_that_stand_as_they_are(attribute: str) -> None:
    assert with_phrase(attribute) == attribute


@pytest.mark.parametrize(
    "attribute",
    [
        "a red collar", "its head tilted backward", "long floppy ears", "curved horns",
        "glowing eyes", "tightly layered petals", "closed eyes", "stripes on its forehead",
        "largely purple clothing", "three legs", "tufts of grass", "neatly arranged books",
        "red and white stripes", "a wall-mounted design", "worn edges", "open doors",
    ],
)  # fmt: skip
def test_attributes_after_with(attribute: str) -> None:
    assert with_phrase(attribute) == f"with {attribute}"


def test_attributes_are_tidied() -> None:
    assert with_phrase("has a hat") == "with a hat"
    assert with_phrase("  made of\nwood. ") == "made of wood"


@pytest.mark.parametrize(
    ("owner", "phrase"),
    [
        ("dogs", "with their head tilted"), ("dog", "with its head tilted"), ("", "with its head"),
    ],
)  # fmt: skip
def test_possessives_agree(owner: str, phrase: str) -> None:
    assert with_phrase("its head tilted", owner).startswith(phrase)
    assert with_phrase("their hands up", "man") == "with their hands up"


@pytest.mark.parametrize(
    ("relation", "one", "many"),
    [
        ("is leaning against", "is leaning against", "are leaning against"),
        ("are behind", "is behind", "are behind"),
        ("next to", "is next to", "are next to"),
        ("across from", "is across from", "are across from"),
        ("being held by", "is being held by", "are being held by"),
        ("holds", "holds", "hold"),
        ("has", "has", "have"),
        ("have", "has", "have"),
        ("carries", "carries", "carry"),
        ("touches", "touches", "touch"),
        ("chases", "chases", "chase"),
        ("goes under", "goes under", "go under"),
        ("lies on", "lies on", "lie on"),
        ("can be seen in", "can be seen in", "can be seen in"),
    ],
)
def test_relations_agree(relation: str, one: str, many: str) -> None:
    assert (is_phrase(relation), is_phrase(relation, plural=True)) == (one, many)


def test_statements() -> None:
    assert statement("object", "puppy", None, None) == "a puppy"
    assert statement("attribute", "a red collar", "puppy", None) == "the puppy with a red collar"
    assert statement("attribute", "its tail up", "dogs", None) == "the dogs with their tail up"
    said = statement("relation", "is behind", "trees", "Big Ben")
    assert said == "the trees are behind Big Ben"


def test_joined() -> None:
    assert [joined("abc"[:n]) for n in range(4)] == ["", "a", "a and b", "a, b and c"]


@given(st.text(min_size=1).filter(str.strip))
def test_any_text_gives_one_line(text: str) -> None:
    for phrase in (indefinite(text), definite(text), with_phrase(text), is_phrase(text)):
        assert phrase.strip()
        assert len(phrase.splitlines()) == 1 or not text.isprintable()
        assert not phrase.startswith(("with with ", "the the ", "a a ", "is is "))
    assert head(text)
