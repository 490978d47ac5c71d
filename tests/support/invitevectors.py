"""Makes tests/vectors/invite.json, deterministically. Run: python -m tests.support.invitevectors"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from enigma_fed.wire import base64url, invite
from enigma_fed.wire.records import TrustLevel
from tests.support.identities import did, key, onion

PATH = Path(__file__).parents[1] / "vectors" / "invite.json"
IAT, EXP = 1_800_000_000, 1_800_086_400
TOKEN = bytes(range(16))


def members(**changes: Any) -> dict[str, object]:
    """The members of a good invite of node 1, some changed; a value of `...` takes a member out."""
    draft = invite.draft(did(1), onion(1), TOKEN, TrustLevel.OBSERVER, IAT, EXP, "attic")
    changed = {**draft.members, **{name.rstrip("_"): value for name, value in changes.items()}}
    return {name: value for name, value in changed.items() if value is not ...}


def signed(**changes: Any) -> str:
    """Its code, signed by node 1."""
    draft = invite.InviteDraft(members(**changes))
    return draft.seal(key(1).sign(draft.signing_input))


def raw(text: str | bytes) -> str:
    """A code of any bytes."""
    return invite.PREFIX + base64url.encode(text.encode() if isinstance(text, str) else text)


def plain(obj: object) -> str:
    """A code of any JSON value."""
    return raw(json.dumps(obj, separators=(",", ":")))


def _tampered() -> str:
    said = json.loads(base64url.decode(signed().removeprefix(invite.PREFIX)))
    return plain({**said, "scope": "trusted"})


def _rust() -> str:
    return plain({name: members()[name] for name in ("did", "onion", "pubkey", "token")})


def _whole() -> list[tuple[str, str, str, str]]:
    good = signed()
    return [
        ("as we make it", good, "ok", ""),
        ("white space around it", f"  {good}\n", "ok", ""),
        (
            "trusted, with LAN addresses",
            signed(scope="trusted", lan=["192.168.1.5:8787", "[fd00::1]:80"]),
            "ok",
            "",
        ),
        ("unknown members are covered", signed(future={"a": [1, "x", None]}), "ok", ""),
        ("for a certain node", signed(for_=str(did(2))), "ok", ""),
        ("of the Rust agent", _rust(), "invite-unsigned", ""),
        ("changed after signing", _tampered(), "invite-tampered", ""),
        ("signed by another key", by_another_key(), "invite-tampered", ""),
        ("empty", "", "invite-malformed", "fed1:"),
        ("another prefix", good.replace("fed1:", "fed2:"), "invite-malformed", "fed1:"),
        ("prefix alone", "fed1:", "invite-malformed", ""),
        ("padding", good + "=", "invite-malformed", ""),
        ("standard base64", "fed1:+/+/", "invite-malformed", ""),
        ("stray bits at the end", raw(b"{}")[:-1] + "1", "invite-malformed", ""),
        ("cut off", good[:-7], "invite-malformed", ""),
        ("white space inside", good[:50] + " " + good[50:], "invite-malformed", ""),
        ("not JSON", raw("hello"), "invite-malformed", ""),
        ("not UTF-8", raw(b"\xff\xfe{}"), "invite-malformed", ""),
        ("a list", plain([]), "invite-malformed", ""),
        ("a member twice", raw('{"did":"a","did":"b"}'), "invite-malformed", "twice"),
        ("NaN", raw('{"iat":NaN}'), "invite-malformed", ""),
        ("nested too deeply", raw('{"a":' + "[" * 40 + "]" * 40 + "}"), "invite-malformed", ""),
        ("8 KiB and one byte", raw(b"{" + b" " * 8191 + b"}"), "invite-too-large", ""),
        ("far too large", "fed1:" + "A" * 100_000, "invite-too-large", ""),
    ]


def _members() -> list[tuple[str, str, str, str]]:
    return [
        ("no did", signed(did=...), "invite-malformed", "did"),
        ("did of another method", signed(did="did:web:example.org"), "invite-malformed", "did"),
        ("did is a number", signed(did=5), "invite-malformed", "did"),
        ("no onion", signed(onion=...), "invite-malformed", "onion"),
        ("onion without suffix", signed(onion=str(onion(1))[:56]), "invite-malformed", "onion"),
        ("onion in upper case", signed(onion=str(onion(1)).upper()), "invite-malformed", "onion"),
        ("onion that is an address", signed(onion="127.0.0.1:80/x?.onion"), "invite-malformed", "onion"),
        ("onion with a port", signed(onion=str(onion(1)) + ":80"), "invite-malformed", "onion"),
        ("onion with a wrong checksum", signed(onion=_other_checksum()), "invite-malformed", "onion"),
        ("no pubkey", signed(pubkey=...), "invite-malformed", "pubkey"),
        ("pubkey of another node", signed(pubkey=did(2).public_key.hex()), "invite-malformed", "pubkey"),
        (
            "pubkey in upper case",
            signed(pubkey=did(1).public_key.hex().upper()),
            "invite-malformed",
            "pubkey",
        ),
        ("no token", signed(token=...), "invite-malformed", "token"),
        ("token too short", signed(token="00" * 15), "invite-malformed", "token"),
        ("token in upper case", signed(token="AA" * 16), "invite-malformed", "token"),
        ("no version", signed(v=...), "invite-malformed", "v"),
        ("version 2", signed(v=2), "invite-malformed", "v"),
        ("version true", signed(v=True), "invite-malformed", "v"),
        ("no expiry", signed(exp=...), "invite-malformed", "exp"),
        ("expiry with a fraction", _fraction(), "invite-malformed", "exp"),
        ("expiry as text", signed(exp="tomorrow"), "invite-malformed", "exp"),
        ("expiry before the start", signed(exp=IAT), "invite-malformed", "exp"),
        ("expiry beyond the year 9999", signed(exp=253402300800), "invite-malformed", "exp"),
        ("expiry beyond 2^53", raw('{"exp":9007199254740992}'), "invite-malformed", ""),
        ("negative start", signed(iat=-1), "invite-malformed", "iat"),
        ("scope nobody may give", signed(scope="untrusted"), "invite-malformed", "scope"),
        ("unknown scope", signed(scope="admin"), "invite-malformed", "scope"),
        ("name with an escape sequence", signed(name="a\x1b[2Jb"), "invite-malformed", "name"),
        ("name too long", signed(name="x" * 65), "invite-malformed", "name"),
        ("lan is no list", signed(lan="192.168.1.5:80"), "invite-malformed", "lan"),
        ("lan with a number", signed(lan=[8787]), "invite-malformed", "lan"),
        ("lan with a host name", signed(lan=["example.org:80"]), "invite-malformed", "lan"),
        ("lan without port", signed(lan=["192.168.1.5"]), "invite-malformed", "lan"),
        ("lan with port 0", signed(lan=["192.168.1.5:0"]), "invite-malformed", "lan"),
        ("nine lan addresses", signed(lan=["192.168.1.5:80"] * 9), "invite-malformed", "lan"),
        ("for nobody", signed(for_="somebody"), "invite-malformed", "for"),
        ("signature too short", plain({**members(), "sig": "AAAA"}), "invite-malformed", "sig"),
        ("signature with padding", plain({**members(), "sig": "A" * 86 + "=="}), "invite-malformed", "sig"),
    ]


def rows() -> list[dict[str, str]]:
    """Every vector: name, input, expected result ("ok" or an error's code), and the field it names."""
    return [{"name": n, "input": i, "expect": e, "field": f} for n, i, e, f in (*_whole(), *_members())]


def by_another_key() -> str:
    """A code of node 1 that node 2 signed."""
    draft = invite.InviteDraft(members())
    return draft.seal(key(2).sign(draft.signing_input))


def _other_checksum() -> str:
    text = str(onion(1))
    return text[:51] + ("a" if text[51] != "a" else "b") + text[52:]


def _fraction() -> str:
    said = members()
    return raw(
        json.dumps({**said, "exp": 0.0, "sig": "A" * 86}, separators=(",", ":")).replace("0.0", f"{EXP}.0")
    )


if __name__ == "__main__":
    PATH.write_text(json.dumps(rows(), indent=1, ensure_ascii=True) + "\n", encoding="utf-8")
