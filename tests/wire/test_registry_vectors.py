"""The vectors of the registry's formats: what anyone has to accept and to refuse."""

from __future__ import annotations

import json
from typing import Any, Final

import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from enigma_fed.base.errors import EnigmaError
from enigma_fed.base.registry_errors import InputRefused, RegistryError
from enigma_fed.identity.signing import verify
from enigma_fed.wire import envelope, powchallenge
from enigma_fed.wire.ownerchange import check_chain, decode_log
from enigma_fed.wire.ownerstatement import ChangeRequest
from enigma_fed.wire.publicidentity import PublicIdentity, check
from enigma_fed.wire.registrybodies import (
    NodesPayload,
    Presence,
    RegisterRequest,
    ResolveRequest,
    SyncRequest,
)
from enigma_fed.wire.registryv1 import PresenceQuery, SignedPresence
from enigma_fed.wire.userid import UserId
from tests.support import registryvectors
from tests.support.formatvectors import FOLDER

BODIES: Final[dict[str, Any]] = {
    "register": RegisterRequest,
    "resolve": ResolveRequest,
    "announce": Presence,
    "sync": SyncRequest,
    "nodes": NodesPayload,
    "update": ChangeRequest,
    "rotate": ChangeRequest,
    "revoke": ChangeRequest,
    "signed-announce": SignedPresence,
    "presence": PresenceQuery,
}


def rows(name: str) -> list[Any]:
    found = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return [pytest.param(row, id=row["name"]) for row in found]


def refused(row: dict[str, Any], read: Any) -> None:
    with pytest.raises(EnigmaError) as caught:
        read()
    assert caught.value.code == row["expect"]
    if isinstance(caught.value, RegistryError) and "field" in row:
        assert caught.value.field == row["field"]


@pytest.mark.parametrize("name", registryvectors.FILES)
def test_the_vectors_are_what_their_maker_makes(name: str) -> None:
    found = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    assert found == registryvectors.FILES[name]()
    assert {"ok"} < {row["expect"] for row in found}


@pytest.mark.parametrize("row", rows("registryuser"))
def test_user_vectors(row: dict[str, Any]) -> None:
    if row["expect"] != "ok":
        refused(row, lambda: UserId.of(row["input"]))
        return
    assert UserId.of(row["input"]).hex == row["user_id"]


@pytest.mark.parametrize("row", rows("registryenvelope"))
def test_envelope_vectors(row: dict[str, Any]) -> None:
    value = {name: bytes.fromhex(text) for name, text in row.items() if name not in ("name", "expect")}
    user = UserId(value["user_id"])

    def opened() -> bytes:
        shared = envelope.shared_secret(value["server_secret"], value["client_public"], "")
        key = envelope.envelope_key(value["pepper"], user, shared)
        return envelope.unseal(key, user, value["nonce"], value["ciphertext"])

    if row["expect"] != "ok":
        refused(row, opened)
        return
    assert opened() == value["plaintext"]
    assert envelope.seal(value["key"], user, value["nonce"], value["plaintext"]) == value["ciphertext"]


def test_the_shared_secret_is_the_one_of_another_library() -> None:
    for number in range(1, 9):
        ours, theirs = bytes([number]) * 32, bytes([number + 100]) * 32
        public = envelope.public_key(theirs)
        other = X25519PrivateKey.from_private_bytes(ours).exchange(X25519PublicKey.from_public_bytes(public))
        assert envelope.shared_secret(ours, public, "") == other


@pytest.mark.parametrize("row", rows("registryidentity"))
def test_invariant_4_identity_vectors(row: dict[str, Any]) -> None:
    data = row["input"].encode()
    if row["expect"] != "ok":
        refused(row, lambda: PublicIdentity.decode(data))
        return
    identity = PublicIdentity.decode(data)
    assert PublicIdentity.decode(identity.encode()) == identity
    if row["consistent"]:
        check(identity, verify)
        return
    with pytest.raises(InputRefused):
        check(identity, verify)


@pytest.mark.parametrize("row", rows("registrybody"))
def test_body_vectors(row: dict[str, Any]) -> None:
    kind, data = BODIES[row["kind"]], row["input"].encode()
    if row["expect"] != "ok":
        refused(row, lambda: kind.decode(data))
        return
    assert json.loads(kind.decode(data).encode()) == json.loads(data)


@pytest.mark.parametrize("row", rows("registrypow"))
def test_proof_vectors(row: dict[str, Any]) -> None:
    meets = powchallenge.meets(row["challenge"], row["solution"], row["difficulty"])
    assert meets == (row["expect"] == "ok")
    if "route" in row:
        read = powchallenge.read(bytes([1]) * 32, row["challenge"], row["route"])
        assert read == (row["expires"], row["difficulty"])


@pytest.mark.parametrize("row", rows("registrylog"))
def test_invariant_12_log_vectors(row: dict[str, Any]) -> None:
    data = row["input"].encode()
    if row["expect"] != "ok":
        refused(row, lambda: check_chain(decode_log(data), verify))
        return
    assert check_chain(decode_log(data), verify).hash.hex() == row["head"]
