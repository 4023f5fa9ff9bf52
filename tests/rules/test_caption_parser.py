"""The rules caption parser on captions whose graphs were written by hand first."""

from __future__ import annotations

import pytest

from backends.rules.caption_parser import parse
from schemas.finer import CaptionInput
from schemas.scene_graph import SceneGraphAnswer

Objects = dict[str, set[str]]
Relations = set[tuple[str, str, str]]


def graph(caption: str, sentence: str | None = None) -> SceneGraphAnswer:
    return parse(CaptionInput(caption=caption, sentence=sentence))


def objects(answer: SceneGraphAnswer) -> list[tuple[str, set[str]]]:
    return [(item.name, set(item.attributes)) for item in answer.objects]


def relations(answer: SceneGraphAnswer) -> Relations:
    names = [item.name for item in answer.objects]
    return {(names[r.subject], r.relation, names[r.object]) for r in answer.relations}


# Every case lists the whole graph; the names of a case are all different.
CASES: list[tuple[str, Objects, Relations]] = [
    # adjectives by dimension
    ("There is a dark green door.", {"door": {"a dark green color"}}, set()),
    (
        "A small wooden table stands next to a round red rug.",
        {
            "table": {"a small size", "made of wood"},
            "rug": {"a round shape", "a red color"},
        },
        {("table", "is standing next to", "rug")},
    ),
    (
        "The photo shows a black and white cow in a grassy field.",
        {"cow": {"a black and white color"}, "field": {"a grassy surface"}},
        {("cow", "is in", "field")},
    ),
    (
        "The image shows an open laptop on a light-colored desk.",
        {"laptop": {"an open state"}, "desk": {"a light color"}},
        {("laptop", "is on", "desk")},
    ),
    ("A smiling girl holds a yellow umbrella.", {
        "girl": {"a smiling expression"}, "umbrella": {"a yellow color"},
    }, {("girl", "is holding", "umbrella")}),
    ("The snow-covered trees are tall.", {"trees": {"covered in snow", "a tall height"}}, set()),
    # judgements are no attributes
    (
        "A beautiful, serene lake lies below an impressive mountain.",
        {"lake": set(), "mountain": set()},
        {("lake", "is lying below", "mountain")},
    ),
    # parts are attributes of their owner
    (
        "A brown dog with long floppy ears lies on a rug.",
        {"dog": {"a brown color", "long floppy ears"}, "rug": set()},
        {("dog", "is lying on", "rug")},
    ),
    (
        "A cat sits on a chair. Its head is tilted backward and its eyes are green.",
        {"cat": {"its head tilted backward", "green eyes"}, "chair": set()},
        {("cat", "is sitting on", "chair")},
    ),
    ("The elephant has a long trunk.", {"elephant": {"a long trunk"}}, set()),
    ("The house has a red tiled roof.", {"house": {"a red tiled roof"}}, set()),
    # posture: a relation where it has a place, an attribute where it has none
    ("A man is sitting.", {"man": {"a sitting posture"}}, set()),
    (
        "A man is sitting on a sofa.",
        {"man": set(), "sofa": set()},
        {("man", "is sitting on", "sofa")},
    ),
    # worn things
    (
        "A boy in a striped shirt is wearing blue jeans.",
        {"boy": set(), "shirt": {"a striped pattern"}, "jeans": {"a blue color"}},
        {("boy", "is wearing", "shirt"), ("boy", "is wearing", "jeans")},
    ),
    # prepositions of more than one word
    (
        "A bicycle is parked in front of a brick wall.",
        {"bicycle": set(), "wall": {"made of brick"}},
        {("bicycle", "is parked in front of", "wall")},
    ),
    (
        "To the left of the sofa, there is a lamp.",
        {"sofa": set(), "lamp": set()},
        {("lamp", "is to the left of", "sofa")},
    ),
    (
        "A man is standing on the back of a horse.",
        {"man": set(), "horse": set()},
        {("man", "is standing on the back of", "horse")},
    ),
    # places in the image
    (
        "A car is parked. In the background, there are two houses.",
        {"car": {"a parked state"}, "houses": {"a position in the background"}},
        set(),
    ),
    # plurals agree
    (
        "Several books are stacked on a shelf.",
        {"books": set(), "shelf": set()},
        {("books", "are stacked on", "shelf")},
    ),
    # passives
    (
        "The bed is covered with a plaid blanket.",
        {"bed": set(), "blanket": {"a plaid pattern"}},
        {("bed", "is covered with", "blanket")},
    ),
    (
        "A house is surrounded by tall trees.",
        {"house": set(), "trees": {"a tall height"}},
        {("house", "is surrounded by", "trees")},
    ),
    # scenery counts with a fact or a relation
    (
        "A bird is flying above the water. The sky is overcast.",
        {"bird": set(), "water": set(), "sky": {"an overcast appearance"}},
        {("bird", "is flying above", "water")},
    ),
    # repeated mentions
    (
        "A dog lies on the grass. The animal is brown. It is wearing a red collar.",
        {"dog": {"a brown color"}, "grass": set(), "collar": {"a red color"}},
        {("dog", "is lying on", "grass"), ("dog", "is wearing", "collar")},
    ),
]  # fmt: skip


