from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from zipfile import ZipFile

import fsspec
import pytest

from runtime.errors import ToolkitError
from runtime.files import read_records, validate_all, write_jsonl
from runtime.sources import Shard, Source, without_secrets
from schemas.scene_graph import CaptionRecord

COPIES = Path("copies")


@pytest.fixture(autouse=True)
def work_in_temporary_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def row(identifier: str) -> dict[str, str]:
    return {"id": identifier, "image": f"{identifier}.jpg", "caption": f"A {identifier}."}


def located(*given: str) -> Source:
    return Source(given).located(COPIES)


def ids(source: Source, **options: Any) -> list[str]:
    return [record.id for record in read_records(source, CaptionRecord, **options)]


def refusal(*given: str) -> ToolkitError:
    with pytest.raises(ToolkitError) as caught:
        validate_all(located(*given), CaptionRecord)
    assert caught.value.hint
    return caught.value


def test_a_pattern_is_expanded_in_order() -> None:
    for number in (10, 2, 1):
        write_jsonl(Path(f"shards/{number:02}.jsonl"), [row(f"cat{number}"), row(f"dog{number}")])
    Path("shards/03.jsonl").mkdir()
    source = located("shards/*.jsonl")
    assert ids(source) == ["cat1", "dog1", "cat2", "dog2", "cat10", "dog10"]
    assert ids(source, limit=3) == ["cat1", "dog1", "cat2"]
    assert validate_all(source, CaptionRecord).records == 6


def test_several_inputs_keep_their_order_and_count_once() -> None:
    write_jsonl(Path("b.jsonl"), [row("cat")])
    write_jsonl(Path("a.jsonl"), [row("dog")])
    assert ids(located("b.jsonl", "a.jsonl")) == ["cat", "dog"]
    assert ids(located("b.jsonl", "*.jsonl")) == ["cat", "dog"]


def test_a_name_with_brackets_is_a_file_where_there_is_one() -> None:
    write_jsonl(Path("run[1].jsonl"), [row("cat")])
    assert ids(located("run[1].jsonl")) == ["cat"]


def test_a_pattern_without_files_is_an_input_error() -> None:
    error = refusal("shards/*.jsonl")
    assert (error.message, error.exit_code) == ("shards/*.jsonl: no file fits this pattern", 2)


def test_a_bad_row_in_the_third_file_is_named() -> None:
    for name in ("a", "b", "c"):
        write_jsonl(Path(f"{name}.jsonl"), [row(name)])
    with Path("c.jsonl").open("a") as file:
        file.write('\n{"id": "d", "image": "d.jpg", "caption": 5}\n')
    assert refusal("*.jsonl").message == "c.jsonl:3: caption: expected a valid string, got 5"


def test_an_id_may_not_repeat_in_another_file() -> None:
    write_jsonl(Path("a.jsonl"), [row("dog"), row("cat")])
    write_jsonl(Path("b.jsonl"), [row("cat")])
    assert refusal("*.jsonl").message == "b.jsonl:1: id: 'cat' was already used in a.jsonl:2"


def test_an_input_is_the_names_and_the_bytes_of_its_files() -> None:
    def identity() -> str:
        return validate_all(located("**/*.jsonl"), CaptionRecord).sha256

    write_jsonl(Path("x/a.jsonl"), [row("cat")])
    alone = identity()
    assert alone == validate_all(Path("x/a.jsonl"), CaptionRecord).sha256
    write_jsonl(Path("x/b.jsonl"), [row("dog")])
    both = identity()
    Path("x").rename("y")
    assert identity() == both
    Path("y/b.jsonl").rename("y/c.jsonl")
    renamed = identity()
    write_jsonl(Path("y/c.jsonl"), [row("cow")])
    assert len({alone, both, renamed, identity()}) == 4
    assert list(validate_all(located("y/*"), CaptionRecord).files) == ["a.jsonl", "c.jsonl"]


def memory(files: dict[str, list[dict[str, str]]]) -> Any:
    system = fsspec.filesystem("memory")
    for name, rows in files.items():
        write_jsonl(Path("staged.jsonl"), rows)
        system.pipe_file(name, Path("staged.jsonl").read_bytes())
    return system


@pytest.fixture
def bucket(tmp_path: Path) -> Iterator[Any]:
    yield memory({"/bucket/b.jsonl": [row("dog")], "/bucket/a.jsonl": [row("cat")]})
    fsspec.filesystem("memory").rm("/bucket", recursive=True)


def test_urls_are_copied_and_read_in_order(bucket: Any) -> None:
    source = located("memory://bucket/*.jsonl")
    assert ids(source) == ["cat", "dog"]
    assert [shard.remote for shard in source.shards] == [True, True]
    assert all(COPIES in shard.path.parents for shard in source.shards)
    one = located("memory://bucket/b.jsonl")
    assert ids(one) == ["dog"]
    assert list(validate_all(one, CaptionRecord).files) == ["b.jsonl"]


