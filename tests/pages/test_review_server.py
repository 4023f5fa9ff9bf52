"""The server behind the review page: who gets in, what is kept, what several people see."""

from __future__ import annotations

import json
import re
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.commands import rows, run
from tests.pages.reviewing import ask, decide, fresh, item, made, serving

PAIRS = "pairs.jsonl"


def test_only_who_knows_the_token_gets_in() -> None:
    with serving(made("rsr")) as (url, _):
        host, token = url.split("/")[2:4]
        assert ask(url)[0] == 200
        for wrong in (
            "",
            "/",
            f"{token[:-1]}/",
            f"{token}x/",
            f"../{token}/",
            "item",
            "é/",
            "%00/",
        ):
            status, body = ask(f"http://{host}/", wrong.replace("é", "%C3%A9"))
            assert (status, body) == (403, b"forbidden\n"), wrong
        status, body = ask(url, "nothing")
        assert status == 404 and token.encode() not in body


def test_other_hosts_and_other_pages_are_refused() -> None:
    with serving(fresh("rsr")) as (url, _):
        host = url.split("/")[2]
        port = host.split(":")[1]
        for name in ("evil.example", f"evil.example:{port}", "127.0.0.1", f"localhost:{port}"):
            assert ask(url, headers={"Host": name}) == (403, b"forbidden\n")
        shown = item(url, PAIRS)
        body = {"file": PAIRS, "n": 1, "sha256": shown["sha256"], "reviewer": "x"}
        body["decision"] = "accept"
        for headers in (
            {"Origin": "http://evil.example"}, {"Origin": "null"}, {"Origin": f"https://{host}"},
            {"Content-Type": "text/plain"},
        ):  # fmt: skip
            assert ask(url, "decide", body, headers)[0] == 403
        assert item(url, PAIRS)["judged"] == 0


def test_no_header_lets_anything_out() -> None:
    import urllib.request

    with serving(made("rsr")) as (url, _), urllib.request.urlopen(url) as answer:
        policy = answer.headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy
        assert answer.headers["Cache-Control"] == "no-store"
        assert answer.headers["Referrer-Policy"] == "no-referrer"
        page = answer.read().decode()
    assert not re.search(r"<script(?![^>]* src=)|style=|onclick=|https?://", page)


def test_images_are_those_of_the_items_and_nothing_else() -> None:
    with serving(made("rsr")) as (url, _):
        status, data = ask(url, "image", file=PAIRS, n=1)
        assert status == 200 and data[:3] == b"\xff\xd8\xff"
        for query in (
            {"file": "../rsr/pairs.jsonl", "n": 1}, {"file": "/etc/passwd", "n": 1},
            {"file": "manifest.json", "n": 1}, {"file": PAIRS, "n": 0}, {"file": PAIRS, "n": 58},
        ):  # fmt: skip
            assert ask(url, "image", **query)[0] == 404, query
        for path in ("image/../../../../etc/passwd", "..%2f..%2fetc%2fpasswd", "pairs.jsonl"):
            assert ask(url, path)[0] in (403, 404), path


def test_a_path_that_is_no_image_shows_nothing(tmp_path: Path) -> None:
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    images = [str(secret), "/etc/passwd", "../../../etc/passwd", ".", "missing.jpg", "a\x00b",
              "https://example.com/x.jpg", "file:///etc/passwd"]  # fmt: skip
    with (tmp_path / "scene_graphs.jsonl").open("w") as file:
        for number, image in enumerate(images):
            row = {"id": str(number), "image": image, "objects": [{"name": "cat"}]}
            file.write(json.dumps(row) + "\n")
    with serving(tmp_path) as (url, _):
        for number in range(1, len(images) + 1):
            assert ask(url, "image", file="scene_graphs.jsonl", n=number)[0] == 404


def test_odd_requests_are_answered_plainly() -> None:
    with serving(made("rsr")) as (url, _):
        good = {"file": PAIRS, "n": 1, "sha256": "x", "reviewer": "x", "decision": "accept"}
        wrong = ({"file": []}, {"n": []}, {"reviewer": ""}, {"decision": "maybe"}, {"more": 1})
        for body in ([], 1, "x", {}, *(good | one for one in wrong)):
            assert ask(url, "decide", body)[0] == 400, body
        assert ask(url, "item", file=PAIRS)[0] == 400
        assert ask(url, "item", file=PAIRS, reviewer="x", n="one")[0] == 400
        assert ask(url, "threshold", at=1)[0] == 404
        assert ask(url, "threshold", at=2)[0] == 400
        assert ask(url, "item", file=PAIRS, reviewer=" ")[0] == 400


