from __future__ import annotations

import errno
import hashlib
import json
import os
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from runtime.disk import writable
from runtime.errors import ToolkitError
from runtime.files import (
    atomic_writer,
    partial_files,
    read_records,
    refuse_input,
    refuse_inside,
    validate_all,
    write_json,
    write_jsonl,
)
from schemas.entity import GroundTruthEntity
from schemas.record import ImageRecord
from tests.full_disk import largest_file

GOOD: dict[str, object] = {
    "id": "cat",
    "image": "cat.jpg",
    "responses": ["A cat."],
    "reference": "A cat.",
}


@pytest.fixture(autouse=True)
def work_in_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def problem(*rows: object) -> str:
    """The message for a JSONL file of these rows; a string stands for itself."""
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path = Path("images.jsonl")
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(ToolkitError) as caught:
        validate_all(path, ImageRecord)
    assert caught.value.exit_code == 2
    assert caught.value.hint
    return caught.value.message


def entities(*rows: object) -> dict[str, object]:
    return {"id": "dog", "image": "dog.jpg", "responses": ["A dog."], "entities": list(rows)}


def test_reads_rows_in_order_and_skips_blank_lines_and_a_byte_order_mark() -> None:
    rows = [GOOD, GOOD | {"id": "dog"}]
    text = "\ufeff" + json.dumps(rows[0]) + "\r\n\n   \n" + json.dumps(rows[1])
    Path("images.jsonl").write_text(text, encoding="utf-8")
    read = list(read_records(Path("images.jsonl"), ImageRecord))
    assert [record.id for record in read] == ["cat", "dog"]
    assert read[1] == ImageRecord.model_validate(rows[1])


def test_text_may_hold_line_separators_of_unicode() -> None:
    rows = [GOOD | {"responses": ["one\u2028two\x85three"]}]
    path = Path("images.jsonl")
    path.write_text(json.dumps(rows[0], ensure_ascii=False) + "\n", encoding="utf-8")
    assert next(read_records(path, ImageRecord)).responses == ("one\u2028two\x85three",)


def test_limit_leaves_later_rows_unread() -> None:
    path = Path("images.jsonl")
    path.write_text(json.dumps(GOOD) + "\nnot json\n")
    assert [record.id for record in read_records(path, ImageRecord, limit=1)] == ["cat"]
    assert validate_all(path, ImageRecord, limit=1).records == 1


def test_validate_all_counts_and_hashes_the_file() -> None:
    path = Path("images.jsonl")
    write_jsonl(path, [GOOD, GOOD | {"id": "dog"}])
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    assert validate_all(path, ImageRecord) == (2, digest, {"images.jsonl": digest})


MESSAGES = [
    (GOOD | {"id": 7}, "id: expected a valid string, got 7"),
    (GOOD | {"id": " "}, 'id: expected a text of at least 1 character, got " "'),
    (GOOD | {"responses": ["A dog.", 5]}, "responses[1]: expected a valid string, got 5"),
    (GOOD | {"responses": "A dog."}, 'responses: expected a list, got "A dog."'),
    (GOOD | {"responses": []}, "responses: expected at least 1 item, not 0"),
    ({**GOOD, "domain": "birds"}, "domain: expected 'daily objects', 'plants', 'animals', 'cars', "
     "'electronics', 'landmarks' or 'games', got \"birds\""),
    ({key: GOOD[key] for key in ("id", "image", "responses")},
     "needs `entities` (annotated objects) or `reference` (a text)"),
    ({"id": "cat", "image": "cat.jpg", "respones": ["A cat."], "reference": "A cat."},
     "responses: required but missing; respones: unknown key, did you mean `responses`?"),
    (GOOD | {"zzz": 1}, "zzz: unknown key"),
    (entities({"path": ["dog"], "quantity": 0}),
     "entities[0].quantity: expected a value greater than or equal to 1 or 'uncertain', got 0"),
    (entities({"path": ["dog"]}, {"path": ["cat"], "quantity": "many"}),
     "entities[1].quantity: expected a valid integer or 'uncertain', got \"many\""),
    (entities({"path": ["dog"], "atributes": []}),
     "entities[0].atributes: unknown key, did you mean `attributes`?"),
    (entities("dog"), 'entities[0]: expected an object, got "dog"'),
    (entities({"path": []}), "entities[0].path: expected at least 1 item, not 0"),
    (GOOD | {"entities": {"path": ["dog"]}}, "entities: expected a list, got an object"),
    (["a", "list"], "expected an object, got a list"),
    ('{"id": "cat", }', "not valid JSON: trailing comma at column 15"),
    ('{"id": "cat"', "not valid JSON: EOF while parsing an object at column 12"),
]  # fmt: skip


