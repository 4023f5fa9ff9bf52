"""Questions of random graphs: what holds for every pair, and sentences as they should read."""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from agents.nouns import definite, indefinite, is_plural
from agents.phrases import is_phrase, with_phrase
from benchmarks.questions import multi_attr, multi_obj, multi_rel
from benchmarks.questions_levels import levels
from benchmarks.questions_parts import Parts, name_key, usable_parts
from benchmarks.questions_row import Row, Source
from benchmarks.questions_wh import wh
from schemas.finer import QuestionRow
from schemas.scene_graph import NegatedGraph, NegatedObject
from scoring.pairing import pair_rows, split_stem
from tests.benchmarks.strategies import graphs

PAIRED = {"multi_obj": multi_obj, "multi_attr": multi_attr, "multi_rel": multi_rel, "wh": wh}
MOST = {"multi_obj": 6, "multi_attr": 5, "multi_rel": 3, "wh": 1}
VALUES = {"multi_obj": "objects", "multi_attr": "attributes", "multi_rel": "relations"}

many = settings(
    max_examples=70, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)  # fmt: skip


def asked(
    graph: NegatedGraph, make: Callable[[Source, Parts], Iterator[Row]], seed: int = 17
) -> list[Row]:
    return list(make(Source(graph.id, graph.image, seed), usable_parts(graph)))


def model(row: Row) -> QuestionRow:
    given = {name: value for name, value in row._asdict().items() if value != ""}
    return QuestionRow.model_validate(given)


def pairs(graph: NegatedGraph, setting: str) -> list[tuple[QuestionRow, QuestionRow]]:
    rows = [model(row) for row in asked(graph, PAIRED[setting])]
    found = list(pair_rows(enumerate(rows)))
    assert all(len(unit) == 2 for unit in found)
    return [(first, second) for first, second in found]


def right(row: QuestionRow) -> str:
    return row.choices[row.gt_index]


def stated(text: str) -> str:
    """What a question or an option claims to see."""
    found = re.fullmatch(
        r"(?:Can you see|Yes, I can see|No, but I can see) (.*?)(?: in this image)?[.?]", text, re.S
    )
    assert found, text
    return found[1]


def elements(graph: NegatedGraph, setting: str) -> Iterator[tuple[str, list[str]]]:
    """Each usable element with its negatives, written out anew from the graph."""
    four = [item for item in graph.objects if len(item.negatives) == 4]
    if setting == "multi_obj":
        for item in four:
            yield indefinite(item.name), [indefinite(name) for name in item.negatives]
    elif setting == "multi_attr":
        for item in four:
            for text, wrong in zip(item.attributes, item.attribute_negatives, strict=True):
                if wrong:
                    phrase = partial(with_phrase, owner=item.name)
                    yield phrase(text), [phrase(negative) for negative in wrong]
    else:
        for relation in graph.relations:
            subject, target = (graph.objects[i] for i in (relation.subject, relation.object))
            if relation.negatives and subject in four and target in four:
                verb = partial(is_phrase, plural=is_plural(subject.name))
                for noun in (definite(target.name), indefinite(target.name)):
                    wrong = [f"{verb(negative)} {noun}" for negative in relation.negatives]
                    yield f"{verb(relation.relation)} {noun}", wrong


@pytest.mark.parametrize("setting", PAIRED)
@given(graph=graphs())
@many
def test_rows_are_valid_pairs(setting: str, graph: NegatedGraph) -> None:
    seen = []
    for positive, negative in pairs(graph, setting):
        name, number = split_stem(positive.qtype)
        assert (name, positive.qtype[-4:], negative.qtype[-4:]) == (setting, "_pos", "_neg")
        assert 1 <= number <= MOST[setting]
        seen.append(number)
        for row in (positive, negative):
            assert row.image == graph.image
            assert len(set(row.choices)) == 5
            assert row.question[0].isupper() and row.question.endswith("?")
            assert all(option[0] == option[0].upper() for option in row.choices)
            assert all(option.endswith(".") for option in row.choices)
            assert "\n" not in row.question and "\r" not in "".join(row.choices)
    assert setting == "wh" or seen == list(range(1, len(seen) + 1))