def test_a_copy_is_used_until_the_original_changes(bucket: Any) -> None:
    url = "memory://bucket/a.jsonl"
    [first] = located(url).shards
    stamp = first.path.stat().st_ino
    [again] = located(url).shards
    assert (again, again.path.stat().st_ino) == (first, stamp)
    bucket.pipe_file("/bucket/a.jsonl", Path("staged.jsonl").read_bytes().replace(b"cat", b"cow"))
    assert ids(located(url)) == ["cow"]


def test_errors_in_a_remote_file_name_its_url(bucket: Any) -> None:
    bucket.pipe_file("/bucket/c.jsonl", b'{"id": "d"}\n')
    message = refusal("memory://bucket/*.jsonl").message
    assert message.startswith("memory:///bucket/c.jsonl:1: image: required but missing")


@pytest.mark.parametrize(
    ("url", "kind", "part"),
    [
        ("memory://bucket/missing.jsonl", "input", "cannot be fetched: FileNotFoundError"),
        ("memory://bucket/*.csv", "input", "no file fits this pattern"),
        ("memory://bucket", "input", "is a folder"),
        ("nosuch://bucket/a.jsonl", "input", "Protocol not known: nosuch"),
        ("abfs://bucket/a.jsonl", "prerequisite", "abfs:// needs a package"),
    ],
)
def test_what_cannot_be_fetched(bucket: Any, url: str, kind: str, part: str) -> None:
    error = refusal(url)
    assert error.kind == kind
    assert part in error.message
    if kind == "prerequisite":
        assert error.hint == "pip install adlfs"
    assert not list(Path().rglob(".*.jsonl.*"))


def test_hugging_face_urls_have_a_file_system() -> None:
    from fsspec.core import url_to_fs
    from huggingface_hub import HfFileSystem

    system, path = url_to_fs("hf://datasets/owner/name/data/train.parquet")
    assert isinstance(system, HfFileSystem)
    assert system.unstrip_protocol(path) == "hf://datasets/owner/name/data/train.parquet"


class _Handler(SimpleHTTPRequestHandler):
    served: list[str]

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        self.served.append(self.path)
        super().do_GET()

    def send_head(self) -> Any:
        self.path = self.path.partition("?")[0]
        return super().send_head()


@contextmanager
def http_server(folder: Path) -> Iterator[tuple[str, list[str]]]:
    served: list[str] = []
    handler = type("Handler", (_Handler,), {"served": served})
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", served
    finally:
        server.shutdown()
        server.server_close()


def test_a_signed_url_is_fetched_once_and_its_key_is_never_shown() -> None:
    write_jsonl(Path("web/rows.jsonl"), [row("cat"), {"id": "dog"}])
    with http_server(Path("web")) as (address, served):
        url = f"{address}/rows.jsonl?signature=SECRET"
        error = refusal(url)
        assert error.message.startswith(f"{address}/rows.jsonl:2: image: required")
        assert served == ["/rows.jsonl?signature=SECRET"]
        missing = refusal(url.replace("rows", "none"))
    assert missing.message.startswith(f"{address}/none.jsonl: cannot be fetched: FileNotFound")
    assert "SECRET" not in str(error) + str(missing)


def test_secrets_of_urls() -> None:
    assert without_secrets("https://me:pw@host:8/a/b.jsonl?X=1#f") == "https://host:8/a/b.jsonl"
    assert without_secrets("--x=s3://k@b/*.gz?v=2 https://h?t=1") == "--x=s3://b/*.gz https://h"
    assert without_secrets("shards/?.jsonl") == "shards/?.jsonl"
    chain = "simplecache::zip://a.jsonl::https://me:p@w@host/f.zip?key=1"
    assert without_secrets(chain) == "simplecache::zip://a.jsonl::https://host/f.zip"


def test_no_part_of_a_chain_of_urls_shows_its_password() -> None:
    error = refusal("zip://a.jsonl::http://me:secret@127.0.0.1:9/f.zip?key=secret")
    assert error.message.startswith("zip://a.jsonl::http://127.0.0.1:9/f.zip: cannot be fetched: ")
    assert "secret" not in error.message


def test_files_of_one_name_in_two_archives_are_two_files() -> None:
    for name in ("cat", "dog"):
        with ZipFile(f"{name}.zip", "w") as archive:
            archive.writestr("a.csv", f"id,image,caption\n{name},a.jpg,A {name}.\n")
    assert ids(located("zip://*.csv::cat.zip", "zip://*.csv::dog.zip")) == ["cat", "dog"]
    assert ids(located("zip://a.csv::cat.zip", "zip://a.csv::dog.zip")) == ["cat", "dog"]


def test_a_cache_that_cannot_be_written_is_named(bucket: Any) -> None:
    COPIES.write_text("a file")
    error = refusal("memory://bucket/a.jsonl")
    assert error.kind == "prerequisite"
    assert "cannot copy memory://bucket/a.jsonl to copies" in error.message


def test_a_missing_file_is_named_when_it_is_read() -> None:
    assert located("gone.jsonl").shards == (Shard(Path("gone.jsonl"), "gone.jsonl"),)
    assert refusal("gone.jsonl").message == "gone.jsonl: No such file or directory"


def test_a_pipe_is_refused() -> None:
    os.mkfifo("pipe")
    assert refusal("pipe").message == "pipe: not a file"
