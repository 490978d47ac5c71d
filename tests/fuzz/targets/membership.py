"""Invite codes and the federation's files."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from enigma_fed.base import limits
from enigma_fed.base.errors import InviteError, StoreNewer, WireError
from enigma_fed.storage.jsonfile import seal, unseal
from enigma_fed.wire import base64url, invite, invitesfile, nodesfile, observationsfile
from enigma_fed.wire.records import InvitesFile, NodesFile, Observation
from enigma_fed.wire.snapshot import Snapshot
from enigma_fed.wire.state import FullState
from tests.fuzz.target import REFUSED, Form, Target, attempt, header_text, to_bytes
from tests.support import invitevectors, members, samplehome
from tests.support.identities import did

_LABEL: Final = b"enigma-fed/invite/v1\n"


def code(data: bytes) -> bool:
    """What an invite's signature covers is all that its code says, the signature apart."""
    text = header_text(data)
    said = attempt(lambda: invite.decode(text), InviteError)
    if not isinstance(said, invite.Invite):
        return False
    decoded = base64url.decode(text.strip().removeprefix(invite.PREFIX))
    assert len(decoded) <= limits.INVITE_BYTES
    covered = json.loads(decoded)
    covered.pop("sig", None)
    assert said.signed_bytes.startswith(_LABEL)
    assert json.loads(said.signed_bytes.removeprefix(_LABEL)) == covered
    assert said.token.hex() not in repr(said)
    return True


def code_of_members(data: bytes) -> bool:
    """The same, with any bytes inside the base64url."""
    return code(to_bytes(invite.PREFIX + base64url.encode(data)))


def sealed_file(data: bytes) -> bool:
    """A file with a sum is the file that was written, to the last bit (invariant 5)."""
    content = attempt(lambda: unseal(data), WireError, StoreNewer)
    if not isinstance(content, tuple):
        return False
    body, rev = content
    if rev:  # ours: the sum stands for the bytes, and another seal says the same
        assert unseal(seal(body, rev)) == (body, rev)
    return True


def _file(
    decode: Callable[[Mapping[str, object]], Any], encode: Callable[[Any], Mapping[str, object]]
) -> Callable[[bytes], bool]:
    def read(data: bytes) -> bool:
        """A file that is read can be written, and is then read as the same: nothing in it gets lost."""
        content = attempt(lambda: unseal(data), WireError, StoreNewer)
        if not isinstance(content, tuple):
            return False
        value = attempt(lambda: decode(content[0]), WireError)
        if value is REFUSED:
            return False
        body, rev = unseal(seal(encode(value), 1))
        assert (decode(body), rev) == (value, 1)
        return True

    return read


def _codes() -> Iterable[bytes]:
    rows = json.loads(invitevectors.PATH.read_text(encoding="utf-8"))
    return (to_bytes(row["input"]) for row in rows if len(row["input"]) < 2048)


def _members() -> Iterable[bytes]:
    for row in _codes():
        inside = attempt(
            lambda row=row: base64url.decode(header_text(row).removeprefix(invite.PREFIX)), WireError
        )
        if isinstance(inside, bytes):
            yield inside


def _sealed() -> Iterable[bytes]:
    good = seal({"nodes": [], "removed": []}, 3)
    yield from (
        good,
        good[:-2],
        good.replace(b'"rev": 3', b'"rev": 4'),
        good.replace(b'"version": 1', b'"version": 2'),
    )
    yield from (b"{}", b'{"nodes":[]}', b'{"version":1}', b'{"version":1,"rev":1,"sum":"' + b"0" * 64 + b'"}')


def _plain(body: Mapping[str, object]) -> bytes:
    return json.dumps(body, separators=(",", ":")).encode()


def _nodes() -> Iterable[bytes]:
    snapshot = Snapshot(node_name="attic", cpu_tenths=452, mem_used_kib=1)
    node = members.member(1, name="attic", last_seen=members.NOW, last_state=snapshot, last_error="x")
    full = NodesFile(nodes=(node, members.member(2)), removed=(members.tombstone(3),), invalid=('{"did":1}',))
    yield _plain(nodesfile.encode(full))
    yield _plain(samplehome.nodes())
    yield _plain(
        {**nodesfile.encode(full), "removed": [{"did": str(did(1)), "removed_at": "2026-11-20T08:49:00Z"}]}
    )
    yield b'{"nodes":[{"did":99999999999999999999999999999999999999}]}'
    yield b'{"nodes":{}}'


def _invites() -> Iterable[bytes]:
    full = InvitesFile(
        outgoing=(members.outgoing(1, used_by=did(2)),),
        incoming=(members.incoming(3, name="attic"),),
        pending=(members.pending(4),),
        invalid=("[]",),
    )
    yield _plain(invitesfile.encode(full))
    yield _plain(samplehome.invites())
    late = "9999-12-31T23:59:59Z"
    pending = {**invitesfile.encode(full)["pending"][0], "received_at": late, "expires_at": None}  # type: ignore[index]
    rust = {**samplehome.invites()["outgoing"][0], "created_at": late}  # type: ignore[index]
    yield _plain({"outgoing": [rust], "incoming": [rust], "pending": [pending]})
    yield b'{"outgoing":[],"incoming":[18446744073709551616]}'
    yield b'{"outgoing":[]}'


def _written(value: observationsfile.Observations) -> Mapping[str, object]:
    return {"peers": [json.loads(row) for row in observationsfile.rows(value.values())]}


def _observations() -> Iterable[bytes]:
    taken = FullState(
        epoch=bytes(8), started=1, seq=1, ts=1, snapshot=Snapshot(node_name="x"), signature=bytes(64)
    )
    first = Observation(did=did(1), last_seen=members.NOW, state=taken, latency_ms=1.5, skew_s=-3, failures=1)
    second = Observation(did=did(2), last_error="x", last_error_at=members.NOW)
    good = _written({did(1): first, did(2): second})
    yield _plain(good)
    yield _plain(good).replace(b'"skew_s":-3', b'"skew_s":1e300')
    yield b'{"peers":[{}]}'
    yield b'{"peers":1}'


TARGETS: Final = (
    Target("invite-code", code, _codes, longest=2200),
    Target("invite-members", code_of_members, _members, Form.JSON),
    Target("jsonfile", sealed_file, _sealed),
    Target("nodesfile", _file(nodesfile.decode, nodesfile.encode), _nodes, Form.JSON, longest=4096),
    Target("invitesfile", _file(invitesfile.decode, invitesfile.encode), _invites, Form.JSON, longest=4096),
    Target(
        "observationsfile",
        _file(observationsfile.decode, _written),
        _observations,
        Form.JSON,
        longest=4096,
    ),
)