@pytest.mark.parametrize("setting", VALUES)
@given(graph=graphs())
@many
def test_one_element_differs_and_one_option_is_right(setting: str, graph: NegatedGraph) -> None:
    known = list(elements(graph, setting))
    for positive, negative in pairs(graph, setting):
        true = stated(positive.question)
        assert right(positive) == f"Yes, I can see {true}."
        assert right(negative) == f"No, but I can see {true}."
        claims = {stated(option) for option in (*positive.choices, *negative.choices)} - {true}
        assert stated(negative.question) in claims and len(claims) == 4
        assert {text for text in positive.choices if text.startswith("Yes")} == {right(positive)}
        yes = f"Yes, I can see {stated(negative.question)}."
        assert {text for text in negative.choices if text.startswith("Yes")} == {yes}
        # Put each element back where it stands: four of its negatives give the other claims.
        replaced = [
            wrong
            for text, wrong in known
            for place in re.finditer(f"(?={re.escape(text)})", true)
            if {true[: place.start()] + n + true[place.start() + len(text) :] for n in wrong}
            == claims
        ]
        assert replaced


@given(graph=graphs(odd=False))
@many
def test_no_negative_object_is_in_the_graph(graph: NegatedGraph) -> None:
    names = {name_key(item.name) for item in graph.objects}
    for positive, negative in pairs(graph, "multi_obj"):
        kept = stated(positive.question).replace(", ", " and ").split(" and ")
        shown = stated(negative.question).replace(", ", " and ").split(" and ")
        [place] = [i for i, (a, b) in enumerate(zip(kept, shown, strict=True)) if a != b]
        assert name_key(shown[place]) not in names
        assert len({name_key(name) for name in kept}) == len(kept)
        assert len(kept) == split_stem(positive.qtype)[1]
        assert {name_key(name) for name in kept} <= names


@given(graph=graphs(odd=False))
@many
def test_attributes_and_relations_are_those_of_one_object(graph: NegatedGraph) -> None:
    for positive, _ in pairs(graph, "multi_attr"):
        true, number = stated(positive.question), split_stem(positive.qtype)[1]
        fitting = [
            item
            for item in graph.objects
            if true.startswith((f"{definite(item.name)} ", f"{indefinite(item.name)} "))
            and sum(
                with_phrase(text, item.name) in true for text in dict.fromkeys(item.attributes)
            ) >= number
        ]  # fmt: skip
        assert fitting
    for positive, _ in pairs(graph, "multi_rel"):
        noun, clauses = stated(positive.question).split(" that ", 1)
        assert len(re.split(r", | and ", clauses)) == split_stem(positive.qtype)[1]
        assert noun in {f(item.name) for f in (definite, indefinite) for item in graph.objects}


@given(graph=graphs())
@many
def test_wh_asks_for_the_only_thing_it_can_be(graph: NegatedGraph) -> None:
    names = {name_key(item.name) for item in graph.objects}
    for positive, negative in pairs(graph, "wh"):
        question = re.sub("^(What|Who) ", "", positive.question)
        [(target, clause)] = {
            (target.name, clause)
            for subject, target, clause in clauses(graph)
            if question.startswith(f"{clause} ") and right(positive) == sentence(subject.name)
        }
        true = question.removeprefix(f"{clause} ").removesuffix("?")
        wrong = negative.question.split(f"{clause} ", 1)[1].removesuffix("?")
        assert wrong in {
            with_phrase(negative, target)
            for item in graph.objects
            if item.name == target
            for text, four in zip(item.attributes, item.attribute_negatives, strict=True)
            if with_phrase(text, target) == true
            for negative in four
        }
        thing, verb = sentence(target).removesuffix("."), "are" if is_plural(target) else "is"
        assert right(negative) == f"{thing} {verb} not {wrong}, but {verb} {true}."
        others = set(positive.choices) - {right(positive), f"{thing} {verb} {wrong}."}
        assert others == set(negative.choices) - {right(negative), right(positive)}
        assert len(others) == 3 and {name_key(text) for text in others}.isdisjoint(names)


def clauses(graph: NegatedGraph) -> Iterator[tuple[NegatedObject, NegatedObject, str]]:
    """Subject, object and "is looking out of the door" of every relation."""
    for relation in graph.relations:
        subject, target = (graph.objects[i] for i in (relation.subject, relation.object))
        verb = is_phrase(relation.relation, is_plural(subject.name))
        yield subject, target, f"{verb} {definite(target.name)}"


