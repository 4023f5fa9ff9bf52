"""Items found by their place in a file are those that reading the file from the start gives."""

from __future__ import annotations

import csv
import json
from pathlib import Path

from pages.review_files import open_file, open_run
from pages.review_forms import FormError, edited, fields
from pages.review_items import KINDS
from runtime.readers import read_rows
from runtime.review_items import groups, items
from runtime.reviews import RawRow
from tests.pages.reviewing import made


def test_every_item_of_every_kind_is_found_again() -> None:
    for name in ("graphs", "negatives", "tested", "questions", "rsr", "tuning"):
        for file in open_run(made(name), None, 0).values():
            rows = ((number, raw.root) for number, raw in read_rows(file.path, "", RawRow))
            wanted = [
                item
                for group in groups(file.name, rows)
                for item in items(file.name, [row for _, row in group])
            ]
            assert [file.read(number).item for number in range(len(file))] == wanted
            assert [file.sha256(number) for number in range(len(file))] == [
                item.sha256 for item in wanted
            ]
            assert list(file.places) == [item.id for item in wanted]


def test_lines_in_cells_blank_lines_and_marks_at_the_start(tmp_path: Path) -> None:
    path = tmp_path / "multi_obj.csv"
    row = 'a.jpg,multi_obj_1_{},"over\ntwo ""lines"" {}",Yes,No,0'
    lines = ["image,qtype,question,choice1,choice2,gt_index"]
    for number in (1, 2, 2, 3):
        lines += [row.format("pos", number), "", row.format("neg", number), ""]
    path.write_text("\ufeff" + "\n".join(lines), newline="")
    file = open_file(path)
    assert len(file) == 3  # the same pair twice is one item
    texts = [[one["question"] for one in file.read(n).item.content] for n in range(3)]
    assert texts == [[f'over\ntwo "lines" {n}'] * 2 for n in (1, 2, 3)]

    path = tmp_path / "scene_graphs.jsonl"
    graphs = [{"id": str(n), "image": "ü.jpg", "objects": [{"name": "猫"}]} for n in range(3)]
    path.write_text("\ufeff\n" + "\n\n".join(json.dumps(g, ensure_ascii=False) for g in graphs))
    file = open_file(path)
    assert [file.read(n).row for n in range(3)] == graphs


def test_answers_of_a_model_are_shown_with_their_questions(tmp_path: Path) -> None:
    with (made("questions") / "multi_obj.csv").open() as file:
        header, *rows = csv.reader(file)
    with (tmp_path / "predictions.csv").open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([*header, "pred_idx", "prediction"])
        writer.writerows([*row, n % 6 - 1, "(A)," if n % 6 else ""] for n, row in enumerate(rows))
    opened = open_file(tmp_path / "predictions.csv")
    assert len(opened) == len(rows) // 2
    content = opened.read(1).item.content
    shown = opened.kind.view(content)["questions"]
    assert [one["row"].pred_idx for one in shown] == [1, 2]
    assert [one["answer"] for one in shown] == ["(A),", "(A),"]
    assert opened.kind.view(opened.read(0).item.content)["questions"][0]["answer"] is None
    assert "pred_idx" not in edited(opened.kind, content, {})[0]  # it was of another question


def test_a_sample_keeps_what_belongs_together() -> None:
    whole = open_run(made("tested"), None, 0)["verdicts.jsonl"]
    small = whole.sampled(7, 3)
    assert len(small) == len(small.scores) == 7
    for number in range(7):
        found = small.read(number)
        place = whole.places[found.item.id]
        assert small.places[found.item.id] == number
        assert small.sha256(number) == whole.sha256(place) == found.item.sha256
        assert small.scores[number] == whole.scores[place]


def test_a_form_that_is_sent_as_it_was_changes_nothing() -> None:
    for name in ("graphs", "negatives", "questions", "rsr", "tuning"):
        for file in open_run(made(name), 5, 0).values():
            for number in range(len(file)):
                content = file.read(number).item.content
                values = {one.name: one.value for one in fields(file.kind, content)}
                again = edited(file.kind, content, values)
                if file.path.suffix == ".csv":  # cells are texts
                    again = [{key: str(value) for key, value in row.items()} for row in again]
                assert again == content


def test_errors_stand_at_their_fields() -> None:
    kind = KINDS["negatives.jsonl"]
    content = {"image": "a.jpg", "kind": "object", "text": "cat", "subject": None, "object": None,
               "negatives": ["dog", "fox", "cow", "pig"]}  # fmt: skip

    def errors(**values: str) -> dict[str, str]:
        given = {f"negatives[{name[1:]}]": value for name, value in values.items()}
        try:
            edited(kind, content, given)
        except FormError as error:
            return error.errors
        return {}

    assert errors(n1="ox") == {}
    assert set(errors(n1=" ", n3="x" * 201)) == {"negatives[1]", "negatives[3]"}
    assert "differ" in errors(n1="Cat")[""]
