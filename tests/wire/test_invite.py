from __future__ import annotations

import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enigma_fed.base.errors import EnigmaError, InviteError, InviteTampered, InviteUnsigned
from enigma_fed.identity.signing import verify
from enigma_fed.wire import base64url, invite
from enigma_fed.wire.records import TrustLevel
from tests.support import invitevectors
from tests.support.identities import did, key, onion

ROWS = json.loads(invitevectors.PATH.read_text(encoding="utf-8"))


def take(code: str) -> invite.Invite:
    """Decode and check the signature, as accepting does."""
    said = invite.decode(code)
    if said.signature is None:
        raise InviteUnsigned
    if not verify(said.did.public_key, said.signed_bytes, said.signature):
        raise InviteTampered
    return said


@pytest.mark.parametrize("row", ROWS, ids=[row["name"] for row in ROWS])
def test_invariant_4_invite_vectors(row: dict[str, str]) -> None:
    if row["expect"] == "ok":
        assert take(row["input"]).did == did(1)
        return
    with pytest.raises(EnigmaError) as caught:
        take(row["input"])
    assert caught.value.code == row["expect"]
    assert row["field"] in str(caught.value)


def test_the_vectors_are_what_their_maker_makes() -> None:
    assert invitevectors.rows() == ROWS


def test_what_a_code_says() -> None:
    draft = invite.draft(did(1), onion(1), bytes(16), TrustLevel.TRUSTED, 1_800_000_000, 1_800_000_060, None)
    code = draft.seal(key(1).sign(draft.signing_input))
    said = take(code)
    assert (said.did, said.onion, said.token) == (did(1), onion(1), bytes(16))
    assert (said.scope, said.issued_at, said.expires_at) == (TrustLevel.TRUSTED, 1_800_000_000, 1_800_000_060)
    assert said.id == said.token_hash.hex()[:8] == "374708ff"
    assert draft.signing_input.startswith(b'enigma-fed/invite/v1\n{"did":"did:key:z6Mk')


def test_a_draft_says_what_it_is_given_and_nothing_of_what_it_is_not() -> None:
    token, scope = bytes(16), TrustLevel.OBSERVER
    bare = invite.draft(did(1), onion(1), token, scope, 1, 2, None)
    assert not bare.members.keys() & {"name", "for", "lan"}
    full = invite.draft(did(1), onion(1), token, scope, 1, 2, "attic", did(2))
    said = take(full.seal(key(1).sign(full.signing_input)))
    assert (said.name, said.for_did) == ("attic", did(2))


def test_invariant_8_a_token_shows_in_no_representation() -> None:
    said = invite.decode(invitevectors.signed())
    assert invitevectors.TOKEN.hex() not in repr(said)
    assert invitevectors.TOKEN.hex() not in repr(invite.InviteDraft(invitevectors.members()))


@given(st.text() | st.binary().map(lambda data: invite.PREFIX + base64url.encode(data)))
def test_any_text_is_an_invite_or_an_invite_error(code: str) -> None:
    with contextlib.suppress(InviteError):
        invite.decode(code)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(st.sampled_from(sorted(invitevectors.members())), json_values)
def test_any_value_of_a_member_is_read_or_an_invite_error(name: str, value: object) -> None:
    text = json.dumps({**invitevectors.members(), name: value})
    with contextlib.suppress(InviteError):
        invite.decode(invitevectors.raw(text.encode("utf-8", "surrogatepass")))
