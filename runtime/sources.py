"""What INPUT names: files, patterns, URLs. All become local files before a row is read."""

from __future__ import annotations

import glob
import hashlib
import json
import os
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, NamedTuple, Self
from urllib.parse import urlsplit

from runtime.errors import ToolkitError

if TYPE_CHECKING:
    from runtime.reviews import Decisions

# By these a store says that a file has changed: HTTP, S3, Google, Azure, Hugging Face, local.
_VERSION_FIELDS = (
    "ETag", "etag", "Last-Modified", "LastModified", "last_modified", "mtime", "generation",
    "blob_id", "created", "Content-MD5",
)  # fmt: skip

# Of every URL in a chain such as `zip://a.jsonl::https://host/f.zip`, and up to the last `@` of
# the host part: a password may hold one.
_USERINFO = re.compile(r"(?<=://)[^/\s]*@")
_QUERY = re.compile(r"(://[^?#\s]*)[?#]\S*")


class Shard(NamedTuple):
    """One file of an input: where it is read, what messages call it, whether it is a copy."""

    path: Path
    name: str
    remote: bool = False


class Place(NamedTuple):
    """Where a row stands: its file and its line (of Parquet: row) from 1."""

    shard: Shard
    number: int

    def __str__(self) -> str:
        return f"{self.shard.name}:{self.number}"

    def seen_from(self, other: Place) -> str:
        """What a message about `other` calls this place: its line, its file where it is another."""
        return f"line {self.number}" if self.shard == other.shard else str(self)


@dataclass(frozen=True)
class Source:
    """An input as it was given, and its files once they have been located."""

    given: tuple[str, ...]
    shards: tuple[Shard, ...] = ()
    reviews: Mapping[Path, Decisions] = field(default_factory=dict)
    """Decisions by folder; where there are any, only what was accepted is read."""

    @classmethod
    def of(cls, path: Path) -> Self:
        """The input that is this one local file, which need not exist yet."""
        return cls((str(path),), (Shard(path, str(path)),))

    def located(self, copies: Path) -> Self:
        """This input with its files: patterns expanded in order, remote files in `copies`.

        The files are listed once, so that all passes over the rows read the same ones. Raises
        ToolkitError("input") for a pattern that fits no file or a URL that cannot be read, and
        ToolkitError("prerequisite") where the package for its kind of URL is missing.
        """
        found = [
            shard
            for text in self.given
            for shard in (_remote(text, copies) if "://" in text else _local(text))
        ]
        return replace(self, shards=tuple(dict.fromkeys(found)))

    def only_reviewed(self) -> Self:
        """This input without what reviewers did not accept: `--reviewed-only`.

        The decisions are read once, so that all passes over the rows leave out the same ones.
        Raises ToolkitError("input") for a file that nobody reviewed.
        """
        from runtime.reviews import read_decisions

        reviews: dict[Path, Decisions] = {}
        for path, name, remote in self.shards:
            if remote:
                hint = "copy the file here, with the reviews.jsonl beside it"
                raise ToolkitError("input", f"{name}: --reviewed-only needs local files", hint)
            if path.parent not in reviews:
                reviews[path.parent] = read_decisions(path.parent)
            if path.name not in reviews[path.parent].files:
                raise ToolkitError(
                    "input",
                    f"{name}: nobody has reviewed it",
                    f"give a file that was judged in `grainwise review {path.parent}`",
                )
        return replace(self, reviews=reviews)

    def digests(self) -> dict[str, str]:
        """Hex sha256 of the bytes of each file, by its name from the folder all are in.

        With `only_reviewed` also of the decisions.
        """
        names = [_full_name(shard) for shard in self.shards]
        folder = os.path.commonpath([os.path.dirname(name) for name in names])
        digests: dict[str, str] = {}
        for shard, full in zip(self.shards, names, strict=True):
            with shard.path.open("rb") as handle:
                digest = hashlib.file_digest(handle, "sha256").hexdigest()
            name = os.path.relpath(full, folder)
            # URLs may differ in their query alone, which is not shown.
            digests[f"{name} ({len(digests) + 1})" if name in digests else name] = digest
        for place, decisions in self.reviews.items():
            digests[os.path.relpath(place / "reviews.jsonl", folder)] = decisions.sha256
        return digests

    def __str__(self) -> str:
        return " ".join(map(without_secrets, self.given))


