"""Texts that want to be more than text, images that are none, and very many records."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pages.report import main
from tests.e2e.commands import EXAMPLE, ROOT, rows, run
from tests.pages.opened import WIDTHS, check_layout, opened

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SCRIPT = "<script>window.taken = 1; alert(1)</script>"
TURNED = "\u202egnirts siht nruT"
LONG = "A cat " + "very " * 2_000 + "long."
UNBROKEN = "x" * 10_000
RESPONSES = [f"A cat. {SCRIPT} {TURNED} \x07", LONG, UNBROKEN, f"A cat & a {SCRIPT}"]
RECORDS = 50_000


def write_input(folder: Path) -> Path:
    """Images whose ids, models, styles, paths and responses are hostile."""
    paths = [["animal", "cat", "<img src=x onerror='window.taken=1'>"], [f"{TURNED}\x0b", SCRIPT]]
    (folder / "broken.jpg").write_bytes(b"no image at all")
    images = ("broken.jpg", "missing.jpg", "https://example.invalid/cat.jpg", "/dev/zero")
    with (folder / "images.jsonl").open("w", encoding="utf-8") as file:
        for number, image in enumerate(images):
            row: dict[str, Any] = {"id": f"</summary>{SCRIPT}{number}", "image": image}
            row |= {"model": f"<b onclick=alert(1)>{TURNED}\x01", "responses": RESPONSES}
            row["styles"] = ["neutral", "\" onmouseover='alert(1)'", "]]>", "--><h1>"]
            row["entities"] = [{"path": path} for path in paths]
            file.write(json.dumps(row) + "\n")
    return folder / "images.jsonl"


def write_questions(path: Path) -> Path:
    """A pair of questions with hostile words in every column."""
    named = [f"choice{number}" for number in range(1, 6)]
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "qtype", "question", *named, "gt_index"])
        for side in ("pos", "neg"):
            options = [f"Yes {SCRIPT}", TURNED, UNBROKEN, "<i>no</i>", "No"]
            stem = f"<b onclick=alert(1)>{TURNED}_1_{side}"
            writer.writerow([f"{SCRIPT}.jpg", stem, f"{TURNED} {LONG} {side}", *options, 0])
    return path


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("hostile")
    source = write_input(folder)
    config = folder / "config.yaml"
    config.write_text(json.dumps({"run": {"cache": str(folder / "cache")}}))
    common = (source, "--config", config, "--max-error-rate", 1)
    for command in (["agents.rsr"], ["benchmarks.granfact", "evaluate"]):
        done = run(*command, *common, "--output", folder / command[0])
        assert done.returncode == 0, done.stderr
        assert main([str(folder / command[0])]) == 0
    answer_questions(folder)
    return folder


def answer_questions(folder: Path) -> None:
    """The answers of a model that says something hostile."""
    script = folder / "script.json"
    script.write_text(json.dumps({"finer_answer": [f"(A) {SCRIPT}", SCRIPT]}))
    settings = {"backends": {"rude": {"driver": "fake", "script": str(script)}}}
    settings |= {"agents": {"default": "rude"}, "run": {"cache": str(folder / "cache")}}
    (folder / "rude.yaml").write_text(json.dumps(settings))
    source = write_questions(folder / "questions.csv")
    output = ("--output", folder / "benchmarks.finer", "--text-only")
    done = run("benchmarks.finer", "evaluate", source, "--config", folder / "rude.yaml", *output)
    assert done.returncode == 0, done.stderr
    assert main([str(folder / "benchmarks.finer")]) == 0


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", ["agents.rsr", "benchmarks.granfact"])
def test_hostile_texts_are_texts(browser: Browser, hostile: Path, name: str, width: int) -> None:
    with opened(browser, hostile / name / "report/report.html", width=width) as page:
        page.locator("details").evaluate_all("all => all.forEach(one => one.open = true)")
        check_layout(page, width)
        assert page.evaluate("window.taken") is None
        assert page.evaluate("document.scripts.length") == 1
        assert page.locator("img[src='x'], b[onclick], [onmouseover], main h1").count() == 0
        page.locator(".sign, .hidden").evaluate_all("all => all.forEach(one => one.remove())")
        assert set(RESPONSES) <= set(page.locator("p.text").all_text_contents())
        notes = page.locator(".missing").all_inner_texts()
        assert len(notes) == page.locator("details.item").count()
        for said in ("not a readable image", "No such file", "fetches nothing", "not a file"):
            assert any(said in note for note in notes), said


@pytest.mark.parametrize("width", WIDTHS)
def test_hostile_questions_are_texts(browser: Browser, hostile: Path, width: int) -> None:
    with opened(browser, hostile / "benchmarks.finer/report/report.html", width=width) as page:
        check_layout(page, width)
        assert page.evaluate("window.taken") is None
        assert page.locator("b[onclick], .options i").count() == 0
        options = page.locator(".options .foreign").all_text_contents()
        assert {f"Yes {SCRIPT}", TURNED, UNBROKEN, "<i>no</i>"} <= set(options)
        assert page.locator(".question h4").first.text_content() == f"{TURNED} {LONG} pos"
        assert SCRIPT in page.locator(".question p.text").all_text_contents()


@pytest.mark.parametrize("name", ["agents.rsr", "benchmarks.granfact", "benchmarks.finer"])
def test_hostile_texts_do_not_turn_the_page(browser: Browser, hostile: Path, name: str) -> None:
    """A mark that turns the direction of writing ends where the text ends."""
    with opened(browser, hostile / name / "report/report.html") as page:
        loose = page.evaluate(
            """() => {
                const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
                const found = [];
                while (walker.nextNode()) {
                    const inside = walker.currentNode.parentElement;
                    const turns = walker.currentNode.data.includes('\\u202e');
                    if (turns && !inside.closest('script, title, svg, .foreign'))
                        found.push(inside.outerHTML.slice(0, 200));
                }
                return found;
            }"""
        )
        assert loose == []


def test_hostile_texts_mean_nothing_in_markdown(hostile: Path) -> None:
    for name in ("agents.rsr", "benchmarks.granfact"):
        text = (hostile / name / "report/report.md").read_text()
        head, _, body = text.partition("\n")
        assert head == "<!-- made by grainwise report -->"
        assert "<" not in body
        tables = [line for line in body.splitlines() if line.startswith("| ")]
        columns = {line.replace("\\|", "").count("|") for line in tables}
        assert columns <= {3, 4, 5, 6, 8, 13, 14}


def many(folder: Path) -> Path:
    """A run of 50,000 records, made of the rows of a real one."""
    config = folder / "config.yaml"
    config.write_text(json.dumps({"run": {"cache": str(folder / "cache")}}))
    small, large = folder / "small", folder / "large"
    done = run("agents.rsr", EXAMPLE, "--output", small, "--config", config)
    assert done.returncode == 0, done.stderr
    large.mkdir()
    for name in ("scores.json", "manifest.json"):
        text = (small / name).read_text()
        (large / name).write_text(text.replace('"in": 36', f'"in": {RECORDS}'))
    for name in ("revisions.jsonl", "pairs.jsonl"):
        known = rows(small / name)
        with (large / name).open("w", encoding="utf-8") as file:
            for number in range(RECORDS):
                row = known[number % len(known)] | {"id": f"image-{number}#0"}
                file.write(json.dumps(row) + "\n")
    (large / "rejected.jsonl").touch()
    return large


def test_fifty_thousand_records_make_a_page_that_opens_at_once(
    browser: Browser, tmp_path: Path
) -> None:
    folder = many(tmp_path)
    code = (
        "import re, sys; from pages.report import main; code = main(sys.argv[1:])\n"
        # ru_maxrss would begin with that of the process that started this one.
        "print(re.search(r'VmHWM:\\s+(\\d+)', open('/proc/self/status').read())[1]); sys.exit(code)"
    )
    arguments = [sys.executable, "-c", code, str(folder)]
    done = subprocess.run(arguments, capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    peak_mb = int(done.stdout.splitlines()[-1]) / 1024
    assert peak_mb < 600, "230 MB of rows must not be held"
    page_path = folder / "report/report.html"
    assert page_path.stat().st_size < 20 * 2**20
    started = time.monotonic()
    with opened(browser, page_path) as page:
        page.evaluate("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")
        assert time.monotonic() - started < 3
        assert f"60 of {RECORDS:,} responses" in page.locator("div.head").inner_text()
        assert f"{RECORDS:,}" in page.locator("#rollback table").nth(1).inner_text()
        assert page.locator("details.item").count() == 60
        check_layout(page, 1280)
