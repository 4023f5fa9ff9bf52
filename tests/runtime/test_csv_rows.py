"""CSV files as records: what Python, pandas and Excel write is read; what is wrong is named."""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import ToolkitError
from runtime.files import read_numbered, read_records, validate_all
from schemas.finer import AnsweredRow, QuestionRow
from schemas.scene_graph import CaptionRecord

HEADER = "image,qtype,question,choice1,choice2,choice3,choice4,choice5,gt_index"
ROW = "cat.jpg,wh_1_pos,What is it?,A cat.,A dog.,A cow.,A pig.,A hen.,0"


@pytest.fixture(autouse=True)
def work_in_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def file(text: str | bytes) -> Path:
    path = Path("rows.csv")
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def problem(text: str | bytes) -> str:
    with pytest.raises(ToolkitError) as caught:
        validate_all(file(text), QuestionRow)
    assert caught.value.exit_code == 2
    assert caught.value.hint
    return caught.value.message


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_rows_come_with_their_first_line(end: str, mark: str) -> None:
    long = ROW.replace("What is it?", f'"What{end}is, as ""they"" say,{end}it?"')
    path = file(mark + end.join([HEADER, ROW, "", long, " ", ROW]))
    read = list(read_numbered(path, QuestionRow))
    assert [line for line, _ in read] == [2, 4, 8]
    assert read[1][1].question == f'What{end}is, as "they" say,{end}it?'
    assert read[0][1] == read[2][1]
    assert validate_all(path, QuestionRow, limit=2).records == 2


def test_an_empty_cell_is_an_absent_key() -> None:
    path = file(f"{HEADER},pred_idx,note\na,level_1,A cat?,Yes,No,,,,1,,x\n")
    [row] = read_records(path, AnsweredRow)
    assert (row.choices, row.pred_idx) == (("Yes", "No"), None)


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1).filter(str.strip)


@given(st.lists(st.tuples(TEXTS, TEXTS, st.integers(0, 1)), min_size=1))
def test_what_is_written_is_read_back(rows: list[tuple[str, str, int]]) -> None:
    path = Path("rows.csv")
    with path.open("w", encoding="utf-8", newline="") as handle:
        writer = csv.writer(handle, quoting=csv.QUOTE_NONNUMERIC)
        writer.writerow(["image", "qtype", "question", "choice1", "choice2", "gt_index"])
        writer.writerows(["a", "level_1", question, one, "No", gt] for question, one, gt in rows)
    read = [(row.question, row.choice1, row.gt_index) for row in read_records(path, QuestionRow)]
    assert read == rows


MESSAGES = [
    ("image,qtype\na,b\n", "rows.csv:1: no columns question, choice1, choice2, gt_index"),
    (f"{HEADER.replace('gt_index', 'gt')}\n{ROW}\n", "rows.csv:1: no column gt_index"),
    (f"{ROW}\n{ROW}\n", "rows.csv:1: no columns image, qtype, question"),
    (f"{HEADER.replace('choice2', 'choice1')}\n{ROW}\n", "rows.csv:1: two columns are called 'ch"),
    (f"{HEADER},extra\n{ROW},1\n", "rows.csv:2: extra: unknown key"),
    (f"{HEADER}\n{ROW}\n{ROW[:-2]}\n", "rows.csv:3: 8 cells, but the header has 9"),
    (f"{HEADER}\n{ROW},7\n", "rows.csv:2: 10 cells, but the header has 9"),
    (f"{HEADER}\n\n{ROW[:-1]}x\n", 'rows.csv:3: gt_index: expected a valid integer, got "x"'),
    (f"{HEADER}\n{ROW[:-1]}5\n", "rows.csv:2: gt_index: expected a value less than or equal to 4"),
    (f"{HEADER}\n{ROW[:-1]}\n", "rows.csv:2: gt_index: required but missing"),
    (
        f"{HEADER}\n{ROW}\n{ROW.replace('A cat.', '')}\n",
        "rows.csv:3: choice1: required but missing",
    ),
    (f"{HEADER}\n{ROW.replace('A cow.', '')}\n", "rows.csv:2: the options must be given from"),
    (f"{HEADER}\na,level_1,A cat?,Yes,No,,,,2\n", "rows.csv:2: gt_index: 2 of 2 options, from 0"),
    (f'{HEADER}\n{ROW}\na,"b\nc\n', "rows.csv:3: not valid CSV: unexpected end of data"),
    (f"{HEADER}\n".encode() + b"caf\xe9.jpg,x\n", "rows.csv:2: not UTF-8 text: invalid"),
    ("", "rows.csv: has no records"),
    (f"{HEADER}\n", "rows.csv: has no records"),
]


@pytest.mark.parametrize(("text", "message"), MESSAGES)
def test_what_is_wrong_is_named(text: str | bytes, message: str) -> None:
    assert problem(text).startswith(message)


def test_a_repeated_id_names_both_lines() -> None:
    path = file("id,image,caption\na,a.jpg,A cat.\na,b.jpg,A dog.\n")
    with pytest.raises(ToolkitError, match=r"^rows\.csv:3: id: 'a' was already used in line 2"):
        list(read_records(path, CaptionRecord))
