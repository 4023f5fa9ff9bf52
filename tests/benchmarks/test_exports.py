"""Exports are read with the tools' own loaders: pandas, `datasets`, lmms-eval's YAML rules."""

from __future__ import annotations

import base64
import csv
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from benchmarks.exports.__main__ import main
from benchmarks.exports.parquet import write_shards
from benchmarks.exports.questions import open_questions
from benchmarks.finer_prompt import chosen_option, prompt
from schemas.finer import QuestionRow

PHOTOS = Path(__file__).parents[2] / "examples" / "granfact-mini" / "images"
COLUMNS = tuple(QuestionRow.model_fields)


def question(image: str, qtype: str, text: str, right: int = 1) -> dict[str, Any]:
    choices = ("Yes, I can see cat and sofa.", *(f"No, but I can see {n}." for n in "wxyz"))
    options = {f"choice{n}": choice for n, choice in enumerate(choices, 1)}
    return {"image": image, "qtype": qtype, "question": text, **options, "gt_index": right}


def pair(image: str, stem: str) -> list[dict[str, Any]]:
    return [
        question(image, f"{stem}_pos", 'Can you see cat and "sofa"\tin this image?', 0),
        question(image, f"{stem}_neg", "Can you see cat and bench in this image?", 3),
    ]


def level(image: str, number: int) -> dict[str, Any]:
    text = "Can you see a dog in this image?"
    yes_no = {"choice1": "Yes", "choice2": "No", "gt_index": 1}
    return {"image": image, "qtype": f"level_{number}", "question": text} | yes_no


