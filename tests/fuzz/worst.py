"""The longest that each target takes for an input at its size limit: `python -m tests.fuzz.worst [TARGET…]`.

Inputs that cost a reader most: depth, many members, long numbers, escapes, text of many bytes, and what
makes a pattern go back. It is the target's time, with all that it checks: twice to three times the decoder's
own. The best of three counts, so that other work on the machine does not.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from typing import Final

from enigma_fed.base import limits
from enigma_fed.wire import base64url, httpsig
from tests.fuzz.target import Form, Target
from tests.fuzz.targets import TARGETS
from tests.support import invitevectors
from tests.support.identities import did

_FILE_BYTES: Final = 128 * 1024
"""Files are our own, up to 256 MiB; this much stands for them."""
LIMITS: Final = {
    "invite-code": limits.INVITE_BYTES * 4 // 3,
    "invite-members": limits.INVITE_BYTES,
    "canonicaljson": limits.INVITE_BYTES,
    "join-json": limits.STRANGER_REQUEST_BYTES,
    "join-cbor": limits.STRANGER_REQUEST_BYTES,
    "tokenless-join-json": limits.STRANGER_REQUEST_BYTES,
    "tokenless-join-cbor": limits.STRANGER_REQUEST_BYTES,
    "join-reply-json": limits.JOIN_REPLY_BYTES,
    "join-reply-cbor": limits.JOIN_REPLY_BYTES,
    "reply-json": limits.REPLY_BYTES,
    "reply-cbor": limits.REPLY_BYTES,
    "state-answer-json": limits.REPLY_BYTES,
    "state-answer-cbor": limits.REPLY_BYTES,
    "snapshot": limits.REPLY_BYTES,
    "snapshot-lenient": limits.REPLY_BYTES,
    "structured-list": limits.SIGNATURE_INPUT_BYTES,
    "structured-bytes": limits.HEADER_BYTES,
    "content-digest": limits.HEADER_BYTES,
    "httpsig-request": limits.HEADER_BYTES,
    "httpsig-reply": limits.HEADER_BYTES,
    "challenge": limits.HEADER_BYTES,
    "did-url": limits.SIGNATURE_INPUT_BYTES,
    "proxy-line": limits.PROXY_LINE_BYTES,
    "control-request": limits.CONTROL_LINE_BYTES,
    "control-response": limits.CONTROL_LINE_BYTES,
    "config": 8 * 1024,
    "jsonfile": _FILE_BYTES,
    "nodesfile": _FILE_BYTES,
    "invitesfile": _FILE_BYTES,
    "observationsfile": _FILE_BYTES,
}
"""Bytes that reach a target at most; the others get a request's. The owner's config.toml is one of 8 KiB."""


def hostile(target: Target) -> Iterator[tuple[str, bytes]]:
    """(what it is, input) for a target, none longer than its limit."""
    size = LIMITS.get(target.name, limits.REQUEST_BYTES)
    shapes = {Form.JSON: _json, Form.CBOR: _cbor, Form.BYTES: _bytes}[target.form]
    for what, data in (*shapes(size), *_own(target.name, size)):
        yield what, data[:size]
    for seed in target.seeds():
        yield "a seed with a tail", (seed + seed[-1:] * size)[:size]


def _json(size: int) -> Iterator[tuple[str, bytes]]:
    for what, start, unit, end in (
        ("depth", b"", b"[", b""),
        ("depth of objects", b"", b'{"a":', b""),
        ("empty lists", b"[", b"[],", b"[]]"),
        ("empty objects", b"[", b"{},", b"{}]"),
        ("small numbers", b"[", b"0,", b"0]"),
        ("floats", b"[", b"1.1,", b"0]"),
        ("floats that need all digits", b"[", b"1.7976931348623157e308,", b"0]"),
        ("escapes", b'["', b"\\u00e9", b'"]'),
        ("pairs of surrogates", b'["', b"\\ud83d\\ude00", b'"]'),
        ("text of four bytes", b'["', "\U0001f600".encode(), b'"]'),
        ("control characters", b'["', b"\\u0000", b'"]'),
        ("digits", b"", b"9", b""),
        ("digits of a fraction", b"0.", b"1", b""),
        ("digits of an exponent", b"1e", b"9", b""),
        ("a string without an end", b'"', b"\\\\", b""),
        ("white space", b"", b" ", b"0"),
        ("lists in lists", b"[", b"[[[[[[[[[[[[[[[]]]]]]]]]]]]]]],", b"0]"),
    ):
        yield what, _filled(size, start, unit, end)
    yield "members", _members(size, lambda number: f"{number:x}")
    yield "members with equal hashes of their lengths", _members(size, lambda number: f"{number:032x}")


def _cbor(size: int) -> Iterator[tuple[str, bytes]]:
    count = size - 5
    head = (0x80000000 | count).to_bytes(5, "big")
    array, mapping = b"\x9a" + count.to_bytes(4, "big"), b"\xba" + (count // 5).to_bytes(4, "big")
    yield "depth", b"\x81" * size
    yield "depth of maps", b"\xa1\x00" * (size // 2)
    yield "numbers", array + b"\x00" * count
    yield "empty arrays", array + b"\x80" * count
    yield "empty maps", array + b"\xa0" * count
    yield (
        "floats",
        b"\x9a" + (count // 9).to_bytes(4, "big") + b"\xfb\x3f\xf1\x99\x99\x99\x99\x99\x9a" * (count // 9),
    )
    yield "text", b"\x7a" + count.to_bytes(4, "big") + b"\xc3\xa9" * (count // 2)
    yield "bytes", b"\x5a" + count.to_bytes(4, "big") + b"\xff" * count
    keys = b"".join(b"\x63" + f"{number:03x}".encode() + b"\x00" for number in range(min(count // 5, 4096)))
    yield "members", mapping + keys
    yield "tags", b"\xc1" * size
    yield "lengths beyond the end", b"\x9a" + b"\xff" * (size - 1)
    yield "a length of an exbibyte", b"\x5b\x7f" + b"\xff" * 7 + head


def _bytes(size: int) -> Iterator[tuple[str, bytes]]:
    for unit in (
        b"A",
        b"1",
        b"z",
        b" ",
        b"\xff",
        b"\xc3\xa9",
        b"=",
        b'"',
        b"\\",
        b"\n",
        b"-",
        b"a.",
        b"[",
        b"0",
    ):
        yield f"{unit!r} over and over", _filled(size, b"", unit, b"")


def _own(name: str, size: int) -> Iterator[tuple[str, bytes]]:
    """What costs one target more than any shape of its form."""
    if name == "structured-list":
        for unit in (b'"a" ', b'"a";a', b'"', b'"" ', b";a=1", b" "):
            yield f"{unit!r} in the list", _filled(size, b"fed=(", unit, b"")
        yield "parameters", b'fed=("a")' + b"".join(b";a%d=1" % number for number in range(size // 6))
    if name in {"did", "did-url"}:
        for digit in "1z":
            yield f"{digit} over and over", _filled(size, b"did:key:z6Mk", digit.encode(), b"")
    if name == "invite-code":
        yield (
            "members of nothing",
            f"fed1:{base64url.encode(_members(limits.INVITE_BYTES - 8, str))}".encode(),
        )
    if name == "invite-members":
        yield from _invites(size)
    if name.startswith(("state-answer", "snapshot")):
        yield from _states(name)
    if name == "httpsig-request":
        field = b'Signature-Input: fed=("a"' + b";a" * (size // 2)
        yield "a component of many keys", field[:size]
        yield "fields", b"\n".join(b"x%d: 1" % number for number in range(limits.HEADERS))
        yield "a large digest", (httpsig.CONTENT_DIGEST + ": sha-256=:" + "A" * size).encode()
    if name in {"nodesfile", "invitesfile", "observationsfile"}:
        yield from _entries(name, size)
    if name == "config":
        yield "dotted keys", b"".join(b"a.b%d.c=1\n" % number for number in range(size // 12))
        yield "one key of many parts", _filled(size, b"a", b".a", b"=1")
        yield "tables", b"".join(b"[a%d]\n" % number for number in range(size // 9))
        yield "inline tables", _filled(size, b"a=", b"{a=", b"")
        yield "a long string", _filled(size, b'a="""', b'\\"', b'"""')