def sentence(name: str) -> str:
    noun = definite(name)
    return f"{noun[:1].upper()}{noun[1:]}."


@pytest.mark.parametrize("setting", [*PAIRED, "levels"])
@given(graph=graphs(), seed=st.integers(0, 5))
@settings(parent=many, max_examples=40)
def test_the_same_seed_gives_the_same_rows(setting: str, graph: NegatedGraph, seed: int) -> None:
    make = {**PAIRED, "levels": levels}[setting]
    assert asked(graph, make, seed) == asked(graph, make, seed)


@given(graph=graphs(odd=False), most=st.integers(1, 5))
@settings(parent=many, max_examples=60)
def test_the_number_of_attributes_can_be_limited(graph: NegatedGraph, most: int) -> None:
    rows = asked(graph, partial(multi_attr, most=most))
    assert all(int(row.qtype.split("_")[2]) <= most for row in rows)
    assert rows == asked(graph, multi_attr)[: len(rows)]


@pytest.mark.parametrize("setting", [*PAIRED, "levels"])
@given(graph=graphs(odd=False))
@settings(parent=many, max_examples=60)
def test_nothing_is_doubled(setting: str, graph: NegatedGraph) -> None:
    for row in asked(graph, {**PAIRED, "levels": levels}[setting]):
        for text in row[2:8]:
            assert not re.search(r"\b(\w+) \1\b", str(text)), text
            assert "  " not in str(text)


PUPPY: dict[str, Any] = {
    "name": "puppy",
    "attributes": ["a standing posture", "a red collar", "wearing a hat", "with its tail up"],
    "negatives": ["kitten", "rabbit", "lamb", "piglet"],
    "attribute_negatives": [
        ["a kneeling posture", "a lying posture", "a sitting posture", "a jumping posture"],
        ["a blue collar", "a green collar", "a pink collar", "a black collar"],
        ["wearing a scarf", "wearing a coat", "wearing shoes", "wearing a bow"],
        ["with its tail down", "its tail curled", "its tail cut", "its tail hidden"],
    ],
}
DOOR: dict[str, Any] = {
    "name": "doors",
    "attributes": ["a dark green color", "made of wood"],
    "negatives": ["windows", "gates", "fences", "walls"],
    "attribute_negatives": [
        ["a light gray color", "a red color", "a blue color", "a white color"],
        ["made of metal", "made of glass", "made of plastic", "made of stone"],
    ],
}
LOOKS = {
    "subject": 0,
    "relation": "is looking out of",
    "object": 1,
    "negatives": ["is facing away from", "is lying under", "is jumping over", "is running into"],
}
GRAPH = {"id": "1", "image": "a.jpg", "objects": [PUPPY, DOOR], "relations": [LOOKS]}


def graph_of(**changes: Any) -> NegatedGraph:
    return NegatedGraph.model_validate(GRAPH | changes)


def test_sentences_of_the_paper() -> None:
    graph = graph_of()
    objects = [row.question for row in asked(graph, multi_obj)]
    assert any(
        re.fullmatch(r"Can you see (a puppy and doors|doors and a puppy) in this image\?", text)
        for text in objects
    )
    attributes = " ".join(row.question for row in asked(graph, multi_attr))
    assert "Can you see the puppy wearing a hat" in attributes
    assert "with a red collar, with a" in attributes and " and with its tail up?" in attributes
    [positive, negative] = asked(graph, multi_rel)
    assert positive.question == "Can you see the puppy that is looking out of the doors?"
    assert negative[3 + negative.gt_index] == (
        "No, but I can see the puppy that is looking out of the doors."
    )


def test_wh_agrees_in_number() -> None:
    positive, negative = asked(graph_of(), wh)
    assert re.match(r"What is looking out of the doors (with|made)", positive.question)
    assert positive[3 + positive.gt_index] == "The puppy."
    assert re.fullmatch(
        r"The doors are not (with a|made of) \w+( gray)?( color)?, but are "
        r"(with a dark green color|made of wood)\.",
        negative[3 + negative.gt_index],
    )
    back = LOOKS | {"subject": 1, "object": 0, "relation": "are behind"}
    back["negatives"] = ["are in front of", "are under", "is on", "are leaning against"]
    positive, _ = asked(graph_of(relations=[back]), wh)
    assert positive.question.startswith("What are behind the puppy ")
    assert positive[3 + positive.gt_index] == "The doors."


