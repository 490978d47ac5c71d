"""The vectors of nodes.json, invites.json and joins; `tests.support.formatvectors` writes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from tests.support.formatvectors import Row, peer
from tests.support.identities import did, key, onion

_AT: Final = "2026-11-20T08:49:00Z"
_HASH: Final = "ab" * 32


def _node(number: int = 1, **changes: Any) -> Row:
    rest = {
        "name": "attic",
        "trust_level": "observer",
        "added_at": _AT,
        "stage": "confirmed",
        "stage_at": _AT,
    }
    return peer(number, **{**rest, **changes})


def _bad_identity() -> dict[str, Row]:
    """What is no node (invariant 4), in any object that names one."""
    return {
        "key of another DID": {"pubkey": did(2).public_key.hex()},
        "key in upper case": {"pubkey": did(1).public_key.hex().upper()},
        "no key": {"pubkey": ...},
        "DID of the neutral point": {
            "did": "did:key:z6MkeXATEjyXENzBXBxgC5EHk2JE5aqd7qMGGtDpLUH1e2Sj",
            "pubkey": "01" + "00" * 31,
        },
        "DID of another method": {"did": "did:web:example.org"},
        "DID is a number": {"did": 7},
        "host name as onion": {"onion": "example.org"},
        "loopback as onion": {"onion": "127.0.0.1:80/x?.onion"},
        "onion with a port": {"onion": f"{onion(1)}:80"},
        "onion in upper case": {"onion": str(onion(1)).upper()},
        "onion with a wrong checksum": {"onion": str(onion(1)).replace(str(onion(1))[:4], "aaaa", 1)},
        "no onion": {"onion": ...},
    }


def nodes() -> list[Row]:
    """nodes.json: the file's members, the DIDs that are peers then, and how many entries are kept as text."""
    good = _node()
    rust = _node(2, name=None, added_at="2026-03-10T12:00:00.123456789+00:00", stage=..., stage_at=...)
    kept = {
        **_bad_identity(),
        "unknown trust": {"trust_level": "root"},
        "no trust": {"trust_level": ...},
        "time that is none": {"added_at": "yesterday"},
        "unknown stage": {"stage": "half"},
        "token hash too short": {"joined_with": ["00"]},
        "paused is no boolean": {"paused": "yes"},
        "unknown granted trust": {"granted_trust": "root"},
        "unknown role": {"joined_as": "guest"},
    }
    whole = [
        ("no peers", {"nodes": []}, [], 0),
        ("a peer of ours and one of the Rust agent", {"nodes": [good, rust]}, [good["did"], rust["did"]], 0),
        ("onion without its suffix", {"nodes": [{**good, "onion": str(onion(1))[:56]}]}, [good["did"]], 0),
        ("a name that deceives is left out", {"nodes": [{**good, "name": "a\u202eb"}]}, [good["did"]], 0),
        (
            "a state without sense is left out",
            {"nodes": [{**good, "last_state": {"apps": 1}}]},
            [good["did"]],
            0,
        ),
        (
            "a window that is none is left out",
            {"nodes": [{**good, "offline_windows": ["23:00-07:00", "23-7", 7]}]},
            [good["did"]],
            0,
        ),
        ("a DID twice", {"nodes": [good, {**good, "trust_level": "trusted"}]}, [good["did"]], 1),
        ("an entry that is a number", {"nodes": [10**30, good]}, [good["did"]], 1),
    ]
    refused = {
        "no list of nodes": {},
        "nodes is null": {"nodes": None},
        "nodes is an object": {"nodes": {}},
        "a tombstone without sense": {"nodes": [], "removed": [{}]},
        "a tombstone of a member": {"nodes": [good], "removed": [{"did": good["did"], "removed_at": _AT}]},
        "invalid holds no text": {"nodes": [], "invalid": [1]},
    }
    return [
        *({"name": n, "input": i, "expect": "ok", "peers": p, "kept": k} for n, i, p, k in whole),
        *(
            {
                "name": n,
                "input": {"nodes": [_node(**c), _node(3)]},
                "expect": "ok",
                "peers": [str(did(3))],
                "kept": 1,
            }
            for n, c in kept.items()
        ),
        *({"name": n, "input": i, "expect": "malformed"} for n, i in refused.items()),
    ]


