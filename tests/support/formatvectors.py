"""Makes the vectors of the small formats, deterministically. Run: python -m tests.support.formatvectors

Each row: `name`, `input` (`hex` where it is bytes), `expect` ("ok" or the error's word) and what it means.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from enigma_fed.wire import pem
from tests.support.identities import did, key, onion

FOLDER: Final = Path(__file__).parents[1] / "vectors"
Row = dict[str, Any]
_ORDER: Final = 2**252 + 27742317777372353535851937790883648493
_IDENTITY: Final = "01" + "00" * 31
_SMALL_ORDER: Final = {
    "the neutral point": _IDENTITY,
    "a point of order 4": "00" * 32,
    "a point of order 2": "ec" + "ff" * 30 + "7f",
    "a point of order 8": "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
    "the neutral point, not canonical": "ee" + "ff" * 30 + "7f",
    "the neutral point with a sign, not canonical": "01" + "00" * 30 + "80",
    "a point of order 4, not canonical": "ed" + "ff" * 30 + "7f",
}


def signatures() -> list[Row]:
    """Ed25519: key, message and signature, all hex."""
    message = b"enigma-fed/state/v1\n"
    good, public = key(1).sign(message), did(1).public_key.hex()
    larger = (int.from_bytes(good[32:], "little") + _ORDER).to_bytes(32, "little")
    rows = [
        ("as we sign", public, message, good.hex(), "ok"),
        ("another message", public, b"other", good.hex(), "bad-signature"),
        ("another key", did(2).public_key.hex(), message, good.hex(), "bad-signature"),
        ("scalar plus the group's order", public, message, (good[:32] + larger).hex(), "bad-signature"),
        ("commitment not canonical", public, message, "ee" + "ff" * 30 + "7f" + "00" * 32, "bad-signature"),
        ("one byte short", public, message, good.hex()[:-2], "bad-signature"),
        (
            "last byte of the signature in the message",
            public,
            good[63:] + message,
            good.hex()[:-2],
            "bad-signature",
        ),
        (
            "first byte of the message in the signature",
            public,
            message[1:],
            (good + message[:1]).hex(),
            "bad-signature",
        ),
        ("empty", public, message, "", "bad-signature"),
        # OpenSSL accepts this one for any message: R is the neutral point and S is 0.
        ("forged under did:key:z6MkeXATEjyX…", _IDENTITY, message, _IDENTITY + "00" * 32, "bad-signature"),
    ]
    rows += [
        (f"key is {name}", point, b"any", _IDENTITY + "00" * 32, "bad-signature")
        for name, point in _SMALL_ORDER.items()
    ]
    names = ("name", "public_key", "message", "signature", "expect")
    return [dict(zip(names, (n, k, m.hex(), s, e), strict=True)) for n, k, m, s, e in rows]


def cbor() -> list[Row]:
    """Deterministic CBOR; what is accepted encodes to the same bytes."""
    accepted = {
        "zero": "00",
        "the largest small integer": "17",
        "the smallest with a byte": "1818",
        "minus one": "20",
        "2^53 - 1": "1b001fffffffffffff",
        "a half float": "f93c00",
        "a double": "fb3ff199999999999a",
        "text": "62c3bc",
        "bytes": "4401020304",
        "null": "f6",
        "a map of numbers": "a201020304",
        "keys by their bytes": "a300001701181802",
        "eight levels": "818181818181818101",
    }
    refused = {
        "nothing": "",
        "an integer in two forms": "1801",
        "a float in two forms": "fb3ff0000000000000",
        "keys out of order": "a2616201616102",
        "a key twice": "a201010102",
        "keys of two kinds": "a20101616102",
        "a negative key": "a12001",
        "an array without a length": "9f01ff",
        "a map without a length": "bf616101ff",
        "text without a length": "7f6161ff",
        "a date": "c11a514b67b0",
        "a large number": "c249010000000000000000",
        "a decimal with a huge exponent": "c4821b7fffffffffffffff01",
        "a shared value": "d81c01",
        "a value that contains itself": "d81c81d81d00",
        "undefined": "f7",
        "a simple value": "e0",
        "infinity": "f97c00",
        "not a number": "f97e00",
        "2^53": "1b0020000000000000",
        "-2^53": "3b001fffffffffffff",
        "broken UTF-8": "62c328",
        "half a character": "63eda080",
        "two values": "0102",
        "a length of an exbibyte": "9b7fffffffffffffff",
        "nine levels": "81818181818181818101",
        "an empty array on the ninth level": "818181818181818180",
        "cut off": "4401",
    }
    return [
        *({"name": n, "hex": data, "expect": "ok"} for n, data in accepted.items()),
        *({"name": n, "hex": data, "expect": "malformed"} for n, data in refused.items()),
    ]


def calls() -> list[Row]:
    """Bodies of requests, as JSON text or CBOR in hex."""
    good = '{"jsonrpc":"2.0","id":1,"method":"federation.get-state","params":{"have":null}}'
    texts = [
        ("a call", good, "ok"),
        ("an id of text", good.replace("1,", '"x",'), "ok"),
        ("a notification", '{"jsonrpc":"2.0","method":"federation.get-state"}', "ok"),
        ("of the Rust agent", '{"method":"federation.get-state","params":{}}', "ok"),
        ("nothing", "", "parse-error"),
        ("a member twice", '{"id":1,"id":1}', "parse-error"),
        ("NaN", '{"id":NaN}', "parse-error"),
        ("a number beyond 2^53", good.replace("1,", "9007199254740992,"), "parse-error"),
        ("too deep", "[" * 17 + "]" * 17, "parse-error"),
        ("a batch", f"[{good}]", "invalid-request"),
        ("a text", '"x"', "invalid-request"),
        ("another version", good.replace("2.0", "1.0"), "invalid-request"),
        ("an id without a version", '{"id":1,"method":"m"}', "invalid-request"),
        ("no method", '{"jsonrpc":"2.0","id":1}', "invalid-request"),
        ("an empty method", '{"jsonrpc":"2.0","id":1,"method":""}', "invalid-request"),
        ("a method of 129 characters", f'{{"method":"{"m" * 129}"}}', "invalid-request"),
        ("an id that is true", good.replace("1,", "true,"), "invalid-request"),
        ("an id with a fraction", good.replace("1,", "1.5,"), "invalid-request"),
        ("an id of 129 characters", good.replace("1,", f'"{"x" * 129}",'), "invalid-request"),
        ("params in a list", good.replace('{"have":null}', "[]"), "invalid-params"),
        ("params null", good.replace('{"have":null}', "null"), "invalid-params"),
    ]
    binary = [
        ("a call", "a462696401666d6574686f64616d66706172616d73a0676a736f6e72706363322e30", "ok"),
        ("keys out of order", "a2666d6574686f64616d62696401", "parse-error"),
        ("a tag", "c1a0", "parse-error"),
        ("a batch", "80", "invalid-request"),
        ("bytes as method", "a1666d6574686f64416d", "invalid-request"),
    ]
    return [
        *({"name": n, "form": "application/json", "input": text, "expect": e} for n, text, e in texts),
        *({"name": n, "form": "application/cbor", "hex": data, "expect": e} for n, data, e in binary),
    ]


def times() -> list[Row]:
    """RFC 3339 times and their Unix seconds."""
    read = {
        "1970-01-01T00:00:00Z": 0, "2026-11-20T08:49:00Z": 1795164540,
        "2026-11-20T08:49:00.123456789+00:00": 1795164540, "2026-11-20t09:49:00.9+01:00": 1795164540,
        "2026-11-20 04:19:00-04:30": 1795164540, "2016-12-31T23:59:60Z": 1483228800,
        "9999-12-31T23:59:59Z": 253402300799,
    }  # fmt: skip
    refused = (
        *("", "2026-11-20", "2026-11-20T08:49:00", "2026-11-20T08:49Z", "2026-02-30T00:00:00Z"),
        *("2026-11-20T24:00:00Z", "2026-11-20T08:49:61Z", "2026-11-20T08:49:00.Z", "1969-12-31T23:59:59Z"),
        *("2026-11-20T08:49:00.1234567890Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59-01:00"),
        *("2026-11-20T08:49:00+99:99", " 2026-11-20T08:49:00Z", "\u0662026-11-20T08:49:00Z", "1795164540"),
    )
    return [
        *({"name": text, "input": text, "expect": "ok", "unix": unix} for text, unix in read.items()),
        *({"name": text or "empty", "input": text, "expect": "malformed"} for text in refused),
    ]


def fields() -> list[Row]:
    """Header fields: `kind` list (label `fed`), bytes (64 of them, label `fed`) or digest."""
    digest = "sha-256=:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=:"
    lists = {
        'fed=("@method" "signature";req);created=1;keyid="x"': "ok",
        "fed=()": "ok",
        'fed=( "a"  "b" ); x=-1': "ok",
        'fed=("a" "a")': "malformed",
        'fed=("a");x=1;x=1': "malformed",
        'fed=("a");x=01': "malformed",
        'fed=("a");x=1.5': "malformed",
        'fed=("a");x=token': "malformed",
        'fed=("a\\"b")': "malformed",
        'fed=("é")': "malformed",
        'fed=("a""b")': "malformed",
        'fed=("a"), more=("b")': "malformed",
        'sig=("a")': "malformed",
        'fed=("a")\n': "malformed",
        'fed=("a"': "malformed",
    }
    octets = {
        f"fed=:{'A' * 86}==:": "ok",
        f"fed=:{'A' * 85}B==:": "malformed",
        f"fed=:{'A' * 86}:": "malformed",
        f"fed={'A' * 86}==": "malformed",
        "fed=:AA==:": "malformed",
        f"fed=:{'-' * 86}==:": "malformed",
        f"sig=:{'A' * 86}==:": "malformed",
        f"fed=:{'A' * 86}==:;x": "malformed",
    }
    digests = {
        digest: "ok",
        digest.replace("U=:", "V=:"): "malformed",
        digest.replace("256", "512"): "malformed",
        f"{digest}, sha-512=:AA==:": "malformed",
        digest.upper(): "malformed",
        "": "malformed",
    }
    kinds = (("list", lists), ("bytes", octets), ("digest", digests))
    return [
        {"name": f"{kind}: {text}", "kind": kind, "input": text, "expect": expect}
        for kind, texts in kinds
        for text, expect in texts.items()
    ]


def keys() -> list[Row]:
    """Key files (PKCS#8 PEM of an Ed25519 seed)."""
    good = pem.encode_seed(bytes(range(32))).decode()
    x25519 = good.replace("MC4CAQAwBQYDK2VwBCIEI", "MC4CAQAwBQYDK2VuBCIEI")
    texts = {
        "as we write it": good,
        "line ends of another system": good.replace("\n", "\r\n"),
        "empty": "",
        "nothing between the lines": "-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----\n",
        "cut off": good[:-30],
        "an X25519 key": x25519,
        "a public key": good.replace("PRIVATE", "PUBLIC"),
        "superfluous padding": good.replace("\n-----END", "==\n-----END"),
        "two lines": good.replace("BCIE", "BC\nIE"),
        "no base64": good.replace("M", "?", 1),
    }
    read = ("as we write it", "line ends of another system")
    return [
        {"name": name, "input": text, "expect": "ok", "seed": bytes(range(32)).hex()}
        if name in read
        else {"name": name, "input": text, "expect": "malformed"}
        for name, text in texts.items()
    ]


FILES: Final[dict[str, Callable[[], list[Row]]]] = {
    "signature": signatures,
    "cbor": cbor,
    "call": calls,
    "time": times,
    "field": fields,
    "key": keys,
}


def peer(number: int, **changes: Any) -> Row:
    """Members that name a node, some changed; a value of `...` takes one out."""
    members = {
        "did": str(did(number)),
        "pubkey": did(number).public_key.hex(),
        "onion": str(onion(number)),
        **changes,
    }
    return {name: value for name, value in members.items() if value is not ...}


def write() -> None:
    """Write every file."""
    from tests.support.filevectors import FILES as MEMBERSHIP
    from tests.support.registryvectors import FILES as REGISTRY

    for name, rows in (FILES | MEMBERSHIP | REGISTRY).items():
        text = json.dumps(rows(), indent=1, ensure_ascii=True) + "\n"
        (FOLDER / f"{name}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    write()
