"""The report of the demo, made by the real commands and opened in a real browser."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pages.report import main
from pages.report_runs import open_runs
from tests.e2e.commands import EXAMPLE, ROOT, rows, run
from tests.pages.opened import SCHEMES, WIDTHS, check_layout, opened, reached_by_tab

if TYPE_CHECKING:
    from playwright.sync_api import Browser

FIGURES = ["metrics", "tradeoff-IRR", "tradeoff-P", "margins", "gaps"]


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run of `make demo`, with its report."""
    folder = tmp_path_factory.mktemp("demo")
    config = folder / "config.yaml"
    config.write_text(json.dumps({"run": {"cache": str(folder / "cache")}}))
    done = run("agents.rsr", EXAMPLE, "--output", folder / "demo", "--config", config)
    assert done.returncode == 0, done.stderr
    reported = run("pages.report", folder / "demo")
    assert reported.returncode == 0, reported.stderr
    return folder / "demo"


def page_of(folder: Path) -> Path:
    return folder / "report/report.html"


@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("scheme", SCHEMES)
def test_every_plot_is_drawn(browser: Browser, demo: Path, width: int, scheme: str) -> None:
    with opened(browser, page_of(demo), width=width, scheme=scheme) as page:
        names = page.locator("figure.plot").evaluate_all("all => all.map(one => one.id)")
        assert names == [f"figure-{name}" for name in FIGURES]
        check_layout(page, width)


def test_arrows_go_from_style_to_style(browser: Browser, demo: Path) -> None:
    with opened(browser, page_of(demo)) as page:
        plot = page.locator("#figure-tradeoff-P")
        # Three styles before and after, and an arrow from each to the next.
        assert plot.locator("[aria-roledescription=point]").count() == 6
        assert plot.locator(".mark-symbol.role-mark").first.locator("path").count() == 4
        legend = plot.inner_text()
        assert all(style in legend for style in ("conservative", "neutral", "aggressive"))


def test_numbers_are_those_of_the_run(browser: Browser, demo: Path) -> None:
    scores = json.loads((demo / "scores.json").read_text())
    text = (demo / "report/report.md").read_text()
    counts = scores["counts"]
    with opened(browser, page_of(demo)) as page:
        cards = page.locator(".cards").inner_text()
        before, after = (f"{100 * scores[side]['P']:.1f}" for side in ("before", "after"))
        assert f"{before} → {after}" in cards and f"**{before} → {after}**" in text
        assert str(sum(counts["pairs"].values())) in cards
        page.locator("#figure-metrics summary").click()
        table = page.locator("#figure-metrics table").inner_text()
    for name, value in scores["before"].items():
        if name in scores["before"]["intervals"]:
            low, high = (f"{100 * bound:.1f}" for bound in scores["before"]["intervals"][name])
            assert f"{100 * value:.1f}" in table and f"[{low}, {high}]" in table
            assert f"| {name} | {100 * value:.1f} \\[{low}, {high}\\] |" in text
    assert f"| reliability pairs | {counts['pairs']['reliability']} |" in text
    assert f"| edited | {counts['edited']} |" in text
    for figure in FIGURES:
        assert f"(report-plots/{figure}.svg)" in text
        assert (demo / f"report/report-plots/{figure}.svg").read_text().startswith("<svg")


def test_claims_are_marked_as_they_were_assigned(browser: Browser, demo: Path) -> None:
    [row] = [row for row in rows(demo / "revisions.jsonl") if row["id"] == "astronaut#2"]
    edited = [edit["category"] for edit in row["edits"]]
    with opened(browser, page_of(demo)) as page:
        item = page.locator("details.item", has_text="astronaut#2")
        item.locator("summary").click()
        invented = item.locator("mark.hallucinated")
        found = invented.evaluate_all("all => all.map(one => one.childNodes[1].textContent)")
        assert found == edited == ["microphone", "scale model of the Saturn V rocket"]
        assert item.locator(".assignment .arc").count() == len(row["judgements"])
        assert item.locator(".assignment .node").count() == 7 + len(row["entities"])
        assert "microphone" in item.locator("del").all_inner_texts()[0]
        revised = item.locator("p.text").nth(1)
        revised.locator("del").evaluate_all("all => all.forEach(one => one.remove())")
        assert revised.text_content() == row["revision"]["text"]


