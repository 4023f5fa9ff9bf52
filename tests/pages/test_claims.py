"""What became of claims, where they stand, and how their assignment is drawn."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pages.claims import Claim, judge_claims, mark_claims
from pages.graph import assignment_graph
from schemas.entity import GroundTruthEntity, PredictedEntity
from schemas.judgement import PairJudgement

ENTITIES = [
    GroundTruthEntity(path=("animal", "cat", "tabby cat"), quantity=1),
    GroundTruthEntity(path=("animal", "dog"), quantity=2),
    GroundTruthEntity(path=("plant", "tree"), quantity="uncertain"),
]


def predicted(category: str, quantity: int | str = 1) -> PredictedEntity:
    return PredictedEntity.model_validate({"category": category, "quantity": quantity})


def pair(prediction: int, entity: int, level: int) -> PairJudgement:
    return PairJudgement(prediction=prediction, entity=entity, level=level, attribute_score=0.5)


def test_every_claim_has_its_fate() -> None:
    predictions = [
        predicted("tabby cat"), predicted("cat"), predicted("dog", 3), predicted("unicorn"),
        predicted("plant", "uncertain"),
    ]  # fmt: skip
    pairs = [pair(0, 0, 3), pair(1, 0, 2), pair(2, 1, 2), pair(4, 2, 1)]
    claims = judge_claims(predictions, ENTITIES, pairs)
    fates = [claim.status for claim in claims]
    assert fates == ["matched", "over-counted", "over-counted", "hallucinated", "coarser"]
    assert [(link.entity, link.quantity, link.level) for link in claims[2].links] == [(1, 2, 2)]
    drawing = assignment_graph(claims, ENTITIES)
    assert [node.quantity for node in drawing.claims] == ["1", "1", "3", "1", "?"]
    assert [arc.text for arc in drawing.arcs] == ["1 (3/3)", "2 (2/2)", "1 (1/2)"]
    assert {node.status for node in drawing.entities} == {"covered"}


def test_an_entity_that_nobody_claims_is_missed() -> None:
    drawing = assignment_graph(judge_claims([], ENTITIES, []), ENTITIES)
    assert [node.status for node in drawing.entities] == ["missed"] * 3 and not drawing.arcs


def claim(category: str) -> Claim:
    return Claim(category, 1, (), "matched", ())


def marked(text: str, *categories: str) -> tuple[list[tuple[str, str]], list[str]]:
    pieces, lost = mark_claims(text, [claim(category) for category in categories])
    found = [(piece.text, piece.claim.category) for piece in pieces if piece.claim]
    return found, [one.category for one in lost]


def test_claims_are_found_by_their_words() -> None:
    text = "A glossy black helmet and two Dogs; the helmet shines like a dogma."
    assert marked(text, "glossy helmet", "dog") == (
        [("helmet", "glossy helmet"), ("Dogs", "dog"), ("helmet", "glossy helmet")], [],
    )  # fmt: skip


def test_longer_names_come_first_and_claims_alike_share_their_places() -> None:
    found, lost = marked("A cat. A Persian cat. A cat.", "cat", "Persian cat", "cat", "bird")
    assert [text for text, _ in found] == ["cat", "Persian cat", "cat"]
    assert found[1][1] == "Persian cat" and lost == ["bird"]


def test_a_whole_name_goes_before_a_part_of_another() -> None:
    text = "A space helmet, and a helmet on the floor."
    assert marked(text, "glossy space helmet", "helmet")[0] == [
        ("space helmet", "glossy space helmet"), ("helmet", "helmet"),
    ]  # fmt: skip
    assert marked("A helmet.", "glossy helmet", "helmet") == (
        [("helmet", "helmet")], ["glossy helmet"],
    )  # fmt: skip


def test_plurals_are_found_and_what_a_thing_is_of_is_not_the_thing() -> None:
    found, lost = marked(
        "Two women with three puppies and a bowl.", "woman", "puppy", "bowl of tea"
    )
    assert [text for text, _ in found] == ["women", "puppies", "bowl"] and not lost
    assert marked("Some tea.", "bowl of tea") == ([], ["bowl of tea"])


def test_a_category_without_words_stands_nowhere() -> None:
    assert marked("A cat, asleep!", "\x1f") == ([], ["\x1f"])


def test_what_a_pattern_would_mean_is_text() -> None:
    assert marked("A <b>(.*)</b> cat", "<b>(.*)</b>")[0] == [("<b>(.*)</b>", "<b>(.*)</b>")]


@given(
    st.text(alphabet="ab .<\n", max_size=80),
    st.lists(st.text(alphabet="ab <", min_size=1, max_size=6).filter(str.strip), max_size=6),
)
def test_the_text_is_kept(text: str, categories: list[str]) -> None:
    pieces, lost = mark_claims(text, [claim(category.strip()) for category in categories])
    assert "".join(piece.text for piece in pieces) == text
    assert all(piece.text for piece in pieces)
    places = sum(piece.claim is not None for piece in pieces)
    assert len(lost) + places >= len(categories)
