"""From questions to scores on a scripted backend, through the real command, agent and client."""

from __future__ import annotations

import csv
import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from backends import registry
from backends.base import Capabilities, Completion, ModelRequest
from backends.fake import FakeBackend, Step
from benchmarks import finer_evaluate, finer_score
from benchmarks.finer_prompt import chosen_option, prompt
from schemas.finer import QuestionRow

COLUMNS = [*QuestionRow.model_fields]
PHOTO = Path(__file__).parents[2] / "examples/granfact-mini/images/cat.jpg"
Answer = Callable[[str, dict[str, Any]], Step]


def row(number: int, side: str, gt: int, image: str = "cat.jpg") -> dict[str, Any]:
    options = [f"Yes, {number} dogs.", f"Yes, {number} cats.", *(f"No, {n} pigs." for n in "012")]
    named = {f"choice{place}": text for place, text in enumerate(options, 1)}
    question = f"Are there {number} dogs, {side}?"
    return {"image": image, "qtype": f"multi_obj_{1 + number % 3}_{side}", "question": question,
            **named, "gt_index": gt}  # fmt: skip


def rows(pairs: int) -> list[dict[str, Any]]:
    """Pairs of questions; the right answers are at random places, Yes for `_pos`."""
    draw = random.Random(pairs)
    return [
        row(number, side, draw.choice(places), f"{number % 40}.jpg")
        for number in range(pairs)
        for side, places in (("pos", (0, 1)), ("neg", (2, 3, 4)))
    ]


def write(path: Path, table: list[dict[str, Any]]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [*dict.fromkeys(key for row in table for key in row)])
        writer.writeheader()
        writer.writerows(table)
    return path


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