def test_samples_are_filtered_and_walked_by_keys(browser: Browser, demo: Path) -> None:
    with opened(browser, page_of(demo)) as page:
        items = page.locator("details.item")
        assert items.count() == 36
        first = items.first.locator("summary")
        first.focus()
        page.keyboard.press("j")
        assert items.nth(1).evaluate("one => one.open")
        assert not items.first.evaluate("one => one.open")
        page.keyboard.press("k")
        assert items.first.evaluate("one => one.open")
        page.get_by_role("button", name="over-counted", exact=True).press("Enter")
        shown = page.locator("details.item:visible")
        assert 0 < shown.count() < 36
        assert f"{shown.count()} shown" in page.locator(".count").inner_text()
        assert all("over-counted" in text for text in shown.locator("summary").all_inner_texts())


def test_the_tab_key_comes_by_everything(browser: Browser, demo: Path) -> None:
    with opened(browser, page_of(demo)) as page:
        can_act = "a[href], button, summary, [tabindex='0']"
        wanted = page.locator(can_act).filter(visible=True)
        count = wanted.count()
        texts = wanted.evaluate_all("all => all.map(e => e.tagName + ' ' + e.innerText)")
        assert set(texts) <= set(reached_by_tab(page, count + 5))


def test_without_script_all_of_it_is_there(browser: Browser, demo: Path) -> None:
    with opened(browser, page_of(demo), script=False) as page:
        assert page.locator(".tools").first.is_hidden()
        second = page.locator("details.item").nth(1)
        second.locator("summary").click()
        assert second.locator(".text").first.is_visible()


def test_it_may_be_made_again_and_the_run_goes_on(demo: Path) -> None:
    before = page_of(demo).read_text()
    assert main([str(demo)]) == 0
    after = page_of(demo).read_text()
    made = [line for line in before.splitlines() if "Made 20" in line]
    assert set(before.splitlines()) ^ set(after.splitlines()) <= {
        *made, *(line for line in after.splitlines() if "Made 20" in line)
    }  # fmt: skip
    config = demo.parent / "config.yaml"
    done = run("agents.rsr", EXAMPLE, "--output", demo, "--config", config)
    assert done.returncode == 0, done.stderr


def test_two_runs_stand_side_by_side(browser: Browser, demo: Path, tmp_path: Path) -> None:
    again = tmp_path / "other"
    shutil.copytree(demo, again, ignore=shutil.ignore_patterns("report"))
    page_path = tmp_path / "both.html"
    assert main([str(demo), str(again), "--output", str(page_path)]) == 0
    with opened(browser, page_path) as page:
        check_layout(page, 1280)
        legend = page.locator("#figure-metrics").inner_text()
        assert all(f"{name}, {side}" in legend for name in ("demo", "other")
                   for side in ("before", "after"))  # fmt: skip
        # The same responses of both runs, one after the other.
        ids = page.locator("details.item .id").all_inner_texts()
        assert len(ids) == 60 and ids[::2] == ids[1::2]
        page.get_by_role("button", name="other", exact=True).click()
        assert page.locator("details.item:visible").count() == 30


def test_long_names_that_differ_at_their_end_stay_apart(
    browser: Browser, demo: Path, tmp_path: Path
) -> None:
    copies = [tmp_path / f"hosted_vllm-some-organisation-Some2.5-{n}B-Instruct" for n in (7, 32)]
    for copy in copies:
        shutil.copytree(demo, copy, ignore=shutil.ignore_patterns("report"))
    assert main([*map(str, copies), "--output", str(tmp_path / "both.html")]) == 0
    with opened(browser, tmp_path / "both.html", width=390) as page:
        for figure in ("metrics", "tradeoff-P"):
            plot = page.locator(f"#figure-{figure}")
            legend = plot.locator(".role-legend-label text").evaluate_all(
                "all => all.map(one => one.firstChild.textContent)"
            )
            found = [text for text in legend if text.endswith((", before", ", after"))]
            assert len(set(found)) == 4 and sum("-7B-" in text for text in found) == 2


