"""Hostile bytes: a valid file that was flipped, cut, recoded, or given values nobody expects."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

_PAYLOADS = (
    b"\x00", b"\xff\xfe", b"\xef\xbb\xbf", b"\xed\xa0\x80", b"\\ud800", b"\\u0000", b"\n", b"\r",
    b'"', b"\\", b",", b"```", b"NaN", b"-Infinity", b"1e999", b"-1", b"null", b"true", b"{}",
    b"9" * 5000, b"[" * 20_000, b'{"a":' * 20_000, b" " * 100_000, b"```\n" * 3000, b"," * 50_000,
    b"x" * 1_000_000, "é\u202e\u2028".encode(), b"2001-99-99", b"0x", b"0b_", b"1:99:99", b"[]",
    b"&a [*a]", b"<<: *x", b"? [a]\n: b\n", b"- " * 5000, b"!!binary x", b"!!timestamp x",
    b"1: 2\n", b"!!int x", b"!!python/object/apply:os.mkdir [exploded]",
    b"cos\nmkdir\n(S'exploded'\ntR.", b"\x80\x04.",
)  # fmt: skip
_LAUGHS = "\n".join(
    ["a: &a [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    + [
        f"{b}: &{b} [{', '.join(['*' + a] * 9)}]"
        for a, b in zip("abcdefgh", "bcdefghi", strict=True)
    ]
).encode()
HUGE = 10_000_000
_SCALARS = (
    None, True, -1, 0, 2**63, 10**400, -1e308, 0.1, float("nan"), float("inf"), "", " ", "\0",
     "\ud800", "../../x", "/etc/passwd", "a" * 100_000, "\u202e", "1", "NaN", "rules", "fake",
)  # fmt: skip
_KEYS = ("id", "", "\0", "\ud800", "a" * 10_000, "__class__", "kind", "usage")
_NAMES = st.integers(0, len(_KEYS) - 1).map(_KEYS.__getitem__)
_VALUES = st.recursive(
    st.integers(0, len(_SCALARS) - 1).map(_SCALARS.__getitem__),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_NAMES, inner, max_size=3),
    max_leaves=4,
)
Change = Callable[[bytes], bytes]


def hostile(seeds: Sequence[bytes]) -> SearchStrategy[bytes]:
    """One of the valid `seeds` with up to four changes; rarely one that makes it 10 MB long."""
    changes = st.lists(_changes(), max_size=4)
    return st.builds(_apply, st.sampled_from(list(seeds)), changes)


def _apply(data: bytes, changes: Sequence[Change]) -> bytes:
    for change in changes:
        data = change(data)[: HUGE + 100_000]
    return data


def _changes() -> SearchStrategy[Change]:
    place = st.floats(0, 1)
    small = st.one_of(
        st.builds(_flip, place, st.integers(0, 7)),
        st.builds(_splice, place, st.sampled_from([1, 4, 100, 10**9])),
        st.builds(_insert, place, st.sampled_from([0, 1, 8]), st.integers(0, len(_PAYLOADS) - 1)),
        st.builds(_splice, place, st.sampled_from([0, 4]), st.binary(max_size=8)),
        st.builds(_repeat, place, place, st.sampled_from([2, 3, 50])),
        st.builds(_recode, st.sampled_from(["utf-16", "latin-1", "cp1252", "utf-8-sig"])),
        st.builds(_replace_value, st.integers(0, 10**6), _VALUES),
        st.builds(_rename_key, st.integers(0, 10**6), _NAMES, st.booleans()),
        st.just(lambda data: data + b"\n" + _LAUGHS),
    )
    huge = st.builds(_grow, place, st.sampled_from([b"x", b"1,", b" ", b"\n", b"- "]))
    return st.integers(0, 199).flatmap(lambda dice: huge if dice == 77 else small)


def _flip(place: float, bit: int) -> Change:
    def change(data: bytes) -> bytes:
        if not data:
            return data
        at = min(int(place * len(data)), len(data) - 1)
        return data[:at] + bytes([data[at] ^ (1 << bit)]) + data[at + 1 :]

    return change


def _insert(place: float, removed: int, payload: int) -> Change:
    # By number: hypothesis writes out what its strategies are made of.
    return _splice(place, removed, _PAYLOADS[payload])


def _grow(place: float, piece: bytes) -> Change:
    return lambda data: _splice(place, 0, piece * (HUGE // len(piece)))(data)


def _splice(place: float, removed: int, added: bytes = b"") -> Change:
    def change(data: bytes) -> bytes:
        at = int(place * len(data))
        return data[:at] + added + data[at + removed :]

    return change


def _repeat(one: float, other: float, times: int) -> Change:
    def change(data: bytes) -> bytes:
        start, end = sorted((int(one * len(data)), int(other * len(data))))
        return data[:start] + data[start:end][:10_000] * times + data[end:]

    return change


def _recode(encoding: str) -> Change:
    return lambda data: data.decode("utf-8", "replace").encode(encoding, "replace")


def _replace_value(number: int, value: Any) -> Change:
    """Another value at one place of one line of JSON."""

    def change(row: Any) -> Any:
        places = list(_places(row))
        if not places:
            return value
        parent, key = places[number % len(places)]
        parent[key] = value
        return row

    return _in_json(number, change)


def _rename_key(number: int, name: str, is_added: bool) -> Change:
    """A key that is called otherwise, or stands there once more under another name."""

    def change(row: Any) -> Any:
        places = [(parent, key) for parent, key in _places(row) if isinstance(parent, dict)]
        if places:
            parent, key = places[number % len(places)]
            parent[name] = parent[key] if is_added else parent.pop(key)
        return row

    return _in_json(number, change)


def _in_json(number: int, change: Callable[[Any], Any]) -> Change:
    def changed(data: bytes) -> bytes:
        lines = data.split(b"\n")
        at = number % len(lines)
        try:
            lines[at] = json.dumps(change(json.loads(lines[at]))).encode()
        except (ValueError, RecursionError):
            return data  # not JSON, or no longer
        return b"\n".join(lines)

    return changed


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """Every place inside a JSON value, as its parent and the key or index there."""
    if not isinstance(value, dict | list):
        return
    for key in list(value) if isinstance(value, dict) else range(len(value)):
        yield value, key
        yield from _places(value[key])
