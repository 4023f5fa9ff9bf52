from __future__ import annotations

import gzip
import json
import tracemalloc
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from benchmarks.sources.readers import table
from runtime import lines
from runtime.errors import ToolkitError
from runtime.files import read_records, validate_all
from runtime.scratch import scratch_table
from runtime.store import Outcome, OutcomeStore
from schemas.scene_graph import CaptionRecord

ROWS = [{"id": f"r{n}", "image": f"{n}.jpg", "caption": f"Caption {n}."} for n in range(200)]
TEXT = "".join(json.dumps(row) + "\n" for row in ROWS).encode()
TABLE = ("id,image,caption\n" + "".join(",".join(row.values()) + "\n" for row in ROWS)).encode()


@pytest.fixture(autouse=True)
def work_in_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def zstandard(data: bytes) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.CompressedOutputStream(sink, "zstd") as stream:
        stream.write(data)
    return sink.getvalue().to_pybytes()


PACK: dict[str, Callable[[bytes], bytes]] = {
    "": bytes, ".gz": lambda data: gzip.compress(data, mtime=0), ".zst": zstandard
}  # fmt: skip
COMPRESSED = [".gz", ".zst"]


def file(name: str, data: bytes) -> Path:
    path = Path(name)
    path.write_bytes(data)
    return path


def problem(path: Path) -> str:
    with pytest.raises(ToolkitError) as caught:
        validate_all(path, CaptionRecord)
    assert caught.value.exit_code == 2
    assert caught.value.hint
    return caught.value.message


def numbers(path: Path) -> list[str]:
    return [record.caption for record in read_records(path, CaptionRecord)]


@pytest.mark.parametrize("packed", PACK)
@pytest.mark.parametrize(("name", "data"), [("in.jsonl", TEXT), ("in.csv", TABLE)])
@pytest.mark.parametrize("change", [
    bytes, lambda data: b"\xef\xbb\xbf" + data, lambda data: data.replace(b"\n", b"\r\n"),
    lambda data: data.rstrip(b"\n"),
], ids=["plain", "mark", "crlf", "no end"])  # fmt: skip
def test_every_format_gives_the_same_rows(
    name: str, data: bytes, packed: str, change: Callable[[bytes], bytes]
) -> None:
    path = file(name + packed, PACK[packed](change(data)))
    assert numbers(path) == [row["caption"] for row in ROWS]


