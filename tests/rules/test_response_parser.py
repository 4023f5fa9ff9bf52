"""The rules response parser on sentences whose objects were listed by hand first."""

from __future__ import annotations

import pytest

from backends.rules import response_parser
from schemas.entity import ParsedResponse, ParseInput

Expected = list[tuple[str, int | str, set[str]]]


def parse(text: str) -> ParsedResponse:
    return response_parser.parse(ParseInput(response=text))


# Every case lists all entities in order: category, quantity, attributes that must be found.
CASES: list[tuple[str, Expected]] = [
    # plain noun phrases and attributes
    (
        "A fluffy black cat sits on a wooden table.",
        [("cat", 1, {"fluffy", "black"}), ("table", 1, {"wooden"})],
    ),
    (
        "A black and white dog is lying on a red sofa.",
        [("dog", 1, {"black and white"}), ("sofa", 1, {"red"})],
    ),
    ("The image shows a coffee cup on a saucer.", [("coffee cup", 1, set()), ("saucer", 1, set())]),
    (
        "A glass jar made of recycled bottles stands in the kitchen.",
        [("jar", 1, {"glass", "made of recycled bottles"})],
    ),
    # product names, breeds, proper names
    (
        "An iPhone 15 Pro lies next to a Falcon 9 rocket model.",
        [("iPhone 15 Pro", 1, set()), ("Falcon 9 rocket model", 1, set())],
    ),
    (
        "A golden retriever is running behind a 2019 Toyota Camry.",
        [("golden retriever", 1, set()), ("2019 Toyota Camry", 1, set())],
    ),
    (
        "The photo features a brown bear near a fire hydrant.",
        [("brown bear", 1, set()), ("fire hydrant", 1, set())],
    ),
    (
        "The image shows the Temple of Heaven rising above green trees.",
        [("Temple of Heaven", 1, set()), ("trees", "uncertain", {"green"})],
    ),
    # quantities
    (
        "Three dogs and two cats play with a dozen balls.",
        [("dogs", 3, set()), ("cats", 2, set()), ("balls", 12, set())],
    ),
    (
        "A pair of shoes and a pair of sunglasses lie on the bench.",
        [("shoes", 2, set()), ("sunglasses", 1, set()), ("bench", 1, set())],
    ),
    (
        "Several boats, many birds and a few trees are visible.",
        [
            ("boats", "uncertain", set()),
            ("birds", "uncertain", set()),
            ("trees", "uncertain", set()),
        ],
    ),
    (
        "A group of people is waiting next to two or three buses.",
        [("people", "uncertain", set()), ("buses", "uncertain", set())],
    ),
    (
        "Books and a vase stand on a shelf.",
        [("books", "uncertain", set()), ("vase", 1, set()), ("shelf", 1, set())],
    ),
    (
        "There are 4 pillows and 10 to 12 candles on the bed.",
        [("pillows", 4, set()), ("candles", "uncertain", set()), ("bed", 1, set())],
    ),
    # out of scope
    ("The background of the image is blurred and the lighting creates a calm atmosphere.", []),
    ("The sky is clear and the ground is wet.", []),
    ("The overall composition conveys a sense of tranquility and depth.", []),
    (
        "An elephant with a long trunk and large ears walks across the field.",
        [("elephant", 1, {"long trunk", "large ears"}), ("field", 1, set())],
    ),
    (
        'A sign that reads "FRESH FISH MARKET" hangs above the door.',
        [("sign", 1, set()), ("door", 1, set())],
    ),
    ("The dog is facing the camera and looking at the viewer.", [("dog", 1, set())]),
    # negation and speculation
    (
        "A bench stands in the park. There are no people or cars in the scene.",
        [("bench", 1, set())],
    ),
    (
        "A street without any vehicles runs past a church. No dog is visible.",
        [("street", 1, set()), ("church", 1, set())],
    ),
    (
        "A boat lies on the beach, suggesting that the fishermen have gone home.",
        [("boat", 1, set()), ("beach", 1, set())],
    ),
    ("A pond or a small lake lies behind the fence.", [("pond", 1, set()), ("fence", 1, set())]),
    ("A man holds possibly a camera.", [("man", 1, set()), ("camera", 1, set())]),
    # later mentions of the same thing
    (
        "A cat is sitting on a mat. The cat is orange. It has green eyes.",
        [("cat", 1, {"orange", "green eyes"}), ("mat", 1, set())],
    ),
    (
        "A dog is lying on the grass. The golden retriever has a red collar.",
        [("golden retriever", 1, set()), ("grass", 1, set()), ("collar", 1, {"red"})],
    ),
    (
        "A horse stands by a fence. The animal is brown.",
        [("horse", 1, {"brown"}), ("fence", 1, set())],
    ),
    (
        "Two men are playing tennis. Both players wear white shirts.",
        [("men", 2, set()), ("shirts", "uncertain", {"white"})],
    ),
    (
        "A red mug is on the desk. Another mug is blue.",
        [("mug", 1, {"red"}), ("desk", 1, set()), ("mug", 1, {"blue"})],
    ),
    ("Two dogs are running, one brown and the other white.", [("dogs", 2, set())]),
    (
        "The image shows two elephants in a field. On the left, there is a large adult elephant. "
        "To its right is a smaller elephant, which appears to be a calf.",
        [("elephants", 2, set()), ("field", 1, set())],
    ),
    (
        "The person on the left is wearing a hat, while the person on the right holds an umbrella.",
        [("person", 1, set()), ("hat", 1, set()), ("person", 1, set()), ("umbrella", 1, set())],
    ),
    # identity claims
    (
        "A vehicle, likely a 2019 Toyota Camry, is parked on the street.",
        [("2019 Toyota Camry", 1, {"parked on the street"}), ("street", 1, set())],
    ),
    (
        "The image shows a large airplane. The aircraft is a Boeing 747.",
        [("Boeing 747", 1, {"large"})],
    ),
    ("There is a body of water, which could be a pond or a small lake.", [("pond", 1, set())]),
    (
        "A dog, which appears to be a Labrador, is catching a frisbee.",
        [("Labrador", 1, set()), ("frisbee", 1, set())],
    ),
    # containers and partitives
    (
        "A cup of coffee and a piece of cake are on the table.",
        [("cup", 1, set()), ("coffee", 1, set()), ("cake", 1, set()), ("table", 1, set())],
    ),
    # positions and states
    (
        "In the background, there is a small red car.",
        [("car", 1, {"small", "red", "in the background"})],
    ),
    (
        "A bicycle is leaning against a brick wall.",
        [("bicycle", 1, {"leaning against a brick wall"}), ("brick wall", 1, set())],
    ),
]