def write_csv(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS)
        writer.writeheader()
        writer.writerows(rows)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Questions on three photographs, which stay beside the CSV files."""
    folder = tmp_path / "questions"
    (folder / "images").mkdir(parents=True)
    for name in ("cat.jpg", "dogs.jpg", "fig.jpg"):
        (folder / "images" / name).write_bytes((PHOTOS / name).read_bytes())
    cat, dogs, fig = "images/cat.jpg", "images/dogs.jpg", "images/fig.jpg"
    write_csv(
        folder / "multi_obj.csv",
        [*pair(cat, "multi_obj_2"), *pair(cat, "multi_obj_3"), *pair(dogs, "multi_obj_2")],
    )
    write_csv(folder / "wh.csv", pair(fig, "wh_1"))
    write_csv(folder / "multi_rel.csv", [])
    write_csv(folder / "levels.csv", [level(cat, 1), level(fig, 1), level(cat, 7)])
    return folder


def photo(name: str) -> bytes:
    return (PHOTOS / name).read_bytes()


def export(folder: Path, name: str, *flags: str) -> Path:
    output = folder.parent / name
    assert main([name, str(folder), "--output", str(output), *flags]) == 0
    return output


def test_tsv_is_what_vlmevalkit_resolves(folder: Path) -> None:
    import pandas

    output = export(folder, "vlmevalkit")
    assert sorted(path.name for path in output.iterdir()) == [
        "FINER_levels.tsv", "FINER_multi_obj.tsv", "FINER_wh.tsv", "README.md",
    ]  # fmt: skip
    table = pandas.read_csv(output / "FINER_multi_obj.tsv", sep="\t")
    assert list(table["index"]) == [0, 1, 2, 3, 4, 5]
    assert list(table["pair"]) == [0, 0, 1, 1, 2, 2]
    assert list(table["answer"]) == ["A", "D"] * 3
    assert table["question"][0] == 'Can you see cat and "sofa"\tin this image?'
    assert list(table["category"][:3]) == ["multi_obj_2_pos", "multi_obj_2_neg", "multi_obj_3_pos"]
    assert set(table["l2-category"]) == {"multi_obj"}
    images = {str(i): str(image) for i, image in zip(table["index"], table["image"], strict=True)}
    # VLMEvalKit takes up to 64 characters for the index of the row that has the image.
    full = [images[text] if len(text) <= 64 else text for text in images.values()]
    expected = [photo("cat.jpg")] * 4 + [photo("dogs.jpg")] * 2
    assert [base64.b64decode(text) for text in full] == expected
    assert [len(text) > 64 for text in images.values()] == [True, *[False] * 3, True, False]


def test_images_may_be_in_another_folder(folder: Path) -> None:
    (folder / "images").rename(folder.parent / "photos")
    write_csv(folder / "wh.csv", pair("fig.jpg", "wh_1"))
    for name in ("multi_obj", "levels"):
        (folder / f"{name}.csv").unlink()
    output = export(folder, "vlmevalkit", "--images", str(folder.parent / "photos"))
    row = (output / "FINER_wh.tsv").read_text().splitlines()[1].split("\t")
    assert base64.b64decode(row[1]) == photo("fig.jpg")


def test_tsv_of_levels_has_two_options(folder: Path) -> None:
    import pandas

    table = pandas.read_csv(export(folder, "vlmevalkit") / "FINER_levels.tsv", sep="\t")
    assert (table["A"][0], table["B"][0], table["answer"][0]) == ("Yes", "No", "B")
    assert table[["C", "D", "E"]].isna().all().all()


def test_dataset_loads_and_keeps_the_bytes(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = str(folder.parent / "cache")
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    from datasets import Image, get_dataset_config_names, load_dataset

    output = str(export(folder, "huggingface", "--license", "cc-by-4.0", "--source", "photos"))
    assert get_dataset_config_names(output) == ["multi_obj", "wh", "levels"]
    rows = load_dataset(output, split="test", cache_dir=cache)
    assert [row["pair"] for row in rows] == [0, 0, 1, 1, 2, 2]
    assert rows[1]["qtype"] == "multi_obj_2_neg"
    assert rows[1]["choices"][rows[1]["gt_index"]] == "No, but I can see y."
    assert rows[0]["image"].size == (451, 300)
    raw = rows.cast_column("image", Image(decode=False))
    assert [row["image"]["bytes"] for row in raw][3:5] == [photo("cat.jpg"), photo("dogs.jpg")]
    assert raw[0]["image"]["path"] == "cat.jpg"
    levels = load_dataset(output, "levels", split="test", cache_dir=cache)
    assert levels["choices"][0] == ["Yes", "No"]
    assert levels.features["image"] == Image()


def test_dataset_card_tells_counts_licence_and_provenance(folder: Path) -> None:
    import yaml

    manifest = {"agent": "finer", "seed": 17, "execution": {"command": ["/home/me/secret"]}}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    output = export(folder, "huggingface", "--license", "cc-by-4.0", "--source", "my photos")
    _, front, text = (output / "README.md").read_text().split("---\n", 2)
    card = yaml.safe_load(front)
    assert card["license"] == "cc-by-4.0"
    assert card["size_categories"] == ["n<1K"]
    assert [config["config_name"] for config in card["configs"]] == ["multi_obj", "wh", "levels"]
    assert card["configs"][0]["default"] is True
    features = card["dataset_info"][0]["features"]
    assert features[0] == {"name": "image", "dtype": "image"}
    assert features[4] == {"name": "choices", "sequence": "string"}
    assert "&id" not in front
    assert "| multi_obj | several objects at once, one of them replaced | 6 | 2: 4, 3: 2 |" in text
    assert "| 3 | level_1: 2, level_7: 1 |" in text
    assert '"seed": 17' in text
    assert "my photos" in text
    assert "secret" not in text


def test_equal_images_of_a_row_group_are_stored_once(folder: Path) -> None:
    write_csv(folder / "wh.csv", [row for _ in range(50) for row in pair("images/cat.jpg", "wh_1")])
    output = export(folder, "huggingface")
    assert (output / "wh" / "test-00000.parquet").stat().st_size < 2 * len(photo("cat.jpg"))


def test_shards_hold_all_rows_in_order(folder: Path) -> None:
    from pyarrow.parquet import ParquetDataset, read_table

    image = "images/cat.jpg"
    write_csv(folder / "wh.csv", [row for n in range(130) for row in pair(image, f"wh_{n + 1}")])
    questions = open_questions(folder, folder, "unknown", "")
    paths = write_shards(questions.read("wh"), folder / "out" / "test", shard_bytes=1000)
    assert [path.name for path in paths] == [f"test-0000{n}.parquet" for n in range(3)]
    assert [read_table(path).num_rows for path in paths] == [100, 100, 60]
    pairs = ParquetDataset(folder / "out").read()["pair"].to_pylist()
    assert pairs == [n // 2 for n in range(260)]


def load_utils(folder: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("utils", folder / "utils.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def load_yaml(path: Path) -> dict[str, Any]:
    """As lmms-eval does: `!function utils.NAME` names a function of a file beside it."""
    import yaml

    class Loader(yaml.SafeLoader):
        pass

    utils = load_utils(path.parent)

    def function(loader: yaml.SafeLoader, node: yaml.ScalarNode) -> Any:
        module, name = str(loader.construct_scalar(node)).split(".")
        assert module == "utils"
        return getattr(utils, name)

    Loader.add_constructor("!function", function)
    return dict(yaml.load(path.read_text(), Loader))


def test_lmms_eval_tasks_name_functions_and_data_that_exist(folder: Path) -> None:
    output = export(folder, "lmms-eval")
    group = load_yaml(output / "finer.yaml")
    assert (group["group"], group["task"]) == ("finer", ["finer_multi_obj", "finer_wh"])
    for setting, metrics in {
        "multi_obj": ["paired_accuracy", "accuracy", "unparsed"],
        "levels": ["accuracy", "level_1", "level_7", "unparsed"],
    }.items():
        task = load_yaml(output / f"finer_{setting}.yaml")
        assert task["task"] == f"finer_{setting}"
        assert all((output / f).is_file() for f in task["dataset_kwargs"]["data_files"]["test"])
        assert task["doc_to_target"]({"choices": ["Yes", "No"], "gt_index": 1}) == "No"
        assert [metric["metric"] for metric in task["metric_list"]] == metrics


def test_lmms_eval_task_scores_an_oracle_and_a_yes_man(folder: Path) -> None:
    from datasets import load_dataset

    output = export(folder, "lmms-eval")
    task = load_yaml(output / "finer_multi_obj.yaml")
    files = {"test": [str(output / f) for f in task["dataset_kwargs"]["data_files"]["test"]]}
    docs = load_dataset(
        task["dataset_path"], data_files=files, split="test", cache_dir=str(folder / "cache")
    )
    assert task["doc_to_visual"](docs[0])[0].mode == "RGB"
    aggregate = task["metric_list"][0]["aggregation"]

    def score(answers: list[str]) -> float:
        results = [
            task["process_results"](doc, [answer])
            for doc, answer in zip(docs, answers, strict=True)
        ]
        return float(aggregate([result["paired_accuracy"] for result in results]))

    assert score([f"({doc['answer']})" for doc in docs]) == 1.0
    assert score(["A"] * 6) == 0.0
    assert score(["A", "D", "A", "A", "I cannot tell", "D"]) == pytest.approx(1 / 3)
    assert aggregate([{"pair": 0, "right": True}]) == 0.0


def test_lmms_eval_levels_count_by_level(folder: Path) -> None:
    task = load_yaml(export(folder, "lmms-eval") / "finer_levels.yaml")
    doc = {"question": "Can you see a dog?", "choices": ["Yes", "No"], "gt_index": 1}
    doc |= {"qtype": "level_7", "pair": 2}
    process = task["process_results"]
    assert process(doc, ["No."]) == {"level_7": 1.0, "accuracy": 1.0, "unparsed": 0.0}
    assert process(doc, ["Maybe"]) == {"level_7": 0.0, "accuracy": 0.0, "unparsed": 1.0}


ANSWERS = [
    "B", "(C)", "b.", "Answer: D", "**E**", "A cat is there", "Option B is", "Yes", "no, it is not",
    "", "I can see x", "No, but I can see y.", "the sofa", "F", "None of A or B",
]  # fmt: skip


@pytest.mark.parametrize("row", [pair("a.jpg", "wh_1")[0], level("a.jpg", 1)])
def test_lmms_eval_asks_and_reads_as_our_evaluation_does(folder: Path, row: dict[str, Any]) -> None:
    output = export(folder, "lmms-eval")
    assert "benchmarks" not in (output / "utils.py").read_text()  # it has to stand alone
    utils, ours = load_utils(output), QuestionRow(**row)
    doc = {"question": ours.question, "choices": list(ours.choices)}
    assert utils.doc_to_text(doc) == prompt(ours.question, ours.choices)
    doc |= {"qtype": ours.qtype, "pair": 0}
    for answer in ANSWERS:
        chosen = chosen_option(answer, ours.choices)
        assert utils.chosen_option(answer, ours.choices) == chosen
        for gt_index in range(len(ours.choices)):
            found = utils.process_results(doc | {"gt_index": gt_index}, [answer])
            assert (found["accuracy"], found["unparsed"]) == (chosen == gt_index, chosen == -1)


@pytest.mark.parametrize("format_name", ["huggingface", "vlmevalkit", "lmms-eval"])
def test_missing_image_is_named_and_nothing_is_left(
    folder: Path, capsys: pytest.CaptureFixture[str], format_name: str
) -> None:
    (folder / "images" / "dogs.jpg").unlink()
    output = folder.parent / "out"
    assert main([format_name, str(folder), "--output", str(output)]) == 2
    message = capsys.readouterr().err
    assert "multi_obj.csv: image images/dogs.jpg: No such file" in message
    assert [path.name for path in folder.parent.iterdir()] == ["questions"]


def test_bad_input_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def error(*words: str) -> str:
        assert main(["vlmevalkit", *words, "--output", str(folder.parent / "out")]) == 2
        return capsys.readouterr().err

    (folder / "images" / "fig.jpg").write_bytes(b"not an image")
    assert "image images/fig.jpg: not a readable image" in error(str(folder))
    write_csv(folder / "wh.csv", [question("https://x.org/a.jpg", f"wh_1_{s}", "?") for s in
                                  ("pos", "neg")])  # fmt: skip
    assert "https://x.org/a.jpg is a URL" in error(str(folder))
    write_csv(folder / "wh.csv", pair("images/cat.jpg", "wh_1")[:1])
    assert "wh.csv:2: expected the other row of the pair" in error(str(folder))
    assert "no questions" in error(str(folder / "images"))
    for name in ("multi_obj", "wh", "levels"):
        write_csv(folder / f"{name}.csv", [])
    assert "the CSV files have no rows" in error(str(folder))


def test_a_folder_that_holds_something_is_left_alone(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["vlmevalkit", str(folder), "--output", str(folder)]) == 2
    assert "exists and is not an empty folder" in capsys.readouterr().err
    assert (folder / "wh.csv").exists()


def test_an_impossible_output_is_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder.parent / "empty.jsonl").touch()
    (folder.parent / "loop").symlink_to(folder.parent / "loop")
    for output in ("empty.jsonl/x", "empty.jsonl/x/y", "x" * 300, "loop"):
        assert main(["vlmevalkit", str(folder), "--output", str(folder.parent / output)]) == 2
        assert "error: cannot write" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["[1]", '"x"', "null", "7"])
def test_a_manifest_of_something_else_is_ignored(folder: Path, content: str) -> None:
    (folder / "manifest.json").write_text(content)
    text = (export(folder, "vlmevalkit") / "README.md").read_text()
    assert "came without a manifest" in text


def test_what_killed_exports_left_is_removed(folder: Path) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    gone, own, alive, other = (
        folder.parent / f".{name}.{process}.partial"
        for name, process in (
            ("vlmevalkit", ended.pid), ("vlmevalkit", os.getpid()), ("vlmevalkit", os.getppid()),
            ("else", ended.pid),
        )
    )  # fmt: skip
    for path in (gone, own, alive, other):
        path.mkdir()
        (path / "FINER_wh.tsv").touch()
    export(folder, "vlmevalkit")
    assert [path.exists() for path in (gone, own, alive, other)] == [False, False, True, True]


def test_vlmevalkit_readme_names_the_files_that_exist(folder: Path) -> None:
    output = export(folder, "vlmevalkit")
    text = (output / "README.md").read_text()
    assert "--data FINER_multi_obj FINER_wh FINER_levels --model" in text
    assert '"MODEL_FINER_multi_obj_…_result.xlsx"' in text
    assert {f"{name}.tsv" for name in ("FINER_multi_obj", "FINER_wh", "FINER_levels")} == {
        path.name for path in output.glob("*.tsv")
    }


@pytest.mark.parametrize("name", ["huggingface", "vlmevalkit", "lmms-eval"])
def test_readmes_tell_what_negatives_were_tested_against(folder: Path, name: str) -> None:
    tested = {"image": 5, "caption": 2, "none": 1}
    (folder / "manifest.json").write_text(json.dumps({"seed": 1, "tested_against": tested}))
    said = (
        "Negatives were tested by a vision model on the images of 5 graphs, against the caption "
        "only of 2, not at all of 1."
    )
    assert said in (export(folder, name) / "README.md").read_text()


def test_readme_without_tests_of_negatives_says_nothing_of_them(folder: Path) -> None:
    (folder / "manifest.json").write_text(json.dumps({"seed": 1}))
    assert "were tested" not in (export(folder, "vlmevalkit") / "README.md").read_text()
