"""Makes the vectors of streams, deterministically. Run: python -m tests.support.streamvectors

`streamsig.json` has signed requests (`headers`) and signed openings (`opening`), `stream.json` the small
texts and messages; each row has `name` and `expect` ("ok" or the error's word).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final

from enigma_fed.base import limits
from enigma_fed.wire import streamsig
from enigma_fed.wire.state import Have
from tests.support.formatvectors import FOLDER, Row
from tests.support.identities import did, key
from tests.support.streamcalls import handshake_key

WALL: Final = 1_800_000_000
EPOCH: Final = bytes(range(8))
REQUEST_SIGNATURE: Final = f"fed=:{'A' * 86}==:"
_NONCE: Final = "AAECAwQFBgcICQoLDA0ODw"
_HAVE: Final = Have(EPOCH, 41)
Pairs = list[list[str]]


def _request(number: int = 1, receiver: int = 3, **changes: Any) -> dict[str, str]:
    said = {"have": None, "created": WALL, "nonce": _NONCE, "key": handshake_key(0), **changes}
    signer = key(number)
    signed = streamsig.sign_request(signer.sign, keyid=signer.did.url, audience=str(did(receiver)), **said)
    return {"Sec-WebSocket-Key": said["key"], **signed}


def _without(fields: dict[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in fields.items() if name not in names}


def _input(fields: dict[str, str], old: str, new: str) -> dict[str, str]:
    said = fields["Signature-Input"]
    assert old in said
    return {**fields, "Signature-Input": said.replace(old, new)}


def _requests() -> list[tuple[str, Pairs, str]]:
    good, going_on = _request(), _request(have=_HAVE)
    other_key = {"Sec-WebSocket-Key": handshake_key(1)}
    cases: dict[str, tuple[dict[str, str], str]] = {
        "the first stream, as our subscriber signs it": (good, "ok"),
        "to go on from a state": (going_on, "ok"),
        "alg named": (_input(good, ";tag", ';alg="ed25519";tag'), "bad-signature"),
        "no signature": (_without(good, "Signature", "Signature-Input"), "unsigned"),
        "no signature input": (_without(good, "Signature-Input"), "unsigned"),
        "no audience": (_without(good, "Federation-Audience"), "malformed"),
        "no handshake key": (_without(good, "Sec-WebSocket-Key"), "malformed"),
        "another handshake key than the signed one": ({**good, **other_key}, "bad-signature"),
        "a handshake key of 15 bytes": ({**good, "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAA"}, "malformed"),
        "a handshake key with stray bits": (
            {**good, "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAB=="},
            "malformed",
        ),
        "a handshake key that is no base64": ({**good, "Sec-WebSocket-Key": "?" * 24}, "malformed"),
        "the handshake key not covered": (_input(good, ' "sec-websocket-key"', ""), "malformed"),
        "the method not covered": (_input(good, '"@method" ', ""), "malformed"),
        "a content type covered": (_input(good, '"@path"', '"@path" "content-type"'), "malformed"),
        "a state that is not covered": (
            {**good, "Federation-Have": going_on["Federation-Have"]},
            "malformed",
        ),
        "a covered state that is absent": (_without(going_on, "Federation-Have"), "malformed"),
        "another state than the signed one": (
            {**going_on, "Federation-Have": "0001020304050607:40"},
            "bad-signature",
        ),
        "a state in capitals": ({**going_on, "Federation-Have": "000102030405060A:41"}, "malformed"),
        "a challenge that is not covered": ({**good, "Federation-Challenge": "x"}, "malformed"),
        "a challenge that nobody issued": (_request(challenge="x"), "bad-challenge"),
        "the tag of replies": (_input(good, '"enigma-fed"', '"enigma-fed-reply"'), "malformed"),
        "lives 61 seconds": (_input(good, f"={WALL + 60}", f"={WALL + 61}"), "malformed"),
        "meant for another node": (_request(receiver=2), "wrong-audience"),
        "created 61 seconds ago": (_request(created=WALL - 61), "stale"),
        "the end exchanged after signing": (_input(good, f"={WALL + 60}", f"={WALL + 59}"), "bad-signature"),
        "of nobody that is known here": (_request(number=9), "unknown-peer"),
        "of a member in the name of another": (
            _input(good, did(1).url, did(2).url),
            "bad-signature",
        ),
    }
    rows = [
        (name, [list(pair) for pair in fields.items()], expect) for name, (fields, expect) in cases.items()
    ]
    for name in ("Sec-WebSocket-Key", "Federation-Have", "Signature", "Federation-Audience"):
        twice = [*going_on.items(), (name, going_on[name])]
        rows.append((f"{name} twice", [list(pair) for pair in twice], "malformed"))
    return rows


def _opening(**changes: Any) -> dict[str, str]:
    said = {"epoch": EPOCH, "request_signature": REQUEST_SIGNATURE, "created": WALL, **changes}
    return streamsig.sign_opening(key(3).sign, keyid=did(3).url, **said)


def _openings() -> list[tuple[str, dict[str, str], str]]:
    good = _opening()
    other = f"fed=:{'B' * 85}A==:"
    return [
        ("as our publisher signs it", good, "ok"),
        ("unsigned", _without(good, "Signature", "Signature-Input"), "unsigned"),
        ("no epoch", _without(good, "Federation-Epoch"), "malformed"),
        ("an epoch of 7 bytes", {**good, "Federation-Epoch": "00010203040506"}, "malformed"),
        ("an epoch in capitals", {**good, "Federation-Epoch": "000102030405060A"}, "malformed"),
        ("another epoch than the signed one", {**good, "Federation-Epoch": "00" * 8}, "bad-signature"),
        ("of another request", _opening(request_signature=other), "bad-signature"),
        ("the epoch not covered", _input(good, ' "federation-epoch"', ""), "malformed"),
        ("the request not covered", _input(good, ' "signature";req', ""), "malformed"),
        ("the tag of requests", _input(good, "enigma-fed-reply", "enigma-fed"), "malformed"),
    ]


def signatures() -> list[Row]:
    """Requests as `headers`, openings as `opening` beside the request's field `Signature`."""
    requests = [
        {
            "name": name,
            "headers": headers,
            "wall": WALL,
            "receiver": str(did(3)),
            "members": [str(did(1)), str(did(2))],
            "expect": expect,
        }
        for name, headers, expect in _requests()
    ]
    openings = [
        {
            "name": name,
            "opening": [list(pair) for pair in fields.items()],
            "request_signature": REQUEST_SIGNATURE,
            "publisher": str(did(3)),
            "epoch": EPOCH.hex(),
            "expect": expect,
        }
        for name, fields, expect in _openings()
    ]
    return [*requests, *openings]


