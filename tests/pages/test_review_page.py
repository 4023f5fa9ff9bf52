"""People at the review page: real runs, the real server, a real browser."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.e2e.commands import rows, run
from tests.pages.reviewing import fresh, made, serving
from tests.servers.browser import chromium

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@contextmanager
def opened(browser: Browser, url: str, *, errors: bool = False, **settings: Any) -> Iterator[Page]:
    """The page, once it shows an item; fails on anything the console calls an error."""
    page = browser.new_page(**({"viewport": {"width": 1280, "height": 900}} | settings))
    found: list[str] = []
    page.on("console", lambda message: found.append(f"{message.type}: {message.text}"))
    page.on("pageerror", lambda error: found.append(str(error)))
    origin = "/".join(url.split("/")[:3])
    page.on("request", lambda request: request.url.startswith((origin, "data:"))
            or found.append(request.url))  # fmt: skip
    try:
        page.goto(url)
        page.wait_for_selector("body[data-ready]")
        yield page
        assert errors or found == []
    finally:
        page.close()


def ready(page: Page, number: int, judged: int) -> None:
    """Wait for this item, with so many judged."""
    page.wait_for_function(
        # A page that is being loaded has no body yet.
        "([n, judged]) => document.body?.dataset.ready?.split(' ').slice(1).join() == [n, judged]",
        arg=[number, judged],
    )


def test_twenty_items_by_keyboard_a_reload_an_undo_and_edits(browser: Browser) -> None:
    folder = fresh("rsr")
    with serving(folder) as (url, _), opened(browser, url) as page:
        keys = page.keyboard
        for number in range(1, 21):
            if number % 5:
                keys.press("a")
            else:
                keys.press("r")
                page.wait_for_selector("#why[open]")
                if number % 10:
                    keys.press("2")
                else:
                    keys.type("too vague")
                    keys.press("Enter")
            ready(page, number + 1, number)
        page.reload()
        ready(page, 21, 20)

        keys.press("u")
        ready(page, 20, 19)
        assert "Took back the decision on item 20" in page.inner_text("#status")
        keys.press("a")
        ready(page, 21, 20)
        keys.press("k")
        ready(page, 20, 20)
        assert "You accepted this." in page.inner_text("#item")
        keys.press("j")
        ready(page, 21, 20)

        keys.press("e")
        chosen = page.locator("textarea[name^='chosen']")
        was = chosen.input_value()
        chosen.fill("")
        page.fill("[name=margin]", "-1")
        keys.press("Control+Enter")
        page.wait_for_selector("[name=margin][aria-invalid=true]")
        errors = page.locator("#edit .error:not(:empty)").all_inner_texts()
        assert errors == ["expected a text of at least 1 character, got \"\"",
                          "expected a value greater than or equal to 0, got \"-1\""]  # fmt: skip
        assert chosen.evaluate("one => one === document.activeElement")
        assert len(rows(folder / "reviews.jsonl")) == 22
        chosen.fill("An edited text: arne")  # letters that are keys elsewhere
        page.fill("[name=margin]", "0.25")
        keys.press("Control+Enter")
        ready(page, 22, 21)
        keys.press("p")
        ready(page, 21, 21)
        assert "You edited and accepted this." in page.inner_text("#item")
        text = page.inner_text("#item")
        assert "An edited text: arne" in text and was not in text
        keys.press("a")  # what is shown is accepted, as it was edited
        ready(page, 22, 21)
        assert "86 %" in page.inner_text("#stats")  # 18 of 21

    said = rows(folder / "reviews.jsonl")
    assert [one.get("decision", "undo") for one in said] == [
        *(["accept"] * 4 + ["reject"]) * 4, "undo", "accept", "accept", "accept"
    ]  # fmt: skip
    assert [one["reason"] for one in said if one.get("decision") == "reject"] == [
        "rejected is not worse", "too vague", "rejected is not worse", "too vague"
    ]  # fmt: skip
    edited = said[-1]["edited"]
    assert edited["margin"] == 0.25
    assert edited["chosen"][0]["content"][0]["text"] == "An edited text: arne"
    assert {one["reviewer"] for one in said} == {"ann"} and said[0]["file"] == "pairs.jsonl"


def test_a_second_reviewer_is_blind_until_deciding_and_agreement_shows(browser: Browser) -> None:
    folder = fresh("rsr")
    with serving(folder) as (url, _), opened(browser, url) as page:
        keys = page.keyboard
        for number in range(1, 5):
            keys.press("a" if number < 4 else "r")
            if number == 4:
                keys.press("1")
            ready(page, number + 1, number)
        page.fill("#reviewer", "bob")
        page.press("#reviewer", "Enter")
        ready(page, 1, 0)
        assert "ann" not in page.inner_text("#item") and "κ" not in page.inner_text("#stats")
        for number in range(1, 5):
            keys.press("a" if number < 3 else "r")
            if number >= 3:
                keys.press("1")
            ready(page, number + 1, number)
        text = page.inner_text("#stats")
        # Both accept 2, both reject 1, one differs: (3/4 - 1/2) / (1 - 1/2).
        assert re.search(r"κ with ann\s+0\.50 .* on 4 items", text)
        assert re.search(r"You accept\s+50 %", text)
        assert re.search(r"rejected by none of 2\s+50 % \(15–85\)", text)  # of items, not words
        keys.press("p")
        ready(page, 4, 4)
        assert "ann rejected it." in page.inner_text("#item")
        page.reload()
        ready(page, 5, 4)
        assert page.input_value("#reviewer") == "bob"


def test_the_slider_writes_the_config_and_the_next_run_uses_it(
    browser: Browser, tmp_path: Path
) -> None:
    folder, config = fresh("tested"), tmp_path / "config.yaml"
    config.write_text("# thresholds of ours\nrun: {seed: 17}\n")
    with serving(folder, "--config", config) as (url, _), opened(browser, url) as page:
        keys = page.keyboard
        page.keyboard.press("t")
        page.wait_for_selector("#curve .empty")
        page.click("[data-file='verdicts.jsonl']")
        ready(page, 1, 0)
        assert "%" not in page.inner_text("#item")
        for number in range(1, 13):
            keys.press("r" if number % 4 == 0 else "a")
            if number % 4 == 0:
                keys.press("1")
            ready(page, number + 1, number)
        keys.press("p")
        ready(page, 12, 12)
        assert "%" in page.inner_text("#item")
        keys.press("t")
        page.wait_for_selector("#curve polyline.precision")
        page.fill("#at", "0")
        page.wait_for_selector("#curve[data-at='0']")
        assert re.search(r"Kept\s+0 of 12 reviewed, 9 of them good", page.inner_text("#curve"))
        page.fill("#at", "0.012")
        page.wait_for_selector("#curve[data-at='0.012']")
        few = page.inner_text("#curve")
        page.fill("#at", "1.6")
        page.wait_for_selector("#curve[data-at='1.6']")
        assert page.inner_text("#curve") != few
        page.fill("#at", "0.012")
        page.wait_for_selector("#curve[data-at='0.012']")
        page.click("#write")
        page.locator("#status", has_text="is now").wait_for()
        assert "max_entropy was 0.5 and is now 0.012" in page.inner_text("#status")
    text = "# thresholds of ours\nrun: {seed: 17}\ndiscriminator:\n  max_entropy: 0.012\n"
    assert config.read_text() == text

    source = made("negatives") / "negatives.jsonl"
    words = ["agents.discriminator", source, "--text-only", "--config", config, "--limit", 1]
    for output, more, used in (("a", [], 0.012), ("b", ["--max-entropy", "1"], 1.0)):
        done = run(*words, "--output", tmp_path / output, *more)
        assert done.returncode == 0, done.stderr
        settings = json.loads((tmp_path / output / "manifest.json").read_text())["settings"]
        assert settings["max_entropy"] == used
    assert rows(tmp_path / "a/verdicts.jsonl") != rows(tmp_path / "b/verdicts.jsonl")
    done = run(*words, "--output", tmp_path / "b")
    assert done.returncode == 2 and "settings.max_entropy: 1.0 → 0.012" in done.stderr


def test_without_a_config_the_page_says_what_to_write(browser: Browser) -> None:
    with serving(fresh("tested")) as (url, _), opened(browser, url) as page:
        page.keyboard.press("t")
        page.wait_for_selector("#curve .empty")
        page.fill("#at", "0.7")
        assert "discriminator: {max_entropy: 0.7}" in page.inner_text("#threshold")
        assert page.locator("#write").count() == 0


HOSTILE = (
    "<script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    "{{ 7*7 }} \u202e\u2067evil\u2069 &lt;b&gt; \x07\x1b[31m ' \" </textarea></option> "
)


def hostile_run(folder: Path) -> Path:
    text, long = HOSTILE, HOSTILE + "word " * 2000
    name = text[:190]
    image = str(Path(__file__).parents[2] / "examples/granfact-mini/images/cat.jpg")
    graph = {"id": text, "image": image, "caption": long}
    graph |= {"objects": [{"name": name, "attributes": [name]}, {"name": "x" * 200}],
              "relations": [{"subject": 0, "relation": name, "object": 1}]}  # fmt: skip

    def said(role: str, words: str) -> list[dict[str, Any]]:
        return [{"role": role, "content": [{"type": "text", "text": words}]}]

    pair = {"id": text, "images": [image], "prompt": said("user", long), "gap": 0.5, "margin": 0.1,
            "chosen": said("assistant", long), "rejected": said("assistant", long[::-1]),
            "kind": "reliability",
            "scores": {"metric": "P", "chosen": 1, "rejected": 0}}  # fmt: skip
    (folder / "scene_graphs.jsonl").write_text(json.dumps(graph) + "\n")
    (folder / "pairs.jsonl").write_text(json.dumps(pair) + "\n")
    return folder


def test_hostile_texts_are_shown_as_text(browser: Browser, tmp_path: Path) -> None:
    with serving(hostile_run(tmp_path)) as (url, _), opened(browser, url) as page:
        for file in ("pairs.jsonl", "scene_graphs.jsonl"):
            page.click(f"[data-file='{file}']")
            page.wait_for_selector(f"body[data-ready^='{file}']")
            assert "<script>document.title='owned'</script>" in page.inner_text("#item")
            assert "{{ 7*7 }}" in page.inner_text("#item")
            page.keyboard.press("e")
            page.wait_for_selector("#edit:not([hidden])")
            page.keyboard.press("Escape")
            page.keyboard.press("r")
            page.keyboard.type(HOSTILE[:80])
            page.keyboard.press("Enter")
            ready(page, 1, 1)
            assert HOSTILE[:80] in page.inner_text("#item .mine")
        assert page.title().startswith("Review · ")
        assert page.locator("#item script, #item img, #inputs img").count() == 0
        wide = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        assert page.evaluate(wide)
        page.set_viewport_size({"width": 390, "height": 844})
        assert page.evaluate(wide)


@pytest.mark.parametrize("name", ["graphs", "negatives", "tested", "questions", "rsr", "tuning"])
def test_every_kind_can_be_shown_edited_and_judged(browser: Browser, name: str) -> None:
    folder = fresh(name)
    size = {"width": 390, "height": 844}
    with serving(folder) as (url, _), opened(browser, url, viewport=size) as page:
        files = page.eval_on_selector_all("[data-file]", "all => all.map(one => one.dataset.file)")
        for file in files:
            page.click(f"[data-file='{file}']")
            page.wait_for_selector(f"body[data-ready^='{file} 1 0']")
            page.wait_for_function("() => document.getElementById('image').naturalWidth > 50")
            assert page.get_attribute("#image", "alt")
            if file != "verdicts.jsonl":
                page.keyboard.press("e")
                page.wait_for_selector("#edit:not([hidden]) input, #edit:not([hidden]) textarea")
                page.keyboard.press("Control+Enter")
            else:
                page.keyboard.press("a")
            ready(page, 2, 1)
            wide = "document.documentElement.scrollWidth <= document.documentElement.clientWidth"
            assert page.evaluate(wide)
    for one in rows(folder / "reviews.jsonl"):
        assert one["decision"] == "accept"
        assert ("edited" in one) == (one["file"] != "verdicts.jsonl")


def test_an_object_is_removed_from_a_graph_with_its_relations(browser: Browser) -> None:
    folder = fresh("graphs")
    before = rows(folder / "scene_graphs.jsonl")[0]
    with serving(folder) as (url, _), opened(browser, url) as page:
        page.keyboard.press("e")
        page.wait_for_selector("#edit:not([hidden])")
        page.fill("[name='objects[0].name']", "")
        page.fill("[name='objects[1].attributes']", "x" * 201)
        page.keyboard.press("Control+Enter")
        page.wait_for_selector("[name='objects[1].attributes'][aria-invalid=true]")
        page.fill("[name='objects[1].attributes']", "a red color\n\n made of silk ")
        last = len(before["objects"])
        page.fill(f"[name='objects[{last}].name']", "kite")
        page.select_option(f"[name='relations[{len(before['relations'])}].subject']", str(last))
        page.fill(f"[name='relations[{len(before['relations'])}].relation']", "is above")
        page.select_option(f"[name='relations[{len(before['relations'])}].object']", "1")
        page.keyboard.press("Control+Enter")
        ready(page, 2, 1)
    edited = rows(folder / "reviews.jsonl")[0]["edited"]
    names = [one["name"] for one in edited["objects"]]
    assert names == [*(one["name"] for one in before["objects"][1:]), "kite"]
    assert edited["objects"][0]["attributes"] == ["a red color", "made of silk"]
    kept = [one for one in before["relations"] if 0 not in (one["subject"], one["object"])]
    assert edited["relations"] == [
        *({**one, "subject": one["subject"] - 1, "object": one["object"] - 1} for one in kept),
        {"subject": last - 1, "relation": "is above", "object": 0},
    ]


def test_everything_can_be_reached_by_keyboard_and_no_field_is_a_trap(browser: Browser) -> None:
    with serving(fresh("rsr")) as (url, _), opened(browser, url) as page:
        wanted = set(page.eval_on_selector_all(
            "button:not(:disabled), input, summary",
            "all => all.filter(one => one.checkVisibility()).map(one => one.id || one.textContent)",
        ))  # fmt: skip
        reached = set()
        for _ in range(30):
            page.keyboard.press("Tab")
            reached.add(page.evaluate(
                "document.activeElement.id || document.activeElement.textContent"
            ))  # fmt: skip
        assert wanted <= reached
        page.focus("#reviewer")
        page.keyboard.type("arne?")
        assert page.input_value("#reviewer").endswith("arne?")
        ready(page, 1, 0)
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.textContent") == "Switch"
        page.keyboard.press("Control+a")  # a key of the browser stays one
        ready(page, 1, 0)
        for key, dialog in (("?", "keys"), ("g", "where"), ("r", "why")):
            page.keyboard.press(key)
            page.wait_for_selector(f"#{dialog}[open]")
            page.keyboard.press("Escape")
            page.wait_for_selector(f"#{dialog}:not([open])", state="attached")
        page.keyboard.press("g")
        page.keyboard.type("40")
        page.keyboard.press("Enter")
        ready(page, 40, 0)
        page.keyboard.press("z")
        assert page.get_attribute("#zoom", "aria-pressed") == "true"
        middle = page.evaluate("() => document.getElementById('zoom').scrollLeft")
        page.keyboard.press("ArrowRight")
        page.wait_for_function(
            "(middle) => document.getElementById('zoom').scrollLeft > middle", arg=middle
        )
        assert middle > 0
        assert page.get_attribute("#status", "aria-live") == "polite"


def test_an_image_that_is_not_there_is_said(browser: Browser, tmp_path: Path) -> None:
    for number, image in enumerate(("missing.jpg", "https://example.com/cat.jpg")):
        row = {"id": str(number), "image": image, "caption": "A cat.", "objects": [{"name": "cat"}]}
        with (tmp_path / "scene_graphs.jsonl").open("a") as file:
            file.write(json.dumps(row) + "\n")
    with serving(tmp_path) as (url, _), opened(browser, url, errors=True) as page:
        page.wait_for_selector("#no-image:not([hidden])")
        assert "cannot be read" in page.inner_text("#no-image")
        assert "A cat." in page.inner_text("#no-image")
        page.keyboard.press("n")
        ready(page, 2, 0)
        assert "No image is shown." in page.inner_text("#no-image")


def test_a_server_that_is_gone_is_said_and_the_page_stays(browser: Browser) -> None:
    with serving(fresh("rsr")) as (url, process), opened(browser, url, errors=True) as page:
        process.kill()
        process.wait()
        page.keyboard.press("a")
        page.wait_for_selector("#status.bad")
        assert "does not answer" in page.inner_text("#status")
        assert "Item 1" in page.inner_text("#item")


def test_a_key_is_answered_in_a_tenth_of_a_second_at_50_000_items(
    browser: Browser, tmp_path: Path
) -> None:
    [row] = rows(made("rsr") / "pairs.jsonl")[:1]
    with (tmp_path / "pairs.jsonl").open("w") as file:
        for number in range(50_000):
            row["id"] = str(number)
            file.write(json.dumps(row) + "\n")
    with serving(tmp_path, "--images", made("rsr")) as (url, _), opened(browser, url) as page:
        times = []
        for number in range(1, 12):
            started = time.perf_counter()
            page.keyboard.press("a")
            ready(page, number + 1, number)
            times.append(time.perf_counter() - started)
    assert sorted(times)[5] < 0.1