class Bench:
    """Runs `evaluate` in this process; `answer` gets the question's text and its row."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self._patch = monkeypatch

    def evaluate(
        self, table: list[dict[str, Any]], answer: Answer, *flags: str, vision: bool = True
    ) -> int:
        by_question = {row["question"]: row for row in table}

        def reply(request: ModelRequest, output: object) -> Step:
            asked = request.inputs.model_dump()["question"]
            return answer(asked, by_question[asked])

        self.backend = FakeBackend(reply, capabilities=Capabilities(vision=vision))
        self._patch.setattr(registry, "open_backend", lambda config: self.backend)
        source = write(self.folder / "questions.csv", table)
        for image in {row["image"] for row in table}:
            (self.folder / image).parent.mkdir(exist_ok=True)
            (self.folder / image).write_bytes(PHOTO.read_bytes())
        config = self.folder / "config.yaml"
        run = {"cache": str(self.folder / "cache"), "max_error_rate": 1.0}
        config.write_text(json.dumps({"run": run}))
        self.run = self.folder / "run"
        return finer_evaluate.main(
            [str(source), "--output", str(self.run), "--config", str(config), *flags]
        )

    @property
    def scores(self) -> Any:
        return json.loads((self.run / "scores.json").read_text())

    @property
    def predictions(self) -> list[dict[str, str]]:
        return read(self.run / "predictions.csv")


@pytest.fixture
def bench(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bench:
    return Bench(tmp_path, monkeypatch)


def test_the_published_prompt_is_the_only_message(bench: Bench) -> None:
    table = [row(1, "pos", 0), row(1, "neg", 3)]
    assert bench.evaluate(table, lambda *_: "(A)") == 0
    first = next(r for r in bench.backend.requests if "pos" in r.messages[0].content)
    assert [(message.role, message.content) for message in first.messages] == [
        (
            "user",
            "Select the best answer for the multiple-choice question.\n\n"
            "Are there 1 dogs, pos?\n\n"
            "(A) Yes, 1 dogs.\n(B) Yes, 1 cats.\n(C) No, 0 pigs.\n(D) No, 1 pigs.\n(E) No, 2 pigs."
            "\n\nPlease answer with a single capital letter (A, B, C, D, or E):",
        )
    ]
    assert [Path(image.path).resolve() for image in first.images] == [bench.folder / "cat.jpg"]
    assert "gt_index" not in first.model_dump_json()


def test_letters_are_as_many_as_options() -> None:
    def ending(**choices: str) -> str:
        base = {"image": "a", "qtype": "level_1", "question": "A cat?", "gt_index": 0}
        row = QuestionRow.model_validate(base | choices)
        return prompt(row.question, row.choices).partition("?\n\n")[2]

    two = {"choice1": "A cat.", "choice2": "A dog."}
    asked = "Please answer with a single capital letter"
    assert ending(**two) == f"(A) A cat.\n(B) A dog.\n\n{asked} (A or B):"
    assert ending(**two, choice3="None.").endswith(f"{asked} (A, B, or C):")
    assert ending(choice1="Yes", choice2="No") == "Please answer with Yes or No."


OPTIONS = ("Yes, I can see a cat.", "Yes, I can see a dog.", "The puppy.", "A puppy.", "No.")


@pytest.mark.parametrize(
    ("text", "index"),
    [
        ("B", 1), ("(B)", 1), ("B.", 1), (" b\n", 1), ("(b).", 1), ("**B**", 1), ("Answer: B", 1),
        ("The answer is (B) Yes, I can see a dog.", 1), ("B) Yes, I can see a dog.", 1),
        ("B - a dog", 1), ("A is right, not B.", 0), ("A", 0), ("E\nC", 4),
        ("A Yes, I can see a cat.", 0), ("A puppy.", 3), ("a puppy", 3), ("the puppy", 2),
        ("A cat sits there, so D", 3), ("I can't decide. C'est la vie. B", 1),
        ("I would say: yes, I can see a dog.", 1), ("**No.**", 4),
        ("", -1), ("Both.", -1), ("A cat is there.", -1), ("Yes", -1), ("F", -1), ("BC", -1),
        ("The best option: E-mail", -1), ("42", -1),
        ("Yes, I can see a cat. Yes, I can see a dog.", -1),
    ],
)  # fmt: skip
def test_the_option_that_an_answer_chooses(text: str, index: int) -> None:
    assert chosen_option(text, OPTIONS) == index


@pytest.mark.parametrize(
    ("text", "index"),
    [("No", 1), ("no.", 1), ("Yes, there is.", 0), ("**No**, it is a dog", 1), ("Well, yes!", 0),
     ("B", -1), ("Nothing", -1), ("", -1)],
)  # fmt: skip
def test_yes_and_no(text: str, index: int) -> None:
    assert chosen_option(text, ("Yes", "No")) == index


CHOICES = ["Yes, I can see it.", "No, but A.", "No, but B.", "No, but C.", "No, but D."]


@pytest.mark.parametrize(
    ("answer", "chosen"),
    [
        ("B", 1), ("b", 1), (" (C) ", 2), ("D.", 3), ("**E**", 4), ("Answer: B", 1),
        ("answer: d", 3), ("The answer is C.", 2), ("the correct answer is (A)", 0),
        ("(A) is wrong.\n(B) No...\nAnswer: C", 2), ("B, because I see it.", 1),
        ("B. C would be wrong.", 1), ("I choose D", 3), ("Yes, I can see it.", 0),
        ("<think>Option A shows a dog, but (B) could be.</think>\nC", 2),
        ("A or B", -1), ("The answer is not A, it is C.", 2), ("The answer is not B.", -1),
        ("<think>Maybe B", -1), ("The answer is a puppy.", -1),
        ("A cat is sitting there.", -1), ("Maybe C, maybe D.", -1), ("", -1),
        ("I cannot tell.", -1), ("No, but B.", 2), ("It is E", 4), ("C)", 2),
        ("the answer is option b", 1), ("The answer is: option (b).", 1), ("Option b.", 1),
        ("**option c**", 2), ("The correct option is d.", 3), ("correct option: **e**", 4),
        ("the answer is a", 0), ("the answer is option a.", 0), ("the answer is a dog", -1),
        ("the answer is an option", -1), ("the option is a good one", -1),
        ("The answer is not option B.", -1), ("it is not option b.", -1), ("options a, b", -1),
        ("option a or option b.", -1),
    ],
)  # fmt: skip
def test_what_an_answer_says_of_the_letters(answer: str, chosen: int) -> None:
    assert chosen_option(answer, CHOICES) == chosen


def test_an_article_is_no_letter() -> None:
    choices = ("A cat.", "A dog.", "No animal.")
    assert chosen_option("the answer is a dog", choices) == 1
    assert chosen_option("The answer is a dog, not a cat.", choices) == -1
    assert chosen_option("the answer is a bird", choices) == -1


def test_a_letter_beyond_the_options_chooses_none() -> None:
    assert chosen_option("D", ("A cat.", "A dog.")) == -1


def letter(index: int) -> str:
    return f"({'ABCDE'[index]})"


KINDS: dict[str, tuple[Answer, float]] = {
    "oracle": (lambda _, row: letter(row["gt_index"]), 1.0),
    "always yes": (lambda _, row: letter(min(row["gt_index"], 1)), 0.0),
    "always no": (lambda _, row: letter(max(row["gt_index"], 2)), 0.0),
    "silent": (lambda *_: "I would rather not say.", 0.0),
}


@pytest.mark.parametrize("kind", KINDS)
def test_known_models(bench: Bench, kind: str) -> None:
    answer, expected = KINDS[kind]
    assert bench.evaluate(rows(60), answer) == 0
    assert bench.scores["overall"]["pairs"] == 60
    assert bench.scores["overall"]["paired_accuracy"] == expected
    unparsed = 120 if kind == "silent" else 0
    assert (bench.scores["unparsed"], bench.scores["rejected"]) == (unparsed, {})


def test_guessing_scores_what_chance_scores(bench: Bench) -> None:
    draw = random.Random(8)
    guesses = {row["question"]: draw.randrange(5) for row in rows(1_500)}
    assert bench.evaluate(rows(1_500), lambda asked, _: letter(guesses[asked])) == 0
    assert bench.scores["overall"]["paired_accuracy"] == pytest.approx(0.04, abs=0.015)
    assert bench.scores["overall"]["yes_share"] == pytest.approx(0.4, abs=0.03)
    assert len(bench.backend.requests) == 3_000


def test_failures_are_unparsed_and_told_apart(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    def answer(asked: str, row: dict[str, Any]) -> Step:
        if asked == "Are there 0 dogs, pos?":
            return {"$fault": "refused"}
        if asked == "Are there 1 dogs, neg?":
            return Completion(text="Let me think: A", finish_reason="length", model="fake")
        return "Hm." if asked == "Are there 2 dogs, pos?" else letter(row["gt_index"])

    table = rows(10)
    assert bench.evaluate(table, answer) == 0
    assert (bench.scores["questions"], bench.scores["unparsed"]) == (20, 3)
    assert bench.scores["rejected"] == {"refused": 1, "truncated": 1}
    assert bench.scores["overall"]["paired_accuracy"] == 7 / 10
    assert bench.scores["overall"]["parsed_paired_accuracy"] == 7 / 7
    assert bench.scores["text_only"] is False
    shown = capsys.readouterr().out
    assert "unparsed: 1 without a readable option, 2 rejected (1 refused, 1 truncated)" in shown
    predicted = bench.predictions
    assert [{key: str(row[key]) for key in COLUMNS} for row in table] == [
        {key: row[key] for key in COLUMNS} for row in predicted
    ]
    assert [(row["pred_idx"], row["prediction"]) for row in predicted[:6]] == [
        ("-1", ""), (str(table[1]["gt_index"]), letter(table[1]["gt_index"])),
        (str(table[2]["gt_index"]), letter(table[2]["gt_index"])), ("-1", ""),
        ("-1", "Hm."), (str(table[5]["gt_index"]), letter(table[5]["gt_index"])),
    ]  # fmt: skip
    rejected = [json.loads(line) for line in (bench.run / "rejected.jsonl").open()]
    assert [(row["id"].rpartition(":")[0], row["kind"]) for row in rejected] == [
        ("multi_obj_1_pos:0.jpg", "refused"), ("multi_obj_2_neg:1.jpg", "truncated"),
    ]  # fmt: skip


def test_scoring_the_predictions_gives_the_same_scores(bench: Bench, tmp_path: Path) -> None:
    assert bench.evaluate(rows(20), lambda asked, _: letter(len(asked) % 5)) == 0
    summary = tmp_path / "summary.json"
    predictions = str(bench.run / "predictions.csv")
    assert finer_score.main([predictions, "--summary", str(summary)]) == 0
    assert bench.scores == json.loads(summary.read_text()) | {"text_only": False, "rejected": {}}


def test_equal_rows_are_asked_once_and_share_the_answer(bench: Bench) -> None:
    table = [row(1, "pos", 0), row(1, "neg", 3)] * 3
    assert bench.evaluate(table, lambda *_: "A") == 0
    assert len(bench.backend.requests) == 2
    assert [row["pred_idx"] for row in bench.predictions] == ["0"] * 6
    assert bench.scores["overall"]["pairs"] == 3


def test_settings_and_levels_in_one_file(bench: Bench, capsys: pytest.CaptureFixture[str]) -> None:
    level = {"image": "cat.jpg", "qtype": "level_3", "question": "Is it blue?", "choice1": "Yes",
             "choice2": "No", "gt_index": 1}  # fmt: skip
    other = [row(4, side, 0) | {"qtype": f"wh_1_{side}"} for side in ("neg", "pos")]
    table = [row(1, "pos", 0), row(1, "neg", 3), level, *other]
    assert bench.evaluate(table, lambda asked, _: "No." if "blue" in asked else "A") == 0
    assert list(bench.scores["settings"]) == ["multi_obj", "wh"]
    assert bench.scores["levels"]["level_3"]["accuracy"] == 1
    assert bench.scores["settings"]["wh"]["paired_accuracy"] == 1
    shown = capsys.readouterr().out
    for words in ("multi_obj", "wh", "all settings", "level 3", "100.0", "guessing"):
        assert words in shown


def test_text_only_shows_no_image_and_says_so(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    table = rows(2)
    assert bench.evaluate(table, lambda *_: "A", vision=False) == 3
    assert "--text-only" in capsys.readouterr().err
    assert bench.evaluate(table, lambda *_: "A", "--text-only", "--overwrite", vision=False) == 0
    assert all(request.images == () for request in bench.backend.requests)
    assert bench.scores["text_only"] is True
    assert "the model saw no image" in capsys.readouterr().out
    manifest = json.loads((bench.run / "manifest.json").read_text())
    assert manifest["settings"]["text_only"] is True


def test_images_may_be_elsewhere(bench: Bench) -> None:
    (bench.folder / "photos").mkdir()
    for name in ("0.jpg", "1.jpg"):
        (bench.folder / "photos" / name).write_bytes(PHOTO.read_bytes())
    assert bench.evaluate(rows(2), lambda *_: "A", "--images", str(bench.folder / "photos")) == 0
    shown = {Path(r.images[0].path).resolve() for r in bench.backend.requests}
    assert shown == {bench.folder / "photos" / name for name in ("0.jpg", "1.jpg")}
    assert {row["image"] for row in bench.predictions} == {"0.jpg", "1.jpg"}


def test_a_broken_pair_is_named_before_anything_is_asked(
    bench: Bench, capsys: pytest.CaptureFixture[str]
) -> None:
    table = [*rows(2), row(9, "pos", 0)]
    assert bench.evaluate(table, lambda *_: "A") == 2
    said = capsys.readouterr().err
    assert f"{bench.folder / 'questions.csv'}:6: expected the other row of the pair" in said
    assert bench.evaluate(rows(2), lambda *_: "A", "--limit", "3") == 2
    assert "--limit an even number" in capsys.readouterr().err
    assert not bench.run.exists()
    assert bench.backend.requests == []


def scored(folder: Path, table: list[dict[str, Any]], *flags: str) -> int:
    return finer_score.main([str(write(folder / "answers.csv", table)), *flags])


def test_answers_of_the_published_script(tmp_path: Path) -> None:
    """Other columns are left alone, and pandas writes whole numbers with gaps as "2.0"."""
    table = [
        row | {"pred_idx": f"{row['gt_index']}.0" if number else "", "raw": "(C)"}
        for number, row in enumerate(rows(50))
    ]
    assert scored(tmp_path, table, "--summary", str(tmp_path / "s.json")) == 0
    scores = json.loads((tmp_path / "s.json").read_text())
    assert (scores["overall"]["paired_accuracy"], scores["unparsed"]) == (49 / 50, 1)
    assert scores["overall"]["parsed_paired_accuracy"] == 1


BROKEN: list[tuple[Callable[[list[dict[str, Any]]], Any], str]] = [
    (lambda t: t[1].update(image="x.jpg"), "answers.csv:3: image: expected the other row of the"),
    (lambda t: t[3].update(qtype=t[2]["qtype"]), "answers.csv:5: qtype: expected the other row"),
    (lambda t: t[2].update(qtype="odd"), "answers.csv:4: qtype: expected one that ends in _pos or"),
    (lambda t: t.pop(), "answers.csv:4: expected the other row of the pair"),
    (lambda t: t[0].update(pred_idx="B"), 'answers.csv:2: pred_idx: expected a valid integer, got'),
    (lambda t: t[0].update(pred_idx=5), "answers.csv:2: pred_idx: expected a value less than or"),
    (lambda t: t[0].update(choice5="", pred_idx=4), "answers.csv:2: pred_idx: 4 of 4 options"),
    (lambda t: t[0].update(choice4=""), "answers.csv:2: the options must be given from choice1"),
    (lambda t: [row.pop("pred_idx") for row in t], "answers.csv: no row has a pred_idx"),
    (lambda t: [row.pop("qtype") for row in t], "answers.csv:1: no column qtype"),
]  # fmt: skip


@pytest.mark.parametrize(("damage", "said"), BROKEN)
def test_what_cannot_be_scored_is_named(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    damage: Callable[[list[dict[str, Any]]], Any],
    said: str,
) -> None:
    table = [row | {"pred_idx": 0} for row in rows(2)]
    damage(table)
    summary = tmp_path / "summary.json"
    assert scored(tmp_path, table, "--summary", str(summary)) == 2
    assert said in capsys.readouterr().err
    assert not summary.exists()


def test_other_columns_of_the_questions_are_left_alone(tmp_path: Path) -> None:
    from benchmarks.finer_score import read_pairs
    from schemas.finer import GivenRow

    path = tmp_path / "pandas.csv"
    head = ",image,qtype,question,choice1,choice2,choice3,choice4,choice5,gt_index,note\n"
    path.write_text(
        head
        + "0,a.jpg,wh_1_pos,What?,A.,B.,C.,D.,E.,0,x\n1,a.jpg,wh_1_neg,Who?,A.,B.,C.,D.,E.,1,\n"
    )
    [pair] = read_pairs(path, GivenRow)
    assert [row.gt_index for row in pair] == [0, 1]
