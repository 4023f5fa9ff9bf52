"""Reports of every other kind of run, each made by its real command."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pages.report import main
from tests.e2e.commands import EXAMPLE, ROOT, rows, run, write_config
from tests.e2e.test_finer import PHOTOS, questions
from tests.e2e.test_finer_chain import build_all
from tests.e2e.test_rectifier import CAPTIONS, write_questions
from tests.pages.opened import WIDTHS, check_layout, opened
from tests.servers.openai_server import Settings, running

if TYPE_CHECKING:
    from playwright.sync_api import Browser

MADE = {
    "graphs": "Scene graphs", "negatives": "Scene graphs", "tested": "What the discriminator said",
    "questions": "Questions by setting", "granfact": "Metrics of GranFact",
    "tuning": "Question pairs", "rectified": "What rectification changed",
    "parsed": "Rows of parsed",
    "levels": "Responses to look at", "judged": "Responses to look at",
}  # fmt: skip
"""Folders of runs, and a chapter of the report of each."""


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All kinds of runs, each in a folder."""
    folder = tmp_path_factory.mktemp("made")
    build_all(folder)
    captions = ROOT / "examples/finer-mini/captions.jsonl"
    config = ("--config", folder / "config.yaml")
    steps: list[tuple[object, ...]] = [
        ("benchmarks.granfact", "evaluate", EXAMPLE, "--output", folder / "granfact"),
        ("agents.finer_tuning", captions, "--output", folder / "tuning"),
        ("agents.response_parser", EXAMPLE, "--output", folder / "parsed"),
        ("agents.category_judge", folder / "parsed/parsed.jsonl", "--output", folder / "levels"),
        ("agents.attribute_judge", folder / "levels/levels.jsonl", "--output", folder / "judged"),
    ]
    for step in steps:
        done = run(*step, *config)
        assert done.returncode == 0, done.stderr
    rectify(folder)
    return folder


def rectify(folder: Path) -> None:
    """A run of the rectifier; the server sees an image's caption in the image."""
    source = write_questions(folder, 12)
    seen = {digest(PHOTOS / f"{name}.jpg"): text for name, text in CAPTIONS.items()}
    (folder / "server").mkdir()
    with running(Settings(answers="rules", captions=seen)) as (_, api_base):
        config = write_config(folder / "server", api_base.removesuffix("/v1"), vision=True)
        backends = ["--backend", "model=server", "--backend", "critic=server"]
        output = ("--output", folder / "rectified", "--config", config, "--max-steps", 2)
        done = run("agents.rectifier", source, *backends, *output)
        assert done.returncode == 0, done.stderr


def digest(path: Path) -> str:
    import hashlib

    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", MADE)
def test_every_kind_of_run_has_its_chapter(
    browser: Browser, made: Path, name: str, width: int
) -> None:
    assert main([str(made / name)]) == 0
    with opened(browser, made / name / "report/report.html", width=width) as page:
        check_layout(page, width)
        assert MADE[name] in page.locator("h2").all_inner_texts()
        items = page.locator("details.item")
        assert items.first.locator("img").is_visible()
        assert items.first.locator(".content").inner_text()


def test_legends_explain_what_is_there(made: Path) -> None:
    for name, absent in {
        "questions": "what the model chose",
        "granfact": "by the revision",
    }.items():
        assert main([str(made / name)]) == 0
        text = (made / name / "report/report.html").read_text()
        assert 'class="legend' in text and absent not in text


def test_no_result_of_a_run_is_written_over(made: Path) -> None:
    """The rectifier's own report is a file of the run, and questions may be built again."""
    before = (made / "rectified/report.md").read_bytes()
    assert main([str(made / "rectified")]) == 0 and main([str(made / "questions")]) == 0
    assert (made / "rectified/report.md").read_bytes() == before
    source = made / "tested/negatives.jsonl"
    done = run("benchmarks.finer", "build", source, "--output", made / "questions")
    assert done.returncode == 0, done.stderr


