"""Bodies, identities and answers of the registry."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

import msgspec

from enigma_fed.base import registry_limits
from enigma_fed.base.errors import WireError
from enigma_fed.base.registry_errors import InputRefused, PowRequired, RegistryError, TooLarge
from enigma_fed.identity.signing import verify
from enigma_fed.wire import powchallenge, registryreplies, registryv1
from enigma_fed.wire.ownerchange import check_chain, decode_log, encode_log
from enigma_fed.wire.ownerstatement import ChangeRequest
from enigma_fed.wire.publicidentity import IdentityBundle, PublicIdentity, check
from enigma_fed.wire.registrybodies import (
    NodesPayload,
    Presence,
    RegisterRequest,
    ResolveRequest,
    SyncRequest,
)
from enigma_fed.wire.registryv1 import PresenceQuery, SignedPresence
from enigma_fed.wire.userid import UserId, normalized
from tests.fuzz.target import REFUSED, Form, Target, attempt, header_text
from tests.support import registryvectors
from tests.support.identities import did
from tests.support.registryusers import User

_BODIES: Final[dict[str, Any]] = {
    "register": RegisterRequest,
    "resolve": ResolveRequest,
    "announce": Presence,
    "sync": SyncRequest,
    "nodes": NodesPayload,
    "change": ChangeRequest,
    "signed-announce": SignedPresence,
    "presence": PresenceQuery,
}
_LONGEST: Final = 4095
_OF_VECTORS: Final = {"update": "change", "rotate": "change", "revoke": "change"}
_ANSWERS: Final[tuple[Callable[[bytes], object], ...]] = (
    registryreplies.read_ok,
    registryreplies.read_exists,
    registryreplies.read_merged,
    registryreplies.read_resolved,
    registryreplies.read_nodes,
    registryreplies.read_key,
    registryreplies.read_keys,
    registryreplies.read_challenge,
    registryv1.read_presence,
    registryv1.read_facts,
    registryv1.read_changed,
    registryv1.read_announced,
)


def _bounded(refusal: InputRefused) -> object:
    assert "envelope key" not in refusal.message
    assert refusal.field
    assert refusal.message.startswith("invalid input: ")
    assert len(refusal.message) < 100
    return REFUSED


def _said(read: Callable[[], object]) -> object:
    """What is read, or the member that is refused: a refusal repeats nothing of the input."""
    try:
        return read()
    except InputRefused as refusal:
        return _bounded(refusal)
    except TooLarge:
        return REFUSED


def body(kind: Any, data: bytes) -> bool:
    """What is read goes round, and the compact text means the same as any other form of it."""
    found = _said(lambda: kind.decode(data))
    if found is REFUSED:
        return False
    written = found.encode()  # type: ignore[attr-defined]
    if not getattr(found, "skipped", 0):
        assert kind.decode(written) == found
    # A space takes the compact text to the other way of reading.
    assert len(data) >= _LONGEST or kind.decode(b" " + data) == found
    return True


def identity(data: bytes) -> bool:
    """An identity has one compact text; read either way it is the same, and checking it raises one error."""
    found = _said(lambda: PublicIdentity.decode(data))
    if not isinstance(found, PublicIdentity):
        return False
    written = found.encode()
    assert PublicIdentity.decode(written) == found
    assert PublicIdentity.from_object(msgspec.json.decode(written)) == found
    assert found.keeps_rules
    attempt(lambda: check(found, verify), InputRefused)
    return True


def bundle(data: bytes) -> bool:
    """A bundle that is read goes round."""
    found = _said(lambda: IdentityBundle.found_in(b"enigma-id-v2:" + data))
    if not isinstance(found, IdentityBundle):
        return False
    assert IdentityBundle.found_in(found.encode()) == found
    return True


def answer(data: bytes) -> bool:
    """An answer is read or breaks the format, whatever it was for; there is no third."""
    taken = [attempt(partial(read, data), WireError) is not REFUSED for read in _ANSWERS]
    return any(taken)


def refusal(data: bytes) -> bool:
    """Whatever a server answers is a refusal with a bounded text."""
    found = registryreplies.read_error(400, data)
    assert isinstance(found, RegistryError)
    assert len(found.message) <= 200
    return type(found) is not RegistryError


def log(data: bytes) -> bool:
    """A log that is read goes round; whether it holds is said by one error."""
    entries = attempt(lambda: decode_log(data), WireError)
    if not isinstance(entries, tuple):
        return False
    assert decode_log(encode_log(entries)) == entries
    return attempt(lambda: check_chain(entries, verify), WireError) is not REFUSED


def user(data: bytes) -> bool:
    """A name is trimmed once, and an id has one text."""
    text = header_text(data)
    name = attempt(lambda: normalized(text), InputRefused)
    handle = attempt(lambda: UserId.parse(text), InputRefused)
    if isinstance(handle, UserId):
        assert UserId.parse(handle.hex) == handle
        assert handle.hex == text.lower()
    if not isinstance(name, str):
        return False
    assert normalized(name) == name
    assert 0 < len(name.encode()) <= registry_limits.USER_NAME_BYTES
    return True


def proof(data: bytes) -> bool:
    """A header is split or refused, and only our own challenges are read."""
    text = header_text(data)
    assert powchallenge.read(bytes([1]) * 32, text, "/resolve") in (None, _CHALLENGE)
    halves = attempt(lambda: powchallenge.split(text), PowRequired)
    if not isinstance(halves, tuple):
        return False
    assert ":".join(halves) == text
    powchallenge.meets(*halves, 8)
    return True


_PROOFS: Final = registryvectors.proofs()
_CHALLENGE: Final = (_PROOFS[-1]["expires"], 18)


def _bodies(kind: str) -> Iterable[bytes]:
    for row in registryvectors.bodies():
        if _OF_VECTORS.get(row["kind"], row["kind"]) == kind and (row["expect"] == "ok" or _is_short(row)):
            yield row["input"].encode()


def _is_short(row: dict[str, Any]) -> bool:
    """The corpus is kept in the repository: what is refused need not be long."""
    return len(row["input"]) < 700


def _inputs(rows: Callable[[], list[dict[str, Any]]]) -> Iterable[bytes]:
    return (row["input"].encode("utf-8", "surrogatepass") for row in rows())


def _bundles() -> Iterable[bytes]:
    good = User("alice").bundle().encode().removeprefix(b"enigma-id-v2:")
    yield from (good, json.dumps(json.loads(good), indent=1).encode(), good[:-1], b"{}")
    yield good.replace(b'"signed_prekey_id":1', b'"signed_prekey_id":4294967296')


def _answers() -> Iterable[bytes]:
    found = (
        registryreplies.OK,
        registryreplies.exists(True),
        registryreplies.merged(3),
        registryreplies.resolved(User("alice").id, User("alice").sealed(b"x")),
        registryreplies.resolved(User("alice").id, None),
        registryreplies.nodes(["http://a"]),
        registryreplies.EnvelopePublicKey(bytes(8), bytes(32), active=True, not_after_ms=1).to_json(),
        registryreplies.PowChallenge("00", 8, 1).to_json(),
        registryv1.presence_found(registryv1.PresenceView("local", 1, 2, 3, signed=True)),
        registryv1.RegistryFacts(did(9), ("a",), {"b": 1}).to_json(),
        registryv1.changed(1, bytes(32)),
        registryv1.announced(60),
    )
    for data in found:
        yield from (data, data[:-1])
    yield from (b"[" + found[6] + b"]", b"{}", b"1")


def _refusals() -> Iterable[bytes]:
    yield registryreplies.error(InputRefused("handle"))
    yield registryreplies.error(PowRequired())
    yield from (b"{}", b'{"error":"conflict"}', b'{"error":{"code":1,"message":[]}}', b"<html>")


def _headers() -> Iterable[bytes]:
    for row in _PROOFS:
        yield f"{row['challenge']}:{row['solution']}".encode()
    yield from (_PROOFS[-1]["challenge"].encode(), b"", b":", b"a:")


def _names() -> Iterable[bytes]:
    yield from _inputs(registryvectors.users)
    yield from (User("alice").id.hex.encode(), User("alice").id.hex.upper().encode())


TARGETS: Final = (
    *(
        Target(f"registry-{kind}", partial(body, decoder), partial(_bodies, kind), Form.JSON, _LONGEST)
        for kind, decoder in _BODIES.items()
    ),
    Target("registry-answer", answer, _answers, Form.JSON),
    Target("registry-identity", identity, partial(_inputs, registryvectors.identities), Form.JSON, _LONGEST),
    Target("registry-bundle", bundle, _bundles, Form.JSON),
    Target("registry-refusal", refusal, _refusals, Form.JSON),
    Target("registry-log", log, partial(_inputs, registryvectors.logs), Form.JSON, _LONGEST),
    Target("registry-user", user, _names),
    Target("registry-proof", proof, _headers),
)