def test_runs_of_one_model_are_called_by_their_folders(tmp_path: Path) -> None:
    for place in ("a/one", "b/one", "b/two"):
        (tmp_path / place).mkdir(parents=True)
        manifest = {"agent": "finer", "models": {"mine": ["same"]}}
        (tmp_path / place / "manifest.json").write_text(json.dumps(manifest))
    both = [tmp_path / "a/one", tmp_path / "b/two"]
    assert [run.name for run in open_runs(both)] == ["one", "two"]
    assert [run.name for run in open_runs(both[:1])] == ["same"]
    alike = [tmp_path / "a/one", tmp_path / "b/one"]
    assert [run.name for run in open_runs(alike)] == [str(path.resolve()) for path in alike]


def damaged(folder: Path, demo: Path, name: str) -> Path:
    copy = folder / "copy"
    shutil.copytree(demo, copy, ignore=shutil.ignore_patterns("report"))
    data = (copy / name).read_bytes()
    (copy / name).write_bytes(data[: len(data) // 2])
    return copy


@pytest.mark.parametrize("name", ["manifest.json", "scores.json", "revisions.jsonl", "pairs.jsonl"])
def test_a_damaged_file_is_named(demo: Path, tmp_path: Path, capsys: Any, name: str) -> None:
    copy = damaged(tmp_path, demo, name)
    assert main([str(copy)]) == 2
    error = capsys.readouterr().err
    assert f"{copy / name}:" in error and "→" in error
    assert not (copy / "report").exists()


def test_a_folder_that_is_no_finished_run_is_refused(
    demo: Path, tmp_path: Path, capsys: Any
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "half").mkdir()
    shutil.copy(demo / ".run.json", tmp_path / "half")
    for name, manifest in {"tuned": '{"method": "rp_dpo"}', "other": '{"name": "app"}'}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "manifest.json").write_text(manifest)
    missing = tmp_path / "copy"
    shutil.copytree(demo, missing, ignore=shutil.ignore_patterns("report", "revisions.jsonl"))
    cases = {
        "none": "no such folder",
        "empty": "holds no run",
        "half": "has not finished",
        "tuned": "holds a training, which has no report",
        "other": "manifest.json: agent: ",
        "copy": "revisions.jsonl: missing",
    }
    for name, said in cases.items():
        assert main([str(tmp_path / name)]) == 2
        assert said in capsys.readouterr().err
    assert main([str(demo), str(demo)]) == 2
    assert "given twice" in capsys.readouterr().err
    assert not list(tmp_path.glob("*/report"))


def test_other_files_are_not_written_over(demo: Path, tmp_path: Path, capsys: Any) -> None:
    notes = tmp_path / "notes.md"
    notes.write_text("mine")
    assert main([str(demo), "--output", str(tmp_path / "notes.html")]) == 2
    assert "is no report" in capsys.readouterr().err
    assert notes.read_text() == "mine" and list(tmp_path.iterdir()) == [notes]
    assert main([str(demo), "--output", str(notes)]) == 2
    assert ".html" in capsys.readouterr().err


def test_without_the_extra_the_cure_is_named(demo: Path) -> None:
    code = (
        "import sys; sys.modules['altair'] = None\n"
        f"from pages.report import main; sys.exit(main([{str(demo)!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT)
    assert done.returncode == 3
    assert 'pip install "grainwise[review]"' in done.stderr


def test_judgements_that_do_not_fit_are_named(demo: Path, tmp_path: Path, capsys: Any) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(demo, copy, ignore=shutil.ignore_patterns("report"))
    found = rows(copy / "revisions.jsonl")
    found[0]["judgements"][0]["entity"] = 99
    text = "".join(json.dumps(row) + "\n" for row in found)
    (copy / "revisions.jsonl").write_text(text)
    assert main([str(copy)]) == 2
    assert "astronaut#0: the judgements do not fit" in capsys.readouterr().err
    assert not (copy / "report").exists()