def invites() -> list[Row]:
    """invites.json: the file's members, how many entries of each list are read, how many are kept as text."""
    common = {"token_hash": _HASH, "created_at": _AT, "expires_at": _AT, "stage_at": _AT}
    outgoing = peer(9, **common, code="fed1:x", scope="observer", stage="created")
    incoming = peer(1, **common, code="fed1:x", trust_level="observer", stage="accepted-here", attempts=0)
    pending = peer(2, token_hash=_HASH, scope="observer", received_at=_AT, late=True, name=None)
    empty: Row = {"outgoing": [], "incoming": []}

    def read(name: str, changes: Row, counts: tuple[int, int, int], kept: int) -> Row:
        return {
            "name": name,
            "input": {**empty, **changes},
            "expect": "ok",
            "counts": list(counts),
            "kept": kept,
        }

    bad = {
        **_bad_identity(),
        "token hash too short": {"token_hash": "ab" * 31},
        "unknown stage": {"stage": "half"},
        "expiry that is no time": {"expires_at": 1795164540},
        "used by nobody": {"used_by": "somebody"},
    }
    return [
        read("nothing", {}, (0, 0, 0), 0),
        read(
            "one of each",
            {"outgoing": [outgoing], "incoming": [incoming], "pending": [pending]},
            (1, 1, 1),
            0,
        ),
        read("an incoming that ended", {"incoming": [{**incoming, "ended_by": "removal"}]}, (0, 1, 0), 0),
        read("an incoming that ended somehow", {"incoming": [{**incoming, "ended_by": "?"}]}, (0, 0, 0), 1),
        read("an incoming without attempts", {"incoming": [{**incoming, "attempts": -1}]}, (0, 0, 0), 1),
        read("a pending of untold scope", {"pending": [{**pending, "scope": "admin"}]}, (0, 0, 0), 1),
        read(
            "a code of the Rust agent cut off",
            {"outgoing": [{"code": "fed1:e30", "created_at": _AT}]},
            (0, 0, 0),
            1,
        ),
        read("an accepted code without a time", {"incoming": [{"code": "fed1:e30"}]}, (0, 0, 0), 1),
        read("an entry that is a list", {"outgoing": [[]]}, (0, 0, 0), 1),
        *(read(name, {"outgoing": [changed(outgoing, c)]}, (0, 0, 0), 1) for name, c in bad.items()),
        {"name": "no incoming", "input": {"outgoing": []}, "expect": "malformed"},
        {"name": "no outgoing", "input": {"incoming": []}, "expect": "malformed"},
        {"name": "a list that is an object", "input": {**empty, "incoming": {}}, "expect": "malformed"},
        {"name": "invalid holds no text", "input": {**empty, "invalid": [1]}, "expect": "malformed"},
    ]


def changed(members: Row, changes: Row) -> Row:
    """Some members changed; a value of `...` takes one out."""
    return {name: value for name, value in {**members, **changes}.items() if value is not ...}


def joins() -> list[Row]:
    """Parameters of `federation.peer-joined`; `field` is the member that the error names."""
    message = f"peer-joined:{did(1)}:{onion(1)}:{did(1).public_key.hex()}"
    good = peer(1, token="ab" * 16, signature=key(1).sign(message.encode()).hex(), name="attic")
    refused = {
        **_bad_identity(),
        "no token": {"token": ...},
        "token in upper case": {"token": "AB" * 16},
        "token too long": {"token": "ab" * 17},
        "signature too short": {"signature": "ab" * 63},
        "signature in base64": {"signature": "A" * 86},
        "name with an escape sequence": {"name": "a\x1b[2J"},
    }
    return [
        {"name": "as we send it", "input": good, "expect": "ok"},
        {"name": "without a name", "input": changed(good, {"name": ...}), "expect": "ok"},
        {"name": "with members that we do not know", "input": {**good, "future": [1]}, "expect": "ok"},
        *(
            {"name": n, "input": changed(good, c), "expect": "malformed", "field": next(iter(c))}
            for n, c in refused.items()
        ),
        {"name": "a list", "input": [], "expect": "malformed", "field": "params"},
    ]


FILES: Final[dict[str, Callable[[], list[Row]]]] = {"nodesfile": nodes, "invitesfile": invites, "join": joins}