def _invites(size: int) -> Iterator[tuple[str, bytes]]:
    base = {**invitevectors.members(), "sig": "A" * 86}
    room = size - len(json.dumps(base)) - 32
    for what, unit in (
        ("numbers", "0,"),
        ("escapes", '"\\u0001",'),
        ("objects", '{"b":0,"a":0},'),
        ("lists", "[],"),
    ):
        inside = unit * (room // len(unit))
        yield f"a good code with {what}", (json.dumps(base)[:-1] + f',"x":[{inside}0]}}').encode()
    extra = ",".join(f'"{number:x}":0' for number in range(room // 8))
    yield "a good code with members", (json.dumps(base)[:-1] + f",{extra}}}").encode()


def _states(name: str) -> Iterator[tuple[str, bytes]]:
    if name.endswith("cbor"):
        return
    for what, text in (("ASCII", "x"), ("two bytes", "é"), ("four bytes", "\U00020000")):
        field = text * (limits.APP_FIELD_BYTES // len(text.encode()) - 3)
        apps = [
            {"id": f"{field}{number:03}", "status": field, "version": field}
            for number in range(limits.APPS_PER_STATE)
        ]
        state = {"apps": apps}
        answer = {"epoch": "00" * 8, "seq": 1, "ts": 0, "started": 1, "state": state, "sig": "A" * 86}
        value = answer if name.startswith("state-answer") else state
        yield f"the largest state, {what}", json.dumps(value, ensure_ascii=False).encode()


def _entries(name: str, size: int) -> Iterator[tuple[str, bytes]]:
    seed = json.loads(next(iter(TARGETS[name].seeds())))
    key = next(iter(seed))
    entry = {**seed[key][0], "did": str(did(1))}
    count = size // len(json.dumps(entry))
    yield "equal entries", json.dumps({**seed, key: [entry] * count, "removed": []}).encode()
    many = [
        {"did": str(did(number % 90)), "removed_at": "2026-11-20T08:49:00Z"} for number in range(size // 120)
    ]
    yield "tombstones", json.dumps({**seed, "nodes": [], "removed": many}).encode()


def _filled(size: int, start: bytes, unit: bytes, end: bytes) -> bytes:
    return start + unit * ((size - len(start) - len(end)) // len(unit)) + end


def _members(size: int, name: object) -> bytes:
    pairs: list[str] = []
    room = size - 2
    number = 0
    while room > 0:
        pair = f'"{name(number)}":0'  # type: ignore[operator]
        room -= len(pair) + 1
        number += 1
        if room > 0:
            pairs.append(pair)
    return ("{" + ",".join(pairs) + "}").encode()


def measure(target: Target) -> tuple[float, str, int, bool]:
    """(milliseconds, what, bytes, accepted) of the input that took longest."""
    worst = (0.0, "", 0, False)
    for what, data in hostile(target):
        times: list[float] = []
        accepted = False
        for _ in range(3):
            begun = time.perf_counter()
            accepted = target.read(data)
            times.append((time.perf_counter() - begun) * 1000)
        worst = max(worst, (min(times), what, len(data), accepted))
    return worst


def main() -> None:
    """Print one line per target."""
    for name in sys.argv[1:] or TARGETS:
        milliseconds, what, size, accepted = measure(TARGETS[name])
        verdict = "accepted" if accepted else "refused"
        print(f"worst: {name:26} {milliseconds:9.2f} ms  {size:>8} bytes  {verdict:8}  {what}", flush=True)


if __name__ == "__main__":
    main()
