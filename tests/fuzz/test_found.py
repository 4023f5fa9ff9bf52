"""What fuzzing has found, each as the input that showed it."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from pydantic import ValidationError

from backends.base import Completion, PlainText, TokenUsage
from backends.cache import ResponseCache
from backends.chat import read_completion
from backends.parse import parse_answer
from runtime.config import load_config
from runtime.errors import ToolkitError
from runtime.files import read_records
from runtime.store import HEADER, JOURNAL, Outcome, OutcomeStore
from schemas.finer import GivenRow
from schemas.judgement import CategoryAnswer
from schemas.record import ImageRecord

ANSWER = Completion(text="{}", model="m")
LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


def config_error(tmp_path: Path, text: str) -> str:
    (tmp_path / "c.yaml").write_text(text)
    with pytest.raises(ToolkitError) as raised:
        load_config(tmp_path / "c.yaml")
    assert raised.value.kind == "config" and len(str(raised.value)) < 2000
    return raised.value.message


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("- " * 5000, "nested too deeply"),
        ("[" * 5000, "nested too deeply"),
        ("run: 2001-99-99", "month must be"),
        ("run: 0b_", "not valid YAML"),
        (f"run: {'9' * 5000}", "not valid YAML"),
        ("agents: &a {default: *a}", "values, with those that aliases repeat"),
        (f"{LAUGHS}backends: {{x: {{driver: *i}}}}", "values, with those that aliases repeat"),
        ("run: !!timestamp x", "not valid YAML"),
        ('run: {cache: "\\ud800"}', "half of a surrogate pair"),
        ("#" * 300_000, "more than 200,000 bytes"),
        ("run: !!python/object/apply:os.mkdir [exploded]", "not valid YAML"),
    ],
)
def test_yaml(tmp_path: Path, text: str, reason: str) -> None:
    assert reason in config_error(tmp_path, text)


def test_names_that_are_very_long(tmp_path: Path) -> None:
    long = "9" * 5000
    text = f"backends: {{b{long}: {{driver: rules}}}}\nagents: {{rsr: c{long}}}"
    assert len(config_error(tmp_path, text)) < 1000


def test_a_planted_cache_row_cannot_have_a_file_removed(tmp_path: Path) -> None:
    """diskcache removes the file that a replaced row names, wherever it is."""
    cache = ResponseCache(tmp_path / "cache")
    cache.put("key", ANSWER)
    precious = tmp_path / "precious"
    precious.touch()
    with sqlite3.connect(cache.path / "cache.db") as database:
        database.execute("UPDATE Cache SET mode = 3, filename = '../precious'")
    cache.put("key", ANSWER)
    assert cache.get("key") == ANSWER and precious.exists()
    cache.close()


@pytest.mark.parametrize("key", ["disk_unknown", "sqlite_"])
def test_planted_settings_of_the_cache(tmp_path: Path, key: str) -> None:
    ResponseCache(tmp_path).close()
    with sqlite3.connect(tmp_path / "cache.db") as database:
        database.execute("INSERT INTO Settings VALUES (?, 1)", (key,))
    with pytest.raises(ToolkitError, match="delete that directory"):
        ResponseCache(tmp_path)


def run_error(output: Path, name: str, content: str, overwrite: bool = False) -> ToolkitError:
    with OutcomeStore(output, {"input": "a"}) as store:
        store.append(Outcome(id="a", index=0, value={}))
    (output / name).write_text(content)
    with pytest.raises(ToolkitError) as raised:
        OutcomeStore(output, {"input": "a"}, overwrite=overwrite)
    assert raised.value.kind == "input" and len(str(raised.value)) < 3000
    return raised.value


@pytest.mark.parametrize(
    "line",
    [
        '{"id": []}', '{"id": "a", "failure": {}}', '{"id": "a", "failure": 1}', "[" * 20_000,
        '{"id": "a", "index": "x", "value": {}}',
    ],
)  # fmt: skip
def test_journals(tmp_path: Path, line: str) -> None:
    assert "1: damaged line" in run_error(tmp_path, JOURNAL, f"{line}\n{{}}\n").message


@pytest.mark.parametrize("header", ["[" * 20_000, "[]", '{"fingerprint": {}, "outputs": [{}]}'])
def test_headers(tmp_path: Path, header: str) -> None:
    assert "damaged" in run_error(tmp_path, HEADER, header).message


@pytest.mark.parametrize("name", ["", "..", "a" * 5000, "a\0b"])
def test_headers_that_name_no_file(tmp_path: Path, name: str) -> None:
    header = json.dumps({"fingerprint": {"input": "a"}, "outputs": [name]})
    assert "cannot remove" in run_error(tmp_path, HEADER, header, overwrite=True).message


def test_a_run_that_differs_in_a_great_deal(tmp_path: Path) -> None:
    was = {str(number): "x" * 100_000 for number in range(100)}
    header = json.dumps({"fingerprint": was, "outputs": []})
    assert "and 93 more" in run_error(tmp_path, HEADER, header).message


def test_an_answer_that_ends_in_blanks() -> None:
    text = '```json\n{"decision": "is_a"}' + " " * 300_000
    assert parse_answer(f"{text}\n```", CategoryAnswer).decision == "is_a"
    with pytest.raises(ToolkitError):
        parse_answer(text, CategoryAnswer)


def test_half_a_surrogate_pair_of_a_provider(tmp_path: Path) -> None:
    completion = read_completion({"choices": [{"message": {"content": "a\ud800"}}]}, "m")
    cache = ResponseCache(tmp_path)
    cache.put("key", completion)
    assert cache.get("key") == completion and completion.text == "a?"
    cache.close()


@pytest.mark.parametrize("count", [-1, 10**400])
def test_tokens_that_cannot_be_paid_for(count: int) -> None:
    with pytest.raises(ValidationError):
        TokenUsage(prompt_tokens=count)
    with pytest.raises(ToolkitError) as raised:
        usage = {"prompt_tokens": count}
        read_completion({"choices": [{"message": {}}], "usage": usage}, "m")
    assert raised.value.kind == "server"


def input_error(path: Path, content: str | bytes, model: type = ImageRecord) -> str:
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ToolkitError) as raised:
        list(read_records(path, model))
    message = str(raised.value)
    assert raised.value.kind == "input" and len(message) < 3000 and message.encode()
    return message


def test_rows_with_very_many_or_very_long_keys(tmp_path: Path) -> None:
    many = json.dumps({f"responsez{number}": 1 for number in range(100_000)})
    assert "and 1" in input_error(tmp_path / "a.jsonl", many)
    row = {"id": "a", "image": "a", "responses": ["a"], "reference": "a", "a" * 10**6: 1}
    assert "aaa: unknown key" in input_error(tmp_path / "a.jsonl", json.dumps(row))


def test_very_many_columns(tmp_path: Path) -> None:
    header = ",".join(map(str, range(300_000)))
    assert "no columns" in input_error(tmp_path / "a.csv", f"{header}\n{header}\n", GivenRow)
    assert len(input_error(tmp_path / "a.csv", f"{'a' * 10**6},{'a' * 10**6}\n", GivenRow)) < 500


def test_parquet_that_is_damaged_behind_its_footer(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    row = {"id": "astronaut", "image": "a.png", "responses": ["A cat."], "reference": "A cat."}
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([row]), path, compression="none")
    data = path.read_bytes()
    not_text = data.replace(b"astronaut", b"astro\xff\xff\xff\xff")
    assert "utf-8" in input_error(path, not_text)
    pages = bytearray(data)
    pages[8:200] = bytes(192)
    input_error(path, bytes(pages))


def test_plain_text_is_any_text() -> None:
    assert parse_answer("\0 NaN {", PlainText).text == "\0 NaN {"