def test_a_kill_loses_no_decision_and_half_a_line_is_none() -> None:
    folder = fresh("rsr")
    with serving(folder) as (url, process):
        shown = item(url, PAIRS)
        for _ in range(30):
            shown = decide(url, shown, "accept")
        process.send_signal(signal.SIGKILL)
        process.wait()
    path = folder / "reviews.jsonl"
    assert len(rows(path)) == 30
    with path.open("ab") as file:
        file.write(b'{"file": "pairs.jsonl", "id": "half of')
    with serving(folder) as (url, _):
        shown = item(url, PAIRS)
        assert (shown["n"], shown["judged"]) == (31, 30)
        decide(url, shown, "reject", reason="both wrong")
        assert item(url, PAIRS)["judged"] == 31
    last = rows(path)[-1]
    assert len(rows(path)) == 31 and last["reason"] == "both wrong"


def test_another_bad_line_is_named() -> None:
    folder = fresh("rsr")
    (folder / "reviews.jsonl").write_text('{"file": "pairs.jsonl"}\n{}\n')
    done = run("pages.review", folder, "--no-browser")
    assert done.returncode == 2
    assert f"{folder / 'reviews.jsonl'}:1: id: required but missing" in done.stderr


def test_two_servers_of_one_run_see_each_others_decisions() -> None:
    folder = fresh("rsr")
    with serving(folder) as (one, _), serving(folder) as (other, _):
        shown = decide(one, item(one, PAIRS), "accept")
        assert item(other, PAIRS)["n"] == shown["n"] == 2
        decide(other, item(other, PAIRS), "reject")
        assert item(one, PAIRS)["judged"] == 2
    assert [row["decision"] for row in rows(folder / "reviews.jsonl")] == ["accept", "reject"]


def test_an_item_that_changed_is_not_judged_and_a_running_page_says_so() -> None:
    folder = fresh("rsr")
    path = folder / PAIRS
    with serving(folder) as (url, _):
        decide(url, item(url, PAIRS), "accept")
        path.write_text(path.read_text().replace("Describe the image", "Describe this image", 1))
        status, body = ask(url, "item", file=PAIRS, reviewer="ann")
        assert status == 409 and "has changed since it was opened" in body.decode()
    with serving(folder) as (url, _):
        shown = item(url, PAIRS)
        assert (shown["n"], shown["judged"], shown["decision"]) == (1, 0, None)


def test_a_sample_is_drawn_by_its_seed() -> None:
    def ids(*words: object) -> list[Any]:
        with serving(made("rsr"), "--sample", 5, *words) as (url, _):
            found = [item(url, PAIRS, number) for number in range(1, 6)]
        assert {one["total"] for one in found} == {5}
        return [one["id"] for one in found]

    assert ids("--seed", 1) == ids("--seed", 1) != ids("--seed", 2)


def test_what_cannot_be_reviewed_is_said(tmp_path: Path) -> None:
    done = run("pages.review", tmp_path, "--no-browser")
    assert done.returncode == 2 and "holds nothing to review" in done.stderr
    (tmp_path / "scene_graphs.jsonl").write_text('{"id": "1", "image": "a.jpg"}\n')
    done = run("pages.review", tmp_path, "--no-browser")
    assert done.returncode == 2
    assert "scene_graphs.jsonl:1: objects: required but missing" in done.stderr
    done = run("pages.review", made("rsr"), "--config", tmp_path / "none.yaml", "--no-browser")
    assert done.returncode == 2 and "none.yaml" in done.stderr
    with serving(made("rsr")) as (url, _):
        port = url.split("/")[2].split(":")[1]
        done = run("pages.review", made("rsr"), "--port", port, "--no-browser")
        assert done.returncode == 2 and f"port {port}" in done.stderr
    done = run("pages.review", made("rsr"), "--port", 70_000, "--no-browser")
    assert done.returncode == 2 and "port 70000" in done.stderr


def test_an_interrupt_ends_it_well() -> None:
    with serving(made("rsr")) as (_, process):
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 0


@pytest.mark.parametrize("number", [1, 25_000])
def test_a_decision_among_50_000_items_takes_less_than_a_tenth_of_a_second(
    tmp_path: Path, number: int
) -> None:
    [row] = rows(made("rsr") / PAIRS)[:1]
    with (tmp_path / PAIRS).open("w") as file:
        for count in range(50_000):
            file.write(json.dumps(row | {"id": f"{count}", "images": []}) + "\n")
    with serving(tmp_path) as (url, _):
        shown = item(url, PAIRS, number)
        times = []
        for _ in range(9):
            started = time.perf_counter()
            shown = decide(url, shown, "accept")
            times.append(time.perf_counter() - started)
    assert sorted(times)[4] < 0.1
