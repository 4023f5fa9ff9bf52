from __future__ import annotations

import json
import re
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from runtime.files import write_jsonl
from scripts.endurance import Measured, Sample, measure, table
from scripts.soak import soak
from tests.e2e.commands import contents, rows, run

_MB = 2**20


@pytest.mark.slow
def test_thousands_of_records_take_no_more_memory_than_the_first(tmp_path: Path) -> None:
    runs = list(measure(2500, tmp_path))
    assert [run.name for run in runs] == ["fake driver", "cached"]
    for measured in runs:
        assert measured.samples[-1].records == 2500
        # Each record keeps less than 4 kB: what was kept of one request alone was more.
        growth = measured.at(1.0).memory - measured.at(0.1).memory
        assert growth < 10 * _MB, list(table([measured]))
        assert measured.peak < 200 * _MB


def test_a_run_that_slows_down_or_grows_is_told() -> None:
    def measured(last_rate: float, peak: int = 100, last_beat: float = 1.0) -> Measured:
        steps = [Sample(n * 100, n, n, 50 * _MB) for n in range(10)]
        last = Sample(1000, 9 + 1 / last_rate, 9 + 1 / last_rate, 60 * _MB)
        beats = [(n + 0.5, 1.0) for n in range(9)] + [(9.5, last_beat)]
        return Measured("run", [*steps, last], peak * _MB, 10.0, beats)

    steady = measured(1.0)
    assert list(steady.broken()) == []
    assert steady.rates(1) == pytest.approx((100, 100, 100))
    assert steady.at(0.95).memory == pytest.approx(55 * _MB)
    slower = ["run: the rates differ by more than 10%"]
    assert list(measured(0.85, peak=500).broken()) == ["run: 500 MB, above 400", *slower]
    # A machine that was as much slower for its part is no fault of the run, and no excuse.
    assert list(measured(0.85, last_beat=1 / 0.85).broken()) == []
    assert list(measured(1.0, last_beat=0.8).broken()) == slower


@pytest.mark.slow
def test_faults_and_kills_lose_nothing_and_ask_nothing_twice(
    capsys: pytest.CaptureFixture[str],
) -> None:
    rounds = soak(seconds=10, records=200, pause=6, seed=3)
    printed = capsys.readouterr().out
    assert len(printed.splitlines()) == len(rounds)
    assert all(outcome.requests > outcome.answers for outcome in rounds)
    assert sum(outcome.done + outcome.rejected for outcome in rounds) == 200 * len(rounds)


def test_shards_of_any_kind_give_the_files_of_one(tmp_path: Path) -> None:
    example = Path(__file__).parents[2] / "examples/granfact-mini/images.jsonl"
    # A column of a Parquet file has one type, so those with an "uncertain" quantity go first.
    images = sorted(rows(example), key=lambda row: '"uncertain"' not in json.dumps(row))
    plain = sum('"uncertain"' not in json.dumps(row) for row in images)
    whole, shards = tmp_path / "whole", tmp_path / "shards"
    write_jsonl(whole / "all.jsonl", images)
    shards.mkdir()
    with pa.CompressedOutputStream(str(shards / "1.jsonl.gz"), "gzip") as file:
        file.write("".join(json.dumps(row) + "\n" for row in images[:4]).encode())
    with pa.CompressedOutputStream(str(shards / "2.jsonl.zst"), "zstd") as file:
        file.write("".join(json.dumps(row) + "\n" for row in images[4:-plain]).encode())
    pq.write_table(pa.Table.from_pylist(images[-plain:]), shards / "3.parquet", row_group_size=2)
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps({"run": {"cache": str(tmp_path / "cache")}}))

    def files(*given: object) -> dict[str, str]:
        output = tmp_path / f"run{len(list(tmp_path.glob('run*')))}"
        done = run("agents.response_parser", *given, "--config", config, "--output", output)
        assert done.returncode == 0, done.stderr
        return contents(output)

    one, quoted = files(whole / "all.jsonl"), files(shards / "*")
    expanded = files(*sorted(shards.iterdir()))
    assert quoted == expanded
    manifest = json.loads(quoted["manifest"])
    assert list(manifest["inputs"]) == ["1.jsonl.gz", "2.jsonl.zst", "3.parquet"]
    assert all(re.fullmatch("[0-9a-f]{64}", digest) for digest in manifest["inputs"].values())
    assert quoted["parsed.jsonl"] == one["parsed.jsonl"].replace("../whole/", "../shards/")


def test_rows_of_a_url_need_images_that_are_somewhere(tmp_path: Path) -> None:
    source = tmp_path / "captions.jsonl"
    base = {"id": "cat", "caption": "A cat sits on a mat."}
    write_jsonl(source, [base | {"image": "cat.jpg"}])
    config = tmp_path / "config.yaml"
    config.write_text(json.dumps({"run": {"cache": str(tmp_path / "cache")}}))
    command = ("agents.caption_parser", f"file://{source}", "--config", config, "--output")
    refused = run(*command, tmp_path / "run")
    assert refused.returncode == 2
    assert f"file://{source}:1: image: expected a URL or an absolute path, got 'cat.jpg'" in (
        refused.stderr
    )
    assert not (tmp_path / "run").exists()
    write_jsonl(source, [base | {"image": "https://example.org/cat.jpg"}])
    done = run(*command, tmp_path / "run")
    assert done.returncode == 0, done.stderr
    [graph] = rows(tmp_path / "run/scene_graphs.jsonl")
    assert graph["image"] == "https://example.org/cat.jpg"
