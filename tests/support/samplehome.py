"""Makes data/sample-home: a data folder as the Rust agent writes it. Run: python -m tests.support.samplehome

Deterministic: the keys are made of fixed seeds, so running it again changes nothing.
"""

from __future__ import annotations

import json
from pathlib import Path

from enigma_fed.wire import base64url
from tests.support.identities import did, onion

FOLDER = Path(__file__).parents[2] / "data" / "sample-home" / "federation"
NANOSECONDS = "2026-03-10T12:00:00.123456789+00:00"
_STATE = {
    "timestamp": "2026-03-10T11:59:58.987654321+00:00",
    "node_name": "attic",
    "apps": [{"id": "bitcoin", "status": "running", "version": "27.0"}],
    "cpu_usage_percent": 45.2,
    "mem_used_bytes": 4_000_000_000,
    "mem_total_bytes": 8_000_000_000,
    "disk_used_bytes": None,
    "disk_total_bytes": None,
    "uptime_secs": 86400,
    "tor_active": True,
}


def _identity(number: int) -> dict[str, object]:
    return {"did": str(did(number)), "pubkey": did(number).public_key.hex(), "onion": str(onion(number))}


def _code(number: int, token: str) -> str:
    payload = {**_identity(number), "token": token}
    return "fed1:" + base64url.encode(json.dumps(payload, separators=(",", ":")).encode())


def _invite(number: int, token: str, *, accepted: bool) -> dict[str, object]:
    code = {"code": _code(number, token)}
    return {**code, **_identity(number), "created_at": NANOSECONDS, "accepted": accepted}


def _node(number: int, trust: str, **more: object) -> dict[str, object]:
    rest = {
        "name": None,
        "trust_level": trust,
        "added_at": NANOSECONDS,
        "last_seen": None,
        "last_state": None,
    }
    return {**_identity(number), **rest, **more}


def nodes() -> dict[str, object]:
    """nodes.json: two good peers, one onion without `.onion`, one entry that is not valid here."""
    attic = _node(1, "trusted", name="attic", last_seen=_STATE["timestamp"], last_state=_STATE)
    bare = _node(2, "observer", onion=str(onion(2)).removesuffix(".onion"))
    forged = _node(4, "trusted", pubkey="aabbccdd", onion="127.0.0.1:80/x?.onion")
    return {"nodes": [attic, bare, _node(3, "untrusted"), forged]}


def invites() -> dict[str, object]:
    """invites.json: one code made by this home (node 9), one of node 1 accepted here."""
    return {
        "outgoing": [_invite(9, "00112233445566778899aabbccddeeff", accepted=False)],
        "incoming": [_invite(1, "ffeeddccbbaa99887766554433221100", accepted=True)],
    }


def write() -> None:
    """Write both files."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, content in (("nodes.json", nodes()), ("invites.json", invites())):
        (FOLDER / name).write_text(json.dumps(content, indent=2), encoding="utf-8")


if __name__ == "__main__":
    write()
