"""Statements of owners: the body, what is signed, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from enigma_fed.base import registry_limits
from enigma_fed.base.registry_errors import InputRefused, TooLarge, Unauthorized
from enigma_fed.identity.signing import verify
from enigma_fed.wire.ownerchange import LogEntry
from enigma_fed.wire.ownerstatement import Action, ChangeRequest, check_change
from enigma_fed.wire.publicidentity import PublicIdentity
from tests.support.identities import did
from tests.support.ownerchanges import OTHER_KEY, REGISTRY, change, rotated, updated
from tests.support.registryusers import NOW_MS, User

ALICE, BOB = User("alice"), User("bob")
REGISTERED = ALICE.identity()
HEAD = LogEntry.registered(REGISTERED, NOW_MS).hash
UPDATE = change(ALICE, Action.UPDATE, updated(ALICE), HEAD)
ROTATE = change(ALICE, Action.ROTATE, rotated(ALICE), HEAD)
REVOKE = change(ALICE, Action.REVOKE, None, HEAD)
NEW = {UPDATE: updated(ALICE), ROTATE: rotated(ALICE), REVOKE: None}
each_change = pytest.mark.parametrize("request_", NEW, ids=lambda request: request.statement.action)


def check(request: ChangeRequest, new: PublicIdentity | None, **changes: Any) -> None:
    facts: dict[str, Any] = {"registry": REGISTRY, "now_ms": NOW_MS, "verify": verify}
    registered = changes.pop("registered", REGISTERED)
    check_change(request, registered, new, **(facts | changes))


@each_change
def test_what_the_owner_signed_is_done(request_: ChangeRequest) -> None:
    check(request_, NEW[request_])


@each_change
def test_it_is_read_as_it_is_written(request_: ChangeRequest) -> None:
    assert ChangeRequest.decode(request_.encode()) == request_
    shown = json.loads(request_.encode())
    without = {name: value for name, value in shown.items() if value is not None}
    assert ChangeRequest.decode(json.dumps(without, indent=1).encode()) == request_


def test_what_is_signed_is_a_label_and_the_canonical_members() -> None:
    label, members = UPDATE.statement.message.split(b"\n", 1)
    assert label == b"enigma-fed/registry/change/v1"
    assert json.loads(members) == {
        "action": "update",
        "user_id": ALICE.id.hex,
        "registry": str(REGISTRY),
        "previous": HEAD.hex(),
        "created_ms": NOW_MS,
        "identity": updated(ALICE).digest.hex(),
    }
    assert members.startswith(b'{"action":"update","created_ms":')


@each_change
def test_invariant_12_another_key_changes_nothing(request_: ChangeRequest) -> None:
    action, new = request_.statement.action, NEW[request_]
    with pytest.raises(Unauthorized):
        check(change(ALICE, action, new, HEAD, key=OTHER_KEY), new)
    with pytest.raises(Unauthorized):
        check(request_, new, registered=ALICE.identity(signing_public_key=ALICE.id.value))


@each_change
def test_invariant_12_a_statement_is_for_one_registry_user_and_time(request_: ChangeRequest) -> None:
    new, window = NEW[request_], registry_limits.CHANGE_WINDOW * 1000
    for field, changes in {
        "statement.registry": {"registry": did(8)},
        "statement.created_ms": {"now_ms": NOW_MS + window + 1},
        "statement.user_id": {"registered": BOB.identity()},
    }.items():
        with pytest.raises(InputRefused) as caught:
            check(request_, new, **changes)
        assert caught.value.field == field
    check(request_, new, now_ms=NOW_MS + window)
    check(request_, new, now_ms=NOW_MS - window)


@pytest.mark.parametrize("said", ["action", "user", "registry", "previous", "created_ms", "identity"])
def test_invariant_12_everything_that_is_said_is_signed(said: str) -> None:
    other: dict[str, Any] = {
        "action": Action.ROTATE,
        "user": BOB.id,
        "registry": did(8),
        "previous": bytes(32),
        "created_ms": NOW_MS + 1,
        "identity": bytes(32),
    }
    changed = change(ALICE, Action.UPDATE, updated(ALICE), HEAD, **{said: other[said]})
    assert not verify(REGISTERED.signing_public_key, changed.statement.message, UPDATE.signature)


def test_invariant_12_the_envelope_holds_the_identity_that_was_signed() -> None:
    for new in (ALICE.identity(), None):
        with pytest.raises(InputRefused) as caught:
            check(UPDATE, new)
        assert caught.value.field == "statement.identity"


def test_invariant_12_an_update_keeps_the_key_and_a_rotation_has_another_that_signs() -> None:
    for action, new in ((Action.UPDATE, rotated(ALICE)), (Action.ROTATE, updated(ALICE))):
        with pytest.raises(InputRefused) as caught:
            check(change(ALICE, action, new, HEAD), new)
        assert caught.value.field == "identity.signing_public_key"
    with pytest.raises(Unauthorized):
        check(change(ALICE, Action.ROTATE, rotated(ALICE), HEAD, new_key=BOB.signing_key), rotated(ALICE))


def test_the_new_identity_is_of_the_same_user_and_does_not_contradict_itself() -> None:
    for new, field in (
        (BOB.identity(signing_public_key=REGISTERED.signing_public_key), "identity.user_id"),
        (ALICE.identity(username_hint="bob"), "identity.username_hint"),
        (ALICE.identity(encryption_public_key=b"x"), "identity.signature"),
    ):
        with pytest.raises(InputRefused) as caught:
            check(change(ALICE, Action.UPDATE, new, HEAD), new)
        assert caught.value.field == field


def body(request: ChangeRequest = UPDATE, **changes: Any) -> bytes:
    members = json.loads(request.encode())
    statement = members["statement"] | changes.pop("statement", {})
    return json.dumps({**members, "statement": statement, **changes}).encode()


@pytest.mark.parametrize(
    ("data", "field"),
    [
        (b"[]", "body"),
        (b"{}", "signature"),
        (body(more=1), "body"),
        (body(statement={"more": 1}), "statement"),
        (body(statement={"action": "delete"}), "statement.action"),
        (body(statement={"action": "register"}), "statement.action"),
        (body(statement={"user_id": "x"}), "statement.user_id"),
        (body(statement={"registry": "did:web:x"}), "statement.registry"),
        (body(statement={"previous": "00"}), "statement.previous"),
        (body(statement={"created_ms": 2**53}), "statement.created_ms"),
        (body(statement={"identity": None}), "statement.identity"),
        (body(REVOKE, statement={"identity": "00" * 32}), "statement.identity"),
        (body(signature="00" * 63), "signature"),
        (body(signature=None), "signature"),
        (body(new_signature="00" * 64), "new_signature"),
        (body(ROTATE, new_signature=None), "new_signature"),
        (body(ROTATE, new_signature="x"), "new_signature"),
        (body(envelope=None), "envelope"),
        (body(envelope={}), "envelope.ciphertext"),
        (body(REVOKE, envelope={}), "envelope"),
    ],
)
def test_a_body_that_is_refused_names_the_member(data: bytes, field: str) -> None:
    with pytest.raises(InputRefused) as caught:
        ChangeRequest.decode(data)
    assert caught.value.field == field


def test_invariant_7_a_body_is_bounded() -> None:
    most = registry_limits.CHANGE_BYTES
    assert ChangeRequest.decode(UPDATE.encode().ljust(most)) == UPDATE
    with pytest.raises(TooLarge):
        ChangeRequest.decode(UPDATE.encode().ljust(most + 1))