@pytest.mark.parametrize(("row", "message"), MESSAGES)
def test_a_bad_row_names_file_line_field_and_expectation(row: object, message: str) -> None:
    assert problem(GOOD | {"id": "first"}, "", row) == f"images.jsonl:3: {message}"


def test_only_the_first_three_problems_are_shown() -> None:
    message = problem({"id": 1, "image": 2, "responses": 3, "prompt": 4, "reference": 5})
    assert message == (
        "images.jsonl:1: id: expected a valid string, got 1; "
        "image: expected a valid string, got 2; prompt: expected a valid string, got 4; and 2 more"
    )


def test_long_values_are_cut() -> None:
    message = problem(GOOD | {"id": "x" * 300})
    assert message == (
        f'images.jsonl:1: id: expected a text of at most 200 characters, got "{"x" * 38}…'
    )


def test_bytes_that_are_not_utf8_are_an_input_error() -> None:
    Path("images.jsonl").write_bytes(b'{"id": "caf\xe9"}\n')
    with pytest.raises(ToolkitError, match=r"^images\.jsonl:1: not UTF-8 text: ") as caught:
        validate_all(Path("images.jsonl"), ImageRecord)
    assert caught.value.hint == "save the file as UTF-8"


def test_a_repeated_id_names_both_lines() -> None:
    assert problem(GOOD, "", GOOD | {"id": "dog"}, GOOD) == (
        "images.jsonl:4: id: 'cat' was already used in line 1"
    )


def test_records_without_an_id_may_repeat() -> None:
    path = Path("entities.jsonl")
    write_jsonl(path, [{"path": ["dog"]}, {"path": ["dog"]}])
    assert len(list(read_records(path, GroundTruthEntity))) == 2


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.jsonl", "missing.jsonl: No such file or directory"),
        ("folder", "folder: not a file"),
        ("empty.jsonl", "empty.jsonl: has no records"),
        ("loop.jsonl", "loop.jsonl: Too many levels of symbolic links"),
        ("x" * 300, f"{'x' * 300}: File name too long"),
    ],
)
def test_a_path_without_records_is_an_input_error(name: str, message: str) -> None:
    Path("folder").mkdir()
    Path("empty.jsonl").write_text("\n")
    Path("loop.jsonl").symlink_to("loop.jsonl")
    with pytest.raises(ToolkitError) as caught:
        validate_all(Path(name), ImageRecord)
    assert (caught.value.message, caught.value.exit_code) == (message, 2)


