"""Small changes of an input, for hypothesis and for atheris alike."""

from __future__ import annotations

import json
from collections.abc import Iterator
from random import Random
from typing import Any, Final

import cbor2

from enigma_fed.base.errors import WireError
from enigma_fed.wire import cbor
from tests.fuzz.target import Form

# What decoders trip over: marks of the formats, numbers at their limits, text that is none.
TOKENS: Final = (
    *(b"", b"\0", b"\n", b"\r\n", b"\xff", b"\xc0\xaf", b"\xed\xa0\x80", b"\xef\xbb\xbf", b"\xe2\x80\xae"),
    *(b'"', b"\\", b"\\ud800", b"\\u0000", b"{", b"}", b"[", b"]", b",", b":", b"null", b"true", b"NaN"),
    *(b"-0", b"1.0", b"1e999", b"-1", b"9007199254740992", b"18446744073709551616", b"9" * 40, b"0" * 64),
    *(b"=", b"==", b"(", b")", b";", b" ", b"#", b"%00", b".onion", b"did:key:z6Mk", b"fed1:", b"fed="),
    *(b"\x1b\x00\x20\x00\x00\x00\x00\x00\x00", b"\x5b\xff\xff\xff\xff\xff\xff\xff\xff", b"\x9f", b"\xf7"),
    *(b"\xf9\x7e\x00", b"\xc2", b"\xd8\x1c", b"\xa1", b"\x81" * 9, b"[" * 17),
)
VALUES: Final[tuple[Any, ...]] = (
    *(None, True, False, 0, 1, -1, 2**53 - 1, 2**53, 2**64, 10**39, 0.0, 1.0, 0.5, 1e300, -1e300),
    *(
        "",
        " ",
        "x",
        "\u202e",
        "\ud800",
        "x" * 300,
        "a\x1bb",
        "é",
        [],
        {},
        [[]],
        {"": 0},
        [None],
        b"",
        bytes(8),
    ),
)


def mutate(data: bytes, choose: Random, form: Form) -> bytes:
    """One to four changes, each of bytes or, in JSON and CBOR, of one value in the tree."""
    for _ in range(choose.randint(1, 4)):
        tree = form is not Form.BYTES and choose.random() < 0.6
        data = _change_tree(data, choose, form) if tree else _change_bytes(data, choose)
    return data


def _change_bytes(data: bytes, choose: Random) -> bytes:
    start = choose.randint(0, len(data))
    end = min(len(data), start + choose.choice((0, 0, 1, 1, 2, 4, 16)))
    kind = choose.randrange(4)
    if kind == 0:
        middle = choose.choice(TOKENS)
    elif kind == 1:
        middle = bytes(choose.randrange(256) for _ in range(choose.randint(0, 4)))
    elif kind == 2:
        middle = data[start:end] * choose.choice((0, 2, 3))
    else:
        middle = bytes(byte ^ 1 << choose.randrange(8) for byte in data[start:end])
    return data[:start] + middle + data[end:]


def _change_tree(data: bytes, choose: Random, form: Form) -> bytes:
    try:
        # Not the library's reader: tags make values that contain themselves, or one another a million times.
        root = json.loads(data) if form is Form.JSON else cbor.decode(data, limit=len(data))
    except (ValueError, RecursionError, WireError):
        return _change_bytes(data, choose)
    places = [(parent, key) for parent, key in _places(root)]
    if not places:
        return _encode(choose.choice(VALUES), form)
    parent, key = choose.choice(places)
    kind = choose.randrange(4)
    if kind == 0:
        del parent[key]
    elif kind == 1:
        other, at = choose.choice(places)
        parent[key] = _plain(other[at])
    elif kind == 2 and isinstance(parent, list):
        parent.insert(0, _plain(parent[key]))
    else:
        parent[key] = choose.choice(VALUES)
    return _encode(root, form)


def _places(root: Any) -> Iterator[tuple[Any, Any]]:
    if isinstance(root, dict | list):
        for key, value in list(root.items() if isinstance(root, dict) else enumerate(root)):
            yield root, key
            yield from _places(value)


def _plain(value: Any) -> Any:
    """A copy, so that no value contains itself."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return [_plain(item) for item in value] if isinstance(value, list) else value


def _encode(value: Any, form: Form) -> bytes:
    if form is Form.JSON:
        text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=lambda _: None)
        return text.encode("utf-8", "surrogatepass")
    try:
        return cbor2.dumps(value, canonical=True)
    except (UnicodeEncodeError, cbor2.CBORError):
        return b"\xf6"
