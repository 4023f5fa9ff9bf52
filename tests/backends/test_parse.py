"""What is repaired in an answer, what is not, and how faults are put."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from backends.base import Completion, PlainText
from backends.parse import check_finish_reason, parse_answer
from runtime.errors import ToolkitError
from schemas.edit import RevisedResponse
from schemas.entity import ParsedResponse
from schemas.judgement import CategoryAnswer


@pytest.mark.parametrize(
    "text",
    [
        '{"decision": "is_a"}',
        '```json\n{"decision": "is_a"}\n```',
        '```\n{"decision": "is_a"}```',
        'Here it is:\n```json\n{"decision": "is_a",}\n```\nDone.',
        '{"decision": "is_a" ,\n }',
        ' {"decision": "is_a"}\n\n',
    ],
)
def test_fences_and_trailing_commas_are_repaired(text: str) -> None:
    assert parse_answer(text, CategoryAnswer).decision == "is_a"


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("", "malformed"),
        ('{"decision": "is_a"', "malformed"),
        ("{'decision': 'is_a'}", "malformed"),
        ("The answer is is_a.", "malformed"),
        ('{"decision": "is_a"} {"decision": "is_a"}', "malformed"),
        ("[" * 100_000, "malformed"),
        ('"is_a"', "schema"),
        ('{"decision": "is_a", "why": "x"}', "schema"),
        ("{}", "schema"),
    ],
)
def test_the_rest_is_an_error(text: str, kind: str) -> None:
    with pytest.raises(ToolkitError) as raised:
        parse_answer(text, CategoryAnswer)
    assert raised.value.kind == kind
    assert raised.value.correctable


@given(st.text(min_size=1, max_size=200))
def test_repair_never_changes_a_string(revised: str) -> None:
    body = json.dumps({"revised": revised})
    assert parse_answer(f"```json\n{body[:-1]},}}\n```", RevisedResponse).revised == revised


def test_errors_are_compact_and_name_the_place() -> None:
    entities = [{"category": "dog", "quantity": 0, "attributes": ["x" * 500]}] * 20
    with pytest.raises(ToolkitError) as raised:
        parse_answer(json.dumps({"entities": entities}), ParsedResponse)
    assert "entities.0.quantity" in raised.value.message
    assert "more" in raised.value.message
    assert len(raised.value.message) < 2000


def test_repair_of_a_long_cut_off_string_is_linear() -> None:
    with pytest.raises(ToolkitError):
        parse_answer('{"revised": "' + '\\",]' * 200_000, RevisedResponse)


@pytest.mark.parametrize("text", ["B", "", '{"text": "A"}', "```json\n{}\n```"])
def test_plain_text_is_taken_as_it_is(text: str) -> None:
    assert parse_answer(text, PlainText).text == text


def test_only_an_answer_of_choices_may_be_cut_off() -> None:
    cut = Completion(text="B, because", finish_reason="length", model="m")
    check_finish_reason(cut, may_be_cut=True)
    with pytest.raises(ToolkitError, match="cut off"):
        check_finish_reason(cut)
    refused = Completion(text="No.", finish_reason="refusal", model="m")
    with pytest.raises(ToolkitError, match="refused"):
        check_finish_reason(refused, may_be_cut=True)
