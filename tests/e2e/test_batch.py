"""`--batch`: start it until it is done, kill it in between, compare with a live run."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest

from agents.rsr import main
from backends.batch_store import BatchStore
from backends.retry import MAX_TRANSIENT
from runtime.errors import ToolkitError
from tests.e2e.commands import contents, many_images, run, server, start, stats, write_config
from tests.servers.batches import LOST
from tests.servers.openai_server import Settings, running

PRICE = {"input": 1.0, "output": 1000.0}
IMAGES = 3


def until_done(*arguments: object) -> int:
    """How many starts it took; all but the last end in 75. In this process: LiteLLM loads once."""
    for number in range(1, 60):
        code = main([str(argument) for argument in arguments])
        if code == 0:
            return number
        assert code == 75
    raise AssertionError("not done after 60 starts")


def execution(folder: Path) -> dict[str, Any]:
    return dict(json.loads((folder / "manifest.json").read_text())["execution"])


def config_for(folder: Path, api_base: str, **more: Any) -> Path:
    model = more.pop("model", "openai/test")
    return write_config(folder, api_base.removesuffix("/v1"), model=model, **more)


def config_without_v1(folder: Path, api_base: str, **more: Any) -> Path:
    """For Anthropic and Gemini, whose addresses end at the host."""
    config = config_for(folder, api_base, **more)
    config.write_text(config.read_text().replace(api_base, api_base.removesuffix("/v1")))
    return config


def test_rounds_of_batches_give_the_files_of_a_live_run_at_half_the_price(tmp_path: Path) -> None:
    source = many_images(tmp_path / "images.jsonl", IMAGES)
    with running(Settings(answers="rules", batch_polls=0)) as (served, api_base):
        config = config_for(tmp_path, api_base, price=PRICE)
        arguments = (source, "--config", config, "--output")
        starts = until_done(*arguments, tmp_path / "batched", "--batch")
        assert "requests" not in served.stats, "nothing was asked live"
        assert starts >= 5, "parse, judge and edit depend on each other"
        config.write_text(config.read_text().replace("/cache", "/another"))
        assert until_done(*arguments, tmp_path / "live") == 1
        assert served.stats["requests"] == served.stats["batched"], "each question once"
    batched, asked = contents(tmp_path / "batched"), contents(tmp_path / "live")
    manifests = [json.loads(found.pop("manifest")) for found in (batched, asked)]
    assert batched == asked
    assert manifests[0]["counts"] == manifests[1]["counts"]
    spent = [execution(tmp_path / name)["spend"]["server"] for name in ("batched", "live")]
    assert spent[0]["answers"] == spent[1]["answers"] == served.stats["batched"]
    assert spent[0]["cost_usd"] == pytest.approx(spent[1]["cost_usd"] / 2)
    assert not list((tmp_path / "batched").glob(".batches*")), "nothing is left of it"


@pytest.mark.parametrize(
    ("model", "variable"),
    [
        ("anthropic/claude-sonnet-4-5", "ANTHROPIC_API_KEY"),
        ("gemini/gemini-2.5-flash", "GEMINI_API_KEY"),
    ],
)
def test_anthropic_and_gemini(
    tmp_path: Path, model: str, variable: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable, "sk-secret")
    source = many_images(tmp_path / "images.jsonl", 1)
    settings = Settings(answers="rules", batch_polls=0, faults={"error_500": 0.1, "hang": 0.1})
    with running(settings) as (served, api_base):
        config = config_without_v1(tmp_path, api_base, model=model, api_key_env=variable)
        until_done(source, "--config", config, "--output", tmp_path / "run", "--batch")
    spend = execution(tmp_path / "run")["spend"]["server"]
    assert (spend["model"], spend["key"]) == (model, variable)
    assert spend["answers"] == served.stats["batched_answered"] > 5
    assert spend["cost_usd"] > 0, "LiteLLM knows the price"
    assert "sk-secret" not in (tmp_path / "run/manifest.json").read_text()


def test_blocked_prompt_of_gemini_is_a_refusal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GEMINI_API_KEY", "sk-secret")
    source = many_images(tmp_path / "images.jsonl", IMAGES)
    settings = Settings(answers="rules", batch_polls=0, faults={"refusal": 1.0})
    with running(settings) as (_, api_base):
        model = {"model": "gemini/gemini-2.5-flash", "api_key_env": "GEMINI_API_KEY"}
        config = config_without_v1(tmp_path, api_base, **model)
        assert until_done(source, "--config", config, "--output", tmp_path / "run", "--batch") == 2
    rejected = [json.loads(line) for line in (tmp_path / "run/rejected.jsonl").open()]
    assert [row["kind"] for row in rejected] == ["refused"] * IMAGES
    assert execution(tmp_path / "run")["spend"]["server"]["answers"] == IMAGES


def test_answers_that_a_kill_left_unpaid_are_paid_for_by_the_next_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = many_images(tmp_path / "images.jsonl", IMAGES)
    ended = BatchStore.ended

    def kept_and_killed(*arguments: Any) -> None:
        ended(*arguments)
        raise ToolkitError("input", "killed")

    # Refusals cost tokens, and no batch follows whose start might count them.
    settings = Settings(answers="rules", batch_polls=0, faults={"refusal": 1.0})
    with running(settings) as (served, api_base):
        config = config_for(tmp_path, api_base, price=PRICE)
        arguments = (source, "--config", config, "--output", tmp_path / "run", "--batch")
        monkeypatch.setattr(BatchStore, "ended", kept_and_killed)
        assert [main([*map(str, arguments)]) for _ in range(3)] == [75, 2, 0]
    spend = execution(tmp_path / "run")["spend"]["server"]
    assert spend["answers"] == served.stats["batched"] == IMAGES


def test_line_that_fails_goes_into_three_batches(tmp_path: Path) -> None:
    source = many_images(tmp_path / "images.jsonl", IMAGES)
    settings = Settings(answers="rules", batch_polls=0, faults={"error_500": 1.0})
    with running(settings) as (served, api_base):
        config = config_for(tmp_path, api_base)
        starts = until_done(source, "--config", config, "--output", tmp_path / "run", "--batch")
    assert (starts, served.stats["batched"]) == (4, 3 * IMAGES)
    rejected = [json.loads(line) for line in (tmp_path / "run/rejected.jsonl").open()]
    assert {row["kind"] for row in rejected} == {"server"}
    assert len(rejected) == IMAGES


def test_waits_while_a_batch_is_under_way_and_asks_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = many_images(tmp_path / "images.jsonl", IMAGES)
    with running(Settings(answers="rules", batch_polls=2)) as (served, api_base):
        config = config_for(tmp_path, api_base)
        arguments = [str(a) for a in (source, "--config", config, "--output", tmp_path / "run")]
        for _ in range(3):
            assert main([*arguments, "--batch"]) == 75
        assert (served.stats["batches"], served.stats["batched"]) == (1, IMAGES)
        said = capsys.readouterr().out
        assert f"{IMAGES} records wait for the answers to {IMAGES} requests" in said
        assert said.count("that have not ended; run the same command again") == 2


def test_provider_that_fails_while_a_batch_is_asked_for_does_not_end_the_rounds(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = many_images(tmp_path / "images.jsonl", IMAGES)
    retrieve, read = "GET /v1/batches/{id}", "GET /v1/files/{id}/content"
    settings = Settings(answers="rules", batch_polls=0, faults={"refusal": 1.0})
    with running(settings) as (served, api_base):
        config = config_for(tmp_path, api_base)
        arguments = (source, "--config", config, "--output", tmp_path / "run", "--batch")
        assert main([*map(str, arguments)]) == 75
        settings.batch_faults = {retrieve: [529] * MAX_TRANSIENT}
        assert main([*map(str, arguments)]) == 75
        assert "could not be asked for: openai/test: " in caplog.text
        assert "fault 529" in caplog.text
        settings.batch_faults = {retrieve: [500, 429], read: [503, LOST]}
        assert main([*map(str, arguments)]) == 0, "it answers at the fifth attempt"
        assert settings.batch_faults == {retrieve: [], read: []}
        assert served.stats["batches"] == 1


def test_batch_whose_acknowledgement_was_lost_is_adopted_by_the_next_start(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source = many_images(tmp_path / "images.jsonl", IMAGES)
    faults: dict[str, list[int | str]] = {"POST /v1/batches": [LOST], "GET /v1/batches": [500]}
    settings = Settings(answers="rules", faults={"refusal": 1.0}, batch_faults=faults)
    with running(settings) as (served, api_base):
        config = config_for(tmp_path, api_base)
        assert until_done(source, "--config", config, "--output", tmp_path / "run", "--batch") == 3
        assert "could not be handed in: openai/test: " in caplog.text
        assert served.stats["batches"] == served.stats["POST /v1/batches"] == 1


@pytest.mark.slow
def test_failed_and_expired_lines_go_into_the_next_batch_and_kills_lose_nothing(
    tmp_path: Path,
) -> None:
    source = many_images(tmp_path / "images.jsonl", IMAGES)
    faults = json.dumps({"error_500": 0.15, "hang": 0.1, "broken_json": 0.1})
    with server(tmp_path, "--faults", faults, "--seed", 5, "--batch-polls", 0) as address:
        config = write_config(tmp_path, address, model="openai/test", price=PRICE)
        arguments = ("agents.rsr", source, "--config", config, "--output", tmp_path / "run")
        for delay in (4.0, 6.0, 8.0):
            process = start(*arguments, "--batch")
            time.sleep(delay)
            process.kill()
            process.communicate()
        until_done(*arguments[1:], "--batch")
        counted = stats(address)
    assert counted["batched_error_500"] and counted["batched_hang"]
    counts = json.loads((tmp_path / "run/manifest.json").read_text())["counts"]
    assert counts["in"] == IMAGES
    assert counts["out"] + counts["rejected"]["total"] == IMAGES
    spend = execution(tmp_path / "run")["spend"]["server"]
    answered = counted["batched"] - counted["batched_error_500"] - counted["batched_hang"]
    assert spend["answers"] == answered, "every answer is paid for once"


def test_budget_hands_in_only_what_it_allows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = many_images(tmp_path / "images.jsonl", IMAGES)
    with running(Settings(answers="rules")) as (served, api_base):
        config = config_for(tmp_path, api_base, price=PRICE, max_tokens=200)
        arguments = (source, "--config", config, "--output", tmp_path / "run")
        # Two calls cost up to 2 x 200 x $0.001 / 2, and a little for what is sent.
        assert main([*map(str, arguments), "--batch", "--max-cost", "0.25"]) == 75
    assert served.stats["batched"] == 2
    assert "1 requests more wait until the budget allows" in capsys.readouterr().out


def test_no_backend_with_batches_is_an_error_before_anything_is_written(tmp_path: Path) -> None:
    source = many_images(tmp_path / "images.jsonl", 1)
    done = run("agents.rsr", source, "--output", tmp_path / "run", "--batch")
    assert done.returncode == 2
    assert "no backend in use takes batches" in done.stderr
    assert not (tmp_path / "run").exists()