@pytest.mark.parametrize(("caption", "expected", "links"), CASES, ids=[case[0] for case in CASES])
def test_graph(caption: str, expected: Objects, links: Relations) -> None:
    found = graph(caption)
    assert objects(found) == list(expected.items())
    assert relations(found) == links


@pytest.mark.parametrize(
    ("caption", "name"),
    [
        ("A bench stands in the park. There are no dogs in the scene.", "dogs"),
        ("A man is holding a box, possibly a camera.", "camera"),
        ("A box stands on the road, suggesting that a truck has passed.", "truck"),
        ("The posts, which appear to be bollards, are made of metal.", "bollards"),
        ("A cushion or a small bag lies on the sofa.", "bag"),
        ("A poster on the wall shows an illustration of a ship.", "ship"),
        ("The overall scene conveys a calm atmosphere around the house.", "atmosphere"),
        ("Cardboard meals are typically found on airplanes.", "airplanes"),
    ],
)
def test_what_is_denied_supposed_or_depicted_is_no_object(caption: str, name: str) -> None:
    assert name not in [item.name for item in graph(caption).objects]


@pytest.mark.parametrize(
    "caption",
    [
        "The dog is not lying on the sofa.",
        "The dog might be lying on the sofa.",
        "The dog is lying or sitting on the sofa.",
    ],
)
def test_what_is_not_asserted_is_no_relation(caption: str) -> None:
    assert graph(caption).relations == ()


def test_members_of_a_group_are_told_apart() -> None:
    found = graph(
        "Two skiers stand on a slope. One skier is wearing a red jacket. Another skier is wearing "
        "a blue jacket."
    )
    skiers = [n for n, item in enumerate(found.objects) if item.name == "skier"]
    worn = {
        (r.subject, found.objects[r.object].attributes)
        for r in found.relations
        if r.relation == "is wearing"
    }
    assert worn == {(skiers[0], ("a red color",)), (skiers[1], ("a blue color",))}


def test_a_vehicle_near_the_plane_is_not_the_plane() -> None:
    found = graph("A large plane stands on the tarmac. A yellow vehicle is parked near the plane.")
    assert dict(objects(found))["plane"] == {"a large size"}
    assert ("vehicle", "is parked near", "plane") in relations(found)


CAPTION = "A woman stands at a bus stop. She is holding two bags. The bags are red."


def test_a_sentence_gives_only_what_it_says_under_the_names_of_the_caption() -> None:
    found = graph(CAPTION, "She is holding two bags.")
    assert objects(found) == [("woman", set()), ("bags", set())]
    assert relations(found) == {("woman", "is holding", "bags")}


def test_a_sentence_that_is_not_in_the_caption_is_read_alone() -> None:
    found = graph("A cat sleeps.", "A dog is lying on a mat.")
    assert relations(found) == {("dog", "is lying on", "mat")}


def test_a_caption_without_things_gives_an_empty_graph() -> None:
    found = graph("The image has a warm and peaceful atmosphere.")
    assert found == SceneGraphAnswer(objects=(), relations=())
