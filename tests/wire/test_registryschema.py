"""The schemas of a registry's bodies and replies take what is encoded, and nothing with a member more."""

from __future__ import annotations

import json
from typing import Any

import jsonschema_rs
import pytest

from enigma_fed.base.registry_errors import InputRefused
from enigma_fed.wire import olderbodies, registryv1
from enigma_fed.wire import registryreplies as replies
from enigma_fed.wire.ownerstatement import Action, ChangeRequest, Statement
from enigma_fed.wire.registrybodies import NodesPayload, Presence, ResolveRequest, SyncRequest
from enigma_fed.wire.registryreplies import EnvelopePublicKey, PowChallenge
from enigma_fed.wire.registryschema import SCHEMAS, one_of
from enigma_fed.wire.registryv1 import PresenceQuery, PresenceView, RegistryFacts, SignedPresence
from tests.support.registryusers import KID, NOW_MS, User
from tests.support.signedcalls import key

ALICE = User("alice")
HERE = key(1).did
SAID = Presence(ALICE.id, "here", NOW_MS)
REVOKED = Statement(
    action=Action.REVOKE, user=ALICE.id, registry=HERE, previous=bytes(32), created_ms=NOW_MS, identity=None
)

ENCODED = [
    ("Register", ALICE.register().encode()),
    ("Resolve", ResolveRequest(ALICE.id, bytes(32)).encode()),
    ("Resolved", replies.resolved(ALICE.id, ALICE.sealed())),
    ("Resolved", replies.resolved(ALICE.id, None)),
    ("ResolvedClear", olderbodies.resolved(ALICE.identity().encode())),
    ("ResolvedClear", olderbodies.resolved(None)),
    ("PublicIdentity", ALICE.identity(username_hint=None).encode()),
    ("Presence", SAID.encode()),
    ("Sync", SyncRequest((ALICE.identity(),)).encode()),
    ("Nodes", NodesPayload(("https://example.org",)).encode()),
    ("Ok", replies.OK),
    ("Exists", replies.exists(True)),
    ("Merged", replies.merged(3)),
    ("EnvelopePublicKey", EnvelopePublicKey(KID, bytes(32), True).to_json()),
    ("EnvelopePublicKeys", replies.envelope_public_keys([EnvelopePublicKey(KID, bytes(32), True, 5)])),
    ("Challenge", PowChallenge("00" * 16, 18, NOW_MS).to_json()),
    ("Change", ChangeRequest(statement=REVOKED, signature=bytes(64)).encode()),
    ("Changed", registryv1.changed(1, bytes(32))),
    ("SignedPresence", SignedPresence(SAID, HERE, bytes(64)).encode()),
    ("Announced", registryv1.announced(100)),
    ("PresenceQuery", PresenceQuery(ALICE.id).encode()),
    ("PresenceFound", registryv1.presence_found(PresenceView("here", 1, 2, 3, True))),
    ("PresenceFound", registryv1.presence_found(None)),
    ("Facts", RegistryFacts(HERE, ("log",), {"nodes": 1}).to_json()),
    ("Error", replies.error(InputRefused("handle"))),
]


def fits(name: str, value: Any) -> bool:
    schema = {**one_of(name), "components": {"schemas": dict(SCHEMAS)}}
    return jsonschema_rs.is_valid(schema, value)


@pytest.mark.parametrize(("name", "encoded"), ENCODED)
def test_what_is_encoded_fits_and_with_a_member_more_it_does_not(name: str, encoded: bytes) -> None:
    value = json.loads(encoded)
    assert fits(name, value)
    if name != "Facts":  # it may grow
        assert not fits(name, [*value, {}] if isinstance(value, list) else {**value, "more": 1})


def test_every_schema_is_tried() -> None:
    inside = {"UserId", "Envelope", "Statement", "OpenApi"}
    assert {name for name, _ in ENCODED} == SCHEMAS.keys() - inside