def messages() -> list[Row]:
    """`kind` have: a field's text; ack: a message's bytes; frames: what a subscriber's connection brings."""
    most = limits.INTEGER_MAX
    haves = {
        "0001020304050607:0": "ok",
        f"ffffffffffffffff:{most}": "ok",
        f"ffffffffffffffff:{most + 1}": "malformed",
        "0001020304050607:01": "malformed",
        "0001020304050607:-1": "malformed",
        "0001020304050607": "malformed",
        "000102030405060A:1": "malformed",
        "00010203040506:1": "malformed",
        "0001020304050607:1 ": "malformed",
        "0001020304050607:\u0661": "malformed",
        "": "malformed",
    }
    acks = {
        "a10001": ("of 1", "ok"),
        "a1001b001fffffffffffff": ("of 2^53 - 1", "ok"),
        "a1001b0020000000000000": ("of 2^53", "malformed"),
        "a1001801": ("not in its shortest form", "malformed"),
        "a10020": ("of minus one", "malformed"),
        "a100f5": ("of true", "malformed"),
        "a10101": ("another key", "malformed"),
        "a200010102": ("a second member", "malformed"),
        "01": ("a bare number", "malformed"),
        "a0": ("nothing", "malformed"),
        "": ("empty", "malformed"),
        "a1005840" + "00" * 64: ("too long", "malformed"),
    }
    masked = "8283" + "01020304" + "a00203"
    frames = {
        masked: ("an acknowledgement", "ok"),
        masked * 3: ("three at once", "ok"),
        "8980" + "01020304": ("an empty ping", "ok"),
        "8880" + "01020304": ("a close", "ok"),
        "82c0" + "00000000" + "00" * 64: ("64 bytes", "ok"),
        "82c1" + "00000000" + "00" * 65: ("65 bytes", "malformed"),
        "8203a10001": ("not masked", "malformed"),
        "8183" + "01020304" + "a00203": ("text", "malformed"),
        "0283" + "01020304" + "a00203": ("the first piece of a message", "malformed"),
        "8083" + "01020304" + "a00203": ("a piece that goes on", "malformed"),
        "c283" + "01020304" + "a00203": ("compressed", "malformed"),
        "8a80" + "01020304": ("a pong", "malformed"),
        "8b80" + "01020304": ("an unknown kind", "malformed"),
        "0980" + "01020304": ("a ping in pieces", "malformed"),
        "82fe0003" + "01020304" + "a00203": ("a length in two bytes", "malformed"),
        "82ff" + "7fffffffffffffff" + "01020304": ("a length of eight exbibytes", "malformed"),
    }
    return [
        *({"name": f"have {t!r}", "kind": "have", "input": t, "expect": e} for t, e in haves.items()),
        *({"name": f"ack: {n}", "kind": "ack", "hex": h, "expect": e} for h, (n, e) in acks.items()),
        *({"name": f"frames: {n}", "kind": "frames", "hex": h, "expect": e} for h, (n, e) in frames.items()),
    ]


FILES: Final[dict[str, Callable[[], list[Row]]]] = {"streamsig": signatures, "stream": messages}


def main() -> None:
    """Write the files."""
    for name, make in FILES.items():
        text = json.dumps(make(), indent=1, ensure_ascii=True) + "\n"
        (FOLDER / f"{name}.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