def test_a_person_is_asked_for_with_who_if_the_options_are_persons() -> None:
    woman = PUPPY | {"name": "woman", "negatives": ["man", "girl", "boy", "dog"]}
    positive, negative = asked(graph_of(objects=[woman, DOOR]), wh)
    assert positive.question.startswith("Who is looking out of the doors ")
    assert negative.question.startswith("Who is looking out of the doors ")
    assert "The dog." not in (*positive, *negative)
    woman["negatives"] = ["man", "girl", "cat", "dog"]
    positive, _ = asked(graph_of(objects=[woman, DOOR]), wh)
    assert positive.question.startswith("What is looking out of the doors ")


@pytest.mark.parametrize(
    "other",
    [PUPPY | {"name": "dog"}, PUPPY | {"name": "puppies"}, DOOR | {"name": "upper door"}],
)
def test_wh_needs_one_answer(other: dict[str, Any]) -> None:
    """A second subject of the relation, a second puppy, a second door."""
    relations = [LOOKS, LOOKS | {"subject": 2}] if other["name"] == "dog" else [LOOKS]
    assert asked(graph_of(objects=[PUPPY, DOOR, other], relations=relations), wh) == []


def test_of_two_puppies_none_is_the_puppy() -> None:
    """And what is true of the one is no negative of the other."""
    second = PUPPY | {"attributes": ["a blue collar"], "attribute_negatives": [[]]}
    rows = asked(graph_of(objects=[PUPPY, DOOR, second], relations=[]), multi_attr)
    about = [row for row in rows if "puppy" in row.question]
    assert about and all("Can you see a puppy " in row.question for row in about)
    assert not any("a blue collar" in text for row in about for text in map(str, row))


def test_a_negative_that_is_seen_is_not_asked_for() -> None:
    cat = PUPPY | {"name": "tabby cat", "negatives": ["fox", "lynx", "hare", "puma"]}
    dog = PUPPY | {"name": "dog", "negatives": ["cat", "kitten", "rabbit", "lamb"]}
    rows = asked(graph_of(objects=[cat, dog], relations=[]), multi_obj)
    asked_for = itertools.chain.from_iterable(row[2:8] for row in rows)
    assert rows and not any(re.search(r"(?<!tabby) cat\b", text) for text in asked_for)


def test_elements_without_negatives_are_never_mentioned() -> None:
    silent = DOOR | {"negatives": []}
    graph = graph_of(objects=[PUPPY, silent])
    for make in (*PAIRED.values(), levels):
        assert "door" not in str(asked(graph, make))


@given(graph=graphs(odd=False))
@settings(parent=many, max_examples=60)
def test_levels_come_in_sevens_and_are_no(graph: NegatedGraph) -> None:
    rows = [model(row) for row in asked(graph, levels)]
    assert [row.qtype for row in rows] in ([], [f"level_{n}" for n in range(1, 8)])
    for row in rows:
        assert (row.choices, row.gt_index) == (("Yes", "No"), 1)
        assert row.question.startswith("Can you see ") and row.question.endswith("?")


@pytest.mark.parametrize("seed", range(10))
def test_each_level_has_one_wrong_element(seed: int) -> None:
    rows = asked(graph_of(), levels, seed)
    texts = [stated(row.question) for row in rows]
    wrong = [*PUPPY["negatives"], *DOOR["negatives"], *LOOKS["negatives"]]
    for item in (PUPPY, DOOR):
        for negatives in item["attribute_negatives"]:
            wrong += [with_phrase(text) for text in negatives]
    assert [sum(text in said for text in wrong) for said in texts] == [1] * 7
    true = [with_phrase(text) for text in PUPPY["attributes"]]
    assert [sum(text in said for text in true) for said in texts] == [0, 0, 1, 2, 3, 3, 3]
    assert ["looking out of" in said for said in texts] == [False] * 5 + [True] * 2
    assert ["doors" in said for said in texts] == [False] * 4 + [True, False, True]
    assert [", that is " in said for said in texts] == [False] * 4 + [True] * 3