def test_a_file_below_a_folder_one_may_not_enter_is_an_input_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The tests may run as root, who may enter every folder.
    def forbidden(path: Path, *_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(os, "stat", forbidden)
    monkeypatch.setattr(Path, "stat", forbidden)
    monkeypatch.setattr(Path, "open", forbidden)
    with pytest.raises(ToolkitError) as caught:
        validate_all(Path("private/in.jsonl"), ImageRecord)
    assert caught.value.message == "private/in.jsonl: Permission denied"
    assert caught.value.exit_code == 2


def test_parquet_rows_are_the_same_records_as_jsonl_rows() -> None:
    rows = [
        GOOD,
        entities({"path": ["animal", "dog"], "quantity": 2}) | {"domain": "animals"},
    ]
    pq.write_table(pa.Table.from_pylist(rows, schema=PARQUET), "images.parquet")
    write_jsonl(Path("images.jsonl"), rows)
    from_parquet = list(read_records(Path("images.parquet"), ImageRecord))
    assert from_parquet == list(read_records(Path("images.jsonl"), ImageRecord))
    assert from_parquet[1].entities == (
        GroundTruthEntity(path=("animal", "dog"), quantity=2, attributes=()),
    )


def test_a_bad_parquet_row_names_its_number() -> None:
    rows = [GOOD, GOOD | {"id": "dog", "responses": []}]
    pq.write_table(pa.Table.from_pylist(rows), "images.parquet")
    with pytest.raises(ToolkitError) as caught:
        validate_all(Path("images.parquet"), ImageRecord)
    expected = "images.parquet:2: responses: expected at least 1 item, not 0"
    assert caught.value.message == expected


def test_a_file_that_is_not_parquet_is_an_input_error() -> None:
    Path("images.parquet").write_text("hello, this is text")
    with pytest.raises(ToolkitError, match=r"^images\.parquet: not a Parquet file: "):
        validate_all(Path("images.parquet"), ImageRecord)


PARQUET = pa.schema(
    [
        ("id", pa.string()),
        ("image", pa.string()),
        ("domain", pa.string()),
        ("responses", pa.list_(pa.string())),
        ("reference", pa.string()),
        (
            "entities",
            pa.list_(pa.struct({"path": pa.list_(pa.string()), "quantity": pa.int64()})),
        ),
    ]
)


def test_a_failed_write_keeps_the_old_file_and_leaves_nothing_behind() -> None:
    path = Path("out/rows.jsonl")
    assert write_jsonl(path, [{"id": "old"}]) == 1
    with pytest.raises(RuntimeError), atomic_writer(path) as handle:
        handle.write("half a li")
        raise RuntimeError
    assert path.read_text() == '{"id": "old"}\n'
    assert os.listdir("out") == ["rows.jsonl"]


@pytest.mark.parametrize("rows", [1, 10_000])  # found out at the end, and in between
def test_a_full_disk_keeps_the_old_file_and_leaves_nothing_behind(rows: int) -> None:
    path = Path("out/rows.jsonl")
    write_jsonl(path, [{"id": "old"}])
    with largest_file(5), pytest.raises(ToolkitError, match=r"^cannot write out: ") as caught:
        write_jsonl(path, ({"id": str(number)} for number in range(rows)))
    assert caught.value.kind == "prerequisite"
    assert caught.value.hint == "free some disk space, then run the same command again"
    assert path.read_text() == '{"id": "old"}\n'
    assert os.listdir("out") == ["rows.jsonl"]


def test_a_full_disk_is_told_from_a_place_that_cannot_be_written() -> None:
    for code, kind in [(errno.ENOSPC, "prerequisite"), (errno.EDQUOT, "prerequisite"),
                       (errno.EROFS, "input")]:  # fmt: skip
        with pytest.raises(ToolkitError) as caught, writable(Path("a")):
            raise OSError(code, os.strerror(code))
        assert caught.value.kind == kind


def test_a_file_appears_only_when_it_is_complete() -> None:
    path = Path("rows.jsonl")
    with atomic_writer(path) as handle:
        handle.write("one")
        assert not path.exists()
        assert len(partial_files(Path())) == 1
    assert path.read_text() == "one"
    assert partial_files(Path()) == []


def test_a_result_may_not_be_written_over_an_input() -> None:
    source, other = Path("in.jsonl"), Path("other.jsonl")
    source.touch()
    other.touch()
    Path("soft.jsonl").symlink_to(source)
    Path("hard.jsonl").hardlink_to(source)
    for name in ("in.jsonl", "./in.jsonl", "soft.jsonl", "hard.jsonl"):
        with pytest.raises(ToolkitError, match="is an input of this command"):
            refuse_input(Path(name), [Path("gone.jsonl"), source])
    for name in ("other.jsonl", "new.jsonl", "x" * 300):
        refuse_input(Path(name), [source, Path("gone.jsonl")])


def test_an_input_in_the_output_directory_is_refused() -> None:
    Path("out").mkdir()
    Path("loop").symlink_to("loop")
    Path("link").symlink_to("out")
    for folder in ("out", "link"):
        with pytest.raises(ToolkitError, match="stands in the output directory"):
            refuse_inside(Path("out/in.jsonl"), "in.jsonl", Path(folder))
    for folder in ("loop", ".", "out/deeper"):
        refuse_inside(Path("out/in.jsonl"), "in.jsonl", Path(folder))


def test_written_files_get_ordinary_permissions() -> None:
    Path("ordinary").touch()
    write_json(Path("result.json"), {"b": 1, "a": "é"})
    assert Path("result.json").stat().st_mode == Path("ordinary").stat().st_mode
    assert Path("result.json").read_text() == '{\n  "a": "é",\n  "b": 1\n}\n'


def test_models_and_mappings_are_written_alike() -> None:
    entity = GroundTruthEntity(path=("dog",), quantity="uncertain")
    write_jsonl(Path("rows.jsonl"), [entity, {"path": ["é"]}])
    first, second = Path("rows.jsonl").read_text(encoding="utf-8").splitlines()
    assert GroundTruthEntity.model_validate_json(first) == entity
    assert second == '{"path": ["é"]}'


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for path in (tmp_path / "file/below.json", tmp_path):
        with pytest.raises(ToolkitError, match="cannot write") as raised:
            write_json(path, {})
        assert raised.value.kind == "input"
