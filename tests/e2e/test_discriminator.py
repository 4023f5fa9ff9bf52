"""The discriminator against the local server, which sees an image's caption in the image."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from agents.discriminator import main
from tests.e2e.commands import ROOT, rows, run, server, stats, write_config
from tests.servers.openai_server import Settings, running

IMAGES = ROOT / "examples/granfact-mini/images"
CAPTIONS = {
    "cat": "A Persian cat with brown striped fur and a pink nose is looking to the right.",
    "coffee": "A brown cup of coffee stands on a saucer. A silver spoon lies beside the cup.",
}


def write_negatives(folder: Path, captions: bool = True) -> Path:
    """Two photographs. Of the coffee a negative is true, and then another one."""
    furs = [f"with {word} fur" for word in ("white", "black", "grey", "orange")]
    cat = {"name": "cat", "negatives": ["dog", "fox", "rabbit", "lamb"]}
    cat |= {"attributes": ["with brown striped fur"], "attribute_negatives": [furs]}
    drink = {"name": "lemonade", "negatives": ["coffee", "cup", "juice", "water"]}
    drink |= {"attributes": [], "attribute_negatives": []}
    path = folder / "negatives.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for name, thing in (("cat", cat), ("coffee", drink)):
            image = str(IMAGES / f"{name}.jpg")
            row = {"id": name, "image": image, "objects": [thing], "relations": []}
            row["caption"] = CAPTIONS[name] if captions else None
            file.write(json.dumps(row) + "\n")
    return path


def seen() -> dict[str, str]:
    """Captions by sha256 of the images."""
    return {
        hashlib.sha256((IMAGES / f"{name}.jpg").read_bytes()).hexdigest(): caption
        for name, caption in CAPTIONS.items()
    }


def config(folder: Path, address: str, **more: Any) -> Path:
    """The discriminator on the server, all else by rules."""
    path = write_config(folder, address, vision=True, **more)
    settings = json.loads(path.read_text())
    settings["agents"] = {"default": "rules", "discriminator": "server"}
    path.write_text(json.dumps(settings))
    return path


def test_images_are_shown_and_wrong_elements_do_not_survive(tmp_path: Path) -> None:
    source, output = write_negatives(tmp_path, captions=False), tmp_path / "out"
    (tmp_path / "captions.json").write_text(json.dumps(seen()))
    with server(tmp_path, "--captions", tmp_path / "captions.json") as address:
        command = ["agents.discriminator", source, "--output", output, "--max-rounds", 2]
        done = run(*command, "--config", config(tmp_path, address))
        assert done.returncode == 0, done.stderr
        asked = stats(address)["requests"]
    assert "3 elements tested: 2 kept, 1 dropped, 1 rounds of regeneration" in done.stdout
    verdicts = rows(output / "verdicts.jsonl")
    assert asked == len(verdicts)
    assert {(v["method"], v["tested_against"]) for v in verdicts} == {("logprobs", "image")}
    assert all(len(v["probabilities"]) == 5 and min(v["probabilities"]) > 0 for v in verdicts)
    drinks = [v for v in verdicts if v["graph"] == "coffee"]
    assert drinks[0]["decision"] == "regenerate"
    [replaced] = [drinks[0]["options"][i] for i in drinks[0]["regenerate"]]
    assert replaced.split()[-1] in ("coffee", "cup")
    cat, coffee = rows(output / "negatives.jsonl")
    assert cat["tested_against"] == coffee["tested_against"] == "image"
    assert cat["objects"][0]["negatives"] == ["dog", "fox", "rabbit", "lamb"]
    assert coffee["objects"][0]["negatives"] == []
    assert [dropped["text"] for dropped in coffee["dropped"]] == ["lemonade"]
    assert (output / cat["image"]).resolve() == IMAGES / "cat.jpg"
    settings = json.loads((output / "manifest.json").read_text())["settings"]
    assert settings["max_rounds"] == 2 and settings["text_only"] is False


def test_votes_where_the_server_gives_no_logprobs(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, output = write_negatives(tmp_path), tmp_path / "out"
    with running(Settings(answers="rules", captions=seen())) as (served, api_base):
        path = config(tmp_path, api_base.removesuffix("/v1"), logprobs=False)
        words = [str(source), "--output", str(output), "--config", str(path), "--limit", "1"]
        assert main([*words, "--votes", "3"]) == 0
        assert served.stats["requests"] == 2 * 3
        assert len({body["seed"] for body in served.bodies}) == 3
    assert "(0 by log-probabilities, 2 by votes)" in capsys.readouterr().out
    assert {v["method"] for v in rows(output / "verdicts.jsonl")} == {"votes"}


def test_text_only_by_rules_needs_no_server(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source = write_negatives(tmp_path)
    words = [str(source), "--text-only", "--max-rounds", "1"]
    outputs = [tmp_path / "a", tmp_path / "b"]
    for output in outputs:
        assert main([*words, "--output", str(output)]) == 0
    assert "text only" in capsys.readouterr().out
    graphs = rows(outputs[0] / "negatives.jsonl")
    assert {graph["tested_against"] for graph in graphs} == {"caption"}
    assert graphs[0]["objects"][0]["negatives"] and not graphs[1]["objects"][0]["negatives"]
    for name in ("negatives.jsonl", "verdicts.jsonl"):
        assert (outputs[0] / name).read_bytes() == (outputs[1] / name).read_bytes()