def test_the_threshold_is_drawn_into_the_entropies(browser: Browser, made: Path) -> None:
    assert main([str(made / "tested")]) == 0
    first = [row for row in rows(made / "tested/verdicts.jsonl") if row["round"] == 1]
    with opened(browser, made / "tested/report/report.html") as page:
        plot = page.locator("#figure-entropy")
        rule = plot.locator(".mark-rule.role-mark line").bounding_box()
        bars = plot.locator(".mark-rect path")
        left = bars.first.bounding_box()
        assert rule and left and rule["x"] > left["x"]
        plot.locator("summary").click()
        cells = plot.locator("td:last-child").all_inner_texts()
        assert sum(int(cell) for cell in cells) == len(first)
        kept = sum(row["decision"] == "keep" for row in first)
        assert f"1\t{len(first)}\t{kept}\t" in page.locator("#verdicts table").first.inner_text()


def test_hallucinations_are_shown_by_step(browser: Browser, made: Path) -> None:
    assert main([str(made / "rectified")]) == 0
    found = json.loads((made / "rectified/report.json").read_text())["hallucinations"]["all"]
    text = (made / "rectified/report/report.md").read_text()
    assert f"| all | {found['before']} | {found['after']} |" in text
    with opened(browser, made / "rectified/report/report.html") as page:
        assert page.locator("#figure-steps svg").is_visible()
    # Every step speaks of all questions, so the first and the last are those of the table.
    points = [row.split("|") for row in text.splitlines() if row.count("|") == 4]
    by_step = [(row[1].strip(), int(row[3])) for row in points if row[1].strip().isdecimal()]
    first, last = (str(step) for step in (0, max(int(step) for step, _ in by_step)))
    assert sum(count for step, count in by_step if step == first) == found["before"]
    assert sum(count for step, count in by_step if step == last) == found["after"]


def levelled(path: Path) -> Path:
    """Pairs of questions, and one of each level."""
    questions(path, 24)
    columns = path.read_text().splitlines()[0].split(",")
    photo = next(PHOTOS.glob("*.jpg")).name
    with path.open("a", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, columns)
        for level in range(1, 8):
            row = {"image": photo, "qtype": f"level_{level}", "question": f"Level {level}?"}
            writer.writerow(row | {"choice1": "Yes", "choice2": "No", "gt_index": 1})
    return path


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two models' answers: one that sees, and one that says B whatever it is asked."""
    folder = tmp_path_factory.mktemp("answers")
    source = levelled(folder / "questions.csv")
    command = ["benchmarks.finer", "evaluate", source, "--images", PHOTOS]
    with running(Settings(answers="rules")) as (_, api_base):
        config = write_config(folder, api_base.removesuffix("/v1"), vision=True)
        done = run(*command, "--config", config, "--output", folder / "seeing")
        assert done.returncode == 0, done.stderr
    (folder / "script.json").write_text(json.dumps({"finer_answer": ["(B)"]}))
    backend = {"driver": "fake", "script": str(folder / "script.json")}
    settings = {"backends": {"blind": backend}, "agents": {"default": "blind"}}
    settings["run"] = {"cache": str(folder / "cache")}
    (folder / "blind.yaml").write_text(json.dumps(settings))
    blind = ("--config", folder / "blind.yaml", "--output", folder / "blind", "--text-only")
    done = run(*command, *blind)
    assert done.returncode == 0, done.stderr
    return folder


@pytest.mark.parametrize("width", WIDTHS)
def test_answers_of_one_model(browser: Browser, answers: Path, width: int) -> None:
    assert main([str(answers / "seeing")]) == 0
    scores = json.loads((answers / "seeing/scores.json").read_text())
    text = (answers / "seeing/report/report.md").read_text()
    with opened(browser, answers / "seeing/report/report.html", width=width) as page:
        check_layout(page, width)
        assert page.locator("#figure-elements [aria-roledescription=point]").count() == 6
        assert page.locator("#figure-levels [aria-roledescription=point]").count() == 7
        assert "run" not in page.locator("#figure-levels th").all_text_contents()
        overall = f"{100 * scores['overall']['paired_accuracy']:.1f}"
        assert overall in page.locator(".cards").inner_text() and f"**{overall}**" in text
        item = page.locator("details.item").first
        assert item.locator("img").is_visible()
        assert item.locator(".options li.right").count() == item.locator(".question").count()
        chosen = page.locator("details.item .options li.chosen").count()
        assert chosen == scores["questions"] - scores["unparsed"]
    right = scores["overall"]["positive_accuracy"]
    assert f"{100 * right:.1f}" in text