def identity(digests: dict[str, str]) -> str:
    """Hex sha256 of an input: of one file its own, else over the names and bytes of all."""
    if len(digests) == 1:
        return next(iter(digests.values()))
    return hashlib.sha256(json.dumps(digests).encode()).hexdigest()


def without_secrets(text: str) -> str:
    """A text whose URLs have lost `user:password@` and the query, where signed URLs have a key."""
    return _QUERY.sub(r"\1", without_userinfo(text))


def without_userinfo(text: str) -> str:
    """A text whose URLs have lost their `user:password@`."""
    return _USERINFO.sub("", text)


def _full_name(shard: Shard) -> str:
    if not shard.remote:
        return os.path.abspath(shard.path)
    parts = urlsplit(shard.name)
    return os.path.normpath(f"/{parts.netloc}/{parts.path}")


def _local(text: str) -> Iterator[Shard]:
    # A file may have brackets in its name, so the name as it stands goes first.
    if not glob.has_magic(text) or os.path.lexists(text):
        return iter([Shard(Path(text), str(Path(text)))])
    names = sorted(name for name in glob.iglob(text, recursive=True) if os.path.isfile(name))
    return iter(_some(text, [Shard(Path(name), name) for name in names]))


def _remote(url: str, copies: Path) -> Iterator[Shard]:
    shown = without_secrets(url)
    try:
        system, path = _file_system(url)  # an archive at the end of a chain is fetched for it
        # Only * makes a pattern here: ? begins the query of a URL.
        names = sorted(system.glob(path)) if "*" in path else [path]
        first, chained, rest = url.partition("::")
        # A file goes by its archive, too: another one may have a file of that name.
        archive = chained + rest if "*" in first else ""
        urls = [f"{system.unstrip_protocol(name)}{archive}" for name in names]
        urls = urls if "*" in path else [url]
        shards = [
            Shard(_copy(system, name, one, copies), without_secrets(one), remote=True)
            for name, one in zip(names, urls, strict=True)
        ]
    except ToolkitError:
        raise
    except Exception as error:  # every file system has errors of its own
        # Of a chain it may name a part.
        reason = without_secrets(str(error).replace(url, shown)) or type(error).__name__
        message = f"{shown}: cannot be fetched: {type(error).__name__}: {reason}"
        raise ToolkitError("input", message, "check the URL, and your access to it") from None
    return iter(_some(shown, shards))


def _some(text: str, shards: list[Shard]) -> list[Shard]:
    if not shards:
        raise ToolkitError("input", f"{text}: no file fits this pattern", "check the pattern")
    return shards


def _file_system(url: str) -> tuple[Any, str]:
    from fsspec.core import url_to_fs
    from fsspec.registry import known_implementations

    scheme = url.split("://")[0].split("::")[0]
    try:
        return tuple(url_to_fs(url))
    except ImportError as error:
        package = known_implementations.get(scheme, {}).get("class", scheme).split(".")[0]
        message = f"{scheme}:// needs a package that is not installed: {error}"
        raise ToolkitError("prerequisite", message, f"pip install {package}") from None
    except ValueError as error:
        hint = "give a path, or a URL such as s3://, gs://, hf://datasets/ or https://"
        raise ToolkitError("input", without_secrets(f"{url}: {error}"), hint) from None


def _copy(system: Any, name: str, url: str, copies: Path) -> Path:
    """A local copy, made anew where the store does not say that it is still the same."""
    info = system.info(name)
    if info["type"] == "directory":
        message = f"{without_secrets(url)}: is a folder"
        raise ToolkitError("input", message, f"name its files, as in '{url.rstrip('/')}/*.jsonl'")
    version = [str(info[field]) for field in _VERSION_FIELDS if info.get(field)]
    key = hashlib.sha256(json.dumps([url, info.get("size"), version]).encode()).hexdigest()
    # The name stays, as its end says what the file is; of a chain, that of the first path.
    own = next(part for part in url.split("::") if "://" in part)
    last = PurePosixPath(urlsplit(own).netloc + urlsplit(own).path).name
    target = copies / key[:32] / last
    if version and target.exists():
        return target
    partial = target.with_name(f".{last}.{os.getpid()}")
    try:
        target.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        message = f"cannot copy {without_secrets(url)} to {copies}: {error.strerror}"
        raise ToolkitError("prerequisite", message, "name a cache as `run: {cache: …}`") from None
    try:
        system.get_file(name, str(partial))
        partial.replace(target)
    finally:
        partial.unlink(missing_ok=True)
    return target