@pytest.mark.parametrize(("text", "expected"), CASES, ids=[case[0][:40] for case in CASES])
def test_entities(text: str, expected: Expected) -> None:
    entities = parse(text).entities
    assert [(e.category, e.quantity) for e in entities] == [(c, q) for c, q, _ in expected]
    for entity, (_, _, attributes) in zip(entities, expected, strict=True):
        assert attributes <= set(entity.attributes)


def test_count_is_not_an_attribute() -> None:
    (dogs,) = parse("Three small dogs are running.").entities
    assert dogs.quantity == 3
    assert not any("three" in attribute.lower() for attribute in dogs.attributes)


def test_scenery_needs_a_fitting_domain() -> None:
    text = "A car is parked under the trees."
    names = [
        [entity.category for entity in response_parser.parse(item).entities]
        for item in (
            ParseInput(response=text),
            ParseInput(response=text, domain="plants"),
            ParseInput(response=text, domain="cars"),
        )
    ]
    assert names == [["car", "trees"], ["car", "trees"], ["car"]]


def test_markdown_lists() -> None:
    text = (
        "1. **People**:\n   - A man wears a hat.\n2. **Objects**:\n   - A ball lies on the grass.\n"
    )
    assert [e.category for e in parse(text).entities] == ["man", "hat", "ball", "grass"]


def test_same_answer_twice() -> None:
    text = "A man rides a horse. He wears a hat."
    assert parse(text) == parse(text)


def test_nothing_but_symbols() -> None:
    assert parse("...").entities == ()
    assert parse("\n\n").entities == ()


def test_long_list_stays_within_the_schema() -> None:
    nouns = ["cat", "dog", "car", "tree", "boat", "chair", "lamp", "cup", "horse", "bird"]
    text = " ".join(f"Another {noun} stands behind another wall clock." for noun in nouns * 7)
    assert len(parse(text).entities) == 60