@pytest.mark.parametrize("packed", COMPRESSED)
def test_packed_parts_may_follow_each_other(packed: str) -> None:
    half = TEXT.index(b"\n", len(TEXT) // 2) + 1
    path = file(f"in.jsonl{packed}", PACK[packed](TEXT[:half]) + PACK[packed](TEXT[half:]))
    assert len(numbers(path)) == len(ROWS)


@pytest.mark.parametrize("name", ["in.jsonl", "in.csv"])
@pytest.mark.parametrize("packed", COMPRESSED)
def test_a_cut_off_file_is_an_input_error(name: str, packed: str) -> None:
    data = PACK[packed](TEXT if name == "in.jsonl" else TABLE)
    for kept in (len(data) - 1, len(data) // 2, 12):
        path = file(name + packed, data[:kept])
        assert problem(path).startswith(f"{path}:")


def test_the_message_says_how_far_a_cut_off_file_goes() -> None:
    path = file("in.jsonl.gz", PACK[".gz"](TEXT)[:-4])
    assert problem(path).startswith(f"{path}:201: cannot be read from here on: ")


@pytest.mark.parametrize("packed", COMPRESSED)
def test_a_file_that_is_not_packed_is_an_input_error(packed: str) -> None:
    path = file(f"in.jsonl{packed}", TEXT)
    assert problem(path).startswith(f"{path}:1: cannot be read from here on: ")


def test_a_damaged_byte_inside_a_packed_file_is_an_input_error() -> None:
    for packed in COMPRESSED:
        data = bytearray(PACK[packed](TEXT))
        data[len(data) // 2] ^= 0xFF
        assert problem(file(f"in.jsonl{packed}", bytes(data))).startswith(f"in.jsonl{packed}:")


@pytest.mark.parametrize("name", ["in.jsonl.gz", "in.csv.gz", "in.jsonl.zst"])
def test_a_small_file_may_not_unpack_to_an_endless_line(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lines, "MAX_LINE", 2**20)
    head = TABLE[:17] if ".csv" in name else TEXT
    bomb = file(name, PACK[Path(name).suffix](head + b"x" * 2**26))
    number = head.count(b"\n") + 1
    assert bomb.stat().st_size < 2**17
    tracemalloc.start()
    try:
        message = problem(bomb)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert message == f"{name}:{number}: a line of more than 1,048,576 bytes"
    assert peak < 2**24


def parquet(path: str, count: int, **options: Any) -> Path:
    rows = [{"id": f"r{n}", "image": "a.jpg", "caption": "word " * 50} for n in range(count)]
    pq.write_table(pa.Table.from_pylist(rows), path, **options)
    return Path(path)


def test_a_large_row_group_is_read_in_parts() -> None:
    path = parquet("in.parquet", 20_000, use_dictionary=False, compression="none")
    assert pq.ParquetFile(path).num_row_groups == 1
    start = pa.total_allocated_bytes()
    rows = read_records(path, CaptionRecord)
    most = max(pa.total_allocated_bytes() for _, _ in zip(range(3000), rows, strict=False))
    assert most - start < path.stat().st_size // 2


@pytest.mark.parametrize("kept", [0.0, 0.5, 0.999])
def test_a_cut_off_parquet_file_is_an_input_error(kept: float) -> None:
    data = parquet("whole.parquet", 2000).read_bytes()
    path = file("in.parquet", data[: int(len(data) * kept)])
    assert problem(path).startswith("in.parquet: not a Parquet file: ")


def test_a_parquet_file_that_is_damaged_inside_is_an_input_error() -> None:
    data = bytearray(parquet("whole.parquet", 2000, compression="zstd").read_bytes())
    data[40:400] = bytes(360)
    assert problem(file("in.parquet", bytes(data))).startswith("in.parquet: ")


SECONDS = pa.array([568_971_820_800])  # in the year 20000
ODD = {
    "a year beyond 9999": SECONDS.cast(pa.timestamp("s")),
    "a day beyond all years": pa.array([2**30], pa.int32()).cast(pa.date32()),
    "a time zone nobody knows": pa.array([0]).cast(pa.timestamp("us", tz="Foo/Bar")),
    "two fields of one name": pa.StructArray.from_arrays([SECONDS, SECONDS], names=["a", "a"]),
    "bytes that are no text": pa.array([b"caf\xe9"]).view(pa.string()),
}


@pytest.mark.parametrize("what", ODD)
def test_a_parquet_value_that_python_cannot_hold_is_an_input_error(what: str) -> None:
    row = {key: [value] for key, value in ROWS[0].items()}
    pq.write_table(pa.table({**row, "taken": ODD[what]}), "in.parquet")
    assert problem(Path("in.parquet")).startswith("in.parquet: column taken (")
    with pytest.raises(ToolkitError, match="column taken"):
        list(table(Path("in.parquet")))


def test_two_parquet_columns_of_one_name_are_refused_as_in_a_csv_file() -> None:
    columns = [[f"{n}"] for n in range(4)]
    pq.write_table(pa.table(columns, ["id", "image", "caption", "caption"]), "in.parquet")
    Path("in.csv").write_text("id,image,caption,caption\n0,1,2,3\n")
    assert problem(Path("in.parquet")) == "in.parquet: two columns are called 'caption'"
    assert problem(Path("in.csv")) == "in.csv:1: two columns are called 'caption'"


@pytest.mark.parametrize(("value", "got"), [
    (datetime(2026, 1, 1), "datetime"), (b"caf\xe9", "bytes"), (Decimal("1.5"), "Decimal"),
])  # fmt: skip
def test_a_parquet_value_that_is_no_json_is_called_by_its_type(value: Any, got: str) -> None:
    pq.write_table(pa.Table.from_pylist([ROWS[0] | {"caption": value}]), "in.parquet")
    expected = f"in.parquet:1: caption: expected a valid string, got a value of type {got}"
    assert problem(Path("in.parquet")) == expected


@pytest.mark.parametrize("name", ["IN.CSV", "in.Csv.GZ", "in.JSONL.Zst"])
def test_names_may_be_in_capital_letters(name: str) -> None:
    data = TABLE if ".csv" in name.lower() else TEXT
    path = file(name, PACK.get(Path(name).suffix.lower(), bytes)(data))
    assert len(numbers(path)) == len(ROWS)


@pytest.mark.parametrize("encoding", ["latin-1", "utf-16"])
@pytest.mark.parametrize("name", ["in.jsonl", "in.csv"])
def test_another_encoding_is_called_so(name: str, encoding: str) -> None:
    data = (TEXT if name == "in.jsonl" else TABLE).replace(b"Caption", "Légende".encode())
    with pytest.raises(ToolkitError, match=rf"{name}:\d: not UTF-8 text: ") as caught:
        validate_all(file(name, data.decode().encode(encoding)), CaptionRecord)
    assert caught.value.hint == "save the file as UTF-8"


def heap_growth(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_reading_does_not_fill_the_heap_with_ids() -> None:
    with Path("in.jsonl").open("w") as out:
        for n in range(20_000):
            out.write(json.dumps({"id": f"r{n}", "image": "a.jpg", "caption": "A."}) + "\n")
    assert heap_growth(lambda: validate_all(Path("in.jsonl"), CaptionRecord)) < 2**20


def test_a_store_does_not_fill_the_heap_with_places(tmp_path: Path) -> None:
    names = [f"record-{n}" for n in range(20_000)]
    with OutcomeStore(tmp_path / "run", {}) as store:

        def work() -> None:
            for index, name in enumerate(names):
                store.append(Outcome(id=name, index=index, value={}))
            assert sum(1 for _ in store.iterate_in_order(names)) == len(names)

        assert heap_growth(work) < 2**20


def test_tables_are_private_and_empty() -> None:
    one, other = scratch_table("value TEXT"), scratch_table("value TEXT")
    one.execute("INSERT INTO records VALUES ('a', 'b')")
    assert other.execute("SELECT * FROM records").fetchall() == []