def test_answers_of_two_models(browser: Browser, answers: Path, tmp_path: Path) -> None:
    page_path = tmp_path / "models.html"
    folders = [str(answers / name) for name in ("seeing", "blind")]
    assert main([*folders, "--output", str(page_path)]) == 0
    with opened(browser, page_path, width=390, scheme="dark") as page:
        check_layout(page, 390)
        assert page.locator("#figure-elements [aria-roledescription=point]").count() == 12
        assert "saw no image" in page.locator(".note.warn").inner_text()
        names = page.locator(".cards dt").all_inner_texts()
        assert names[0] == "test" and names[1].startswith("fake:")
        ids = page.locator("details.item .id").all_inner_texts()
        assert ids[::2] == ids[1::2]


@pytest.mark.parametrize(
    "command",
    [
        ["agents.rsr"], ["benchmarks.granfact", "evaluate"], ["agents.response_parser"],
        ["agents.caption_parser"], ["agents.finer_tuning"], ["agents.rectifier", "--text-only"],
    ],
    ids=lambda command: command[0],
)  # fmt: skip
def test_a_run_that_rejected_everything_has_a_report(
    browser: Browser, tmp_path: Path, command: list[str]
) -> None:
    steps = ("response_parser", "caption_parser", "finer_tuning", "model")
    script = tmp_path / "script.json"
    script.write_text(json.dumps({step: [{"$fault": "refused"}] for step in steps}))
    settings = {"backends": {"deaf": {"driver": "fake", "script": str(script)}}}
    settings |= {"agents": {"default": "deaf"}, "run": {"cache": str(tmp_path / "cache")}}
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps(settings))
    source = {
        "agents.caption_parser": ROOT / "examples/finer-mini/captions.jsonl",
        "agents.finer_tuning": ROOT / "examples/finer-mini/captions.jsonl",
        "agents.rectifier": ROOT / "examples/finer-mini/questions.jsonl",
    }.get(command[0], EXAMPLE)
    flags = ("--config", config, "--output", tmp_path / "out", "--max-error-rate", 1)
    done = run(*command, source, *flags)
    assert done.returncode == 0, done.stderr
    assert main([str(tmp_path / "out")]) == 0
    with opened(browser, tmp_path / "out/report/report.html") as page:
        page.locator("#figure-rejected summary").click()
        assert "refused" in page.locator("#figure-rejected table").inner_text()
        assert "0 of 0" in page.locator("div.head").first.inner_text()
        assert page.locator(".note.warn").count() == ("--text-only" in command)


def test_rejections_are_counted_by_reason(
    browser: Browser, answers: Path, tmp_path: Path, capsys: Any
) -> None:
    source = questions(tmp_path / "questions.csv", 6)
    source.write_text(source.read_text().replace("cat.jpg", "nowhere.jpg"))
    with running(Settings(answers="rules")) as (_, api_base):
        config = write_config(tmp_path, api_base.removesuffix("/v1"), vision=True)
        command = ("benchmarks.finer", "evaluate", source, "--images", PHOTOS)
        run(*command, "--config", config, "--output", tmp_path / "out")
    rejected = rows(tmp_path / "out/rejected.jsonl")
    assert rejected and main([str(tmp_path / "out")]) == 0
    assert f"| image | {len(rejected)} |" in (tmp_path / "out/report/report.md").read_text()
    with opened(browser, tmp_path / "out/report/report.html") as page:
        bars = page.locator("#figure-rejected .mark-rect path")
        assert bars.count() == 1
        page.locator("details.item").evaluate_all("all => all.forEach(one => one.open = true)")
        notes = page.locator(".missing").all_inner_texts()
        assert any("nowhere.jpg" in note for note in notes)
        assert "unparsed" in page.locator(".flag").all_inner_texts()
