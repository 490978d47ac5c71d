from __future__ import annotations

import contextlib
import hashlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enigma_fed.base.errors import WireError
from enigma_fed.wire.join import JoinParams, JoinReply, TokenlessJoin, joining_message
from enigma_fed.wire.records import TrustLevel
from tests.support.identities import did, key, onion

GOOD: dict[str, Any] = {
    "did": str(did(1)),
    "onion": str(onion(1)),
    "pubkey": did(1).public_key.hex(),
    "signature": "ab" * 64,
    "token": "00" * 16,
}


def test_the_inner_message_is_the_rust_agents() -> None:
    expected = f"peer-joined:{did(1)}:{onion(1)}:{key(1).did.public_key.hex()}"
    assert joining_message(did(1), onion(1)) == expected.encode()


@pytest.mark.parametrize("binary", [False, True])
@pytest.mark.parametrize("more", [{}, {"name": "attic"}])
def test_params_round_trip(binary: bool, more: dict[str, str]) -> None:
    params = JoinParams.from_object({**GOOD, **more}, binary=binary)
    assert params.to_object(binary=binary) == {**GOOD, **more}
    assert GOOD["token"] not in repr(params)


def test_what_is_kept_of_a_token_is_its_hash() -> None:
    params = JoinParams.from_object(GOOD, binary=False)
    assert params.token_hash == hashlib.sha256(params.token).digest()
    assert params.token.hex() not in repr(params)


def test_unknown_members_are_ignored() -> None:
    more = {"lan": ["10.0.0.1:80"], "client_auth": "x"}
    assert JoinParams.from_object({**GOOD, **more}, binary=False).did == did(1)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("did", str(did(2))),
        ("did", None),
        ("pubkey", did(2).public_key.hex()),
        ("onion", "127.0.0.1:80/x?.onion"),
        ("onion", str(onion(1))[:-6]),
        ("signature", "AB" * 64),
        ("signature", "ab" * 63),
        ("token", "00" * 15),
        ("token", b"\0" * 16),
        ("name", "a\nb"),
        ("name", 5),
    ],
)
def test_invariant_4_params_that_are_refused_name_the_member(name: str, value: object) -> None:
    with pytest.raises(WireError) as caught:
        JoinParams.from_object({**GOOD, name: value}, binary=False)
    assert "pubkey" in caught.value.detail or name in caught.value.detail


@given(st.sampled_from(sorted(GOOD)), st.none() | st.text() | st.integers() | st.binary())
def test_any_value_is_read_or_a_wire_error(name: str, value: object) -> None:
    with contextlib.suppress(WireError):
        JoinParams.from_object({**GOOD, name: value}, binary=True)


def test_the_reply() -> None:
    reply = JoinReply(TrustLevel.OBSERVER)
    assert reply.to_object(binary=False) == {"joined": True, "trust": "observer"}
    assert JoinReply.from_object({"joined": True, "trust": "observer", "more": 1}) == reply
    for bad in (None, {}, {"joined": 1, "trust": "observer"}, {"joined": True, "trust": "root"}):
        with pytest.raises(WireError):
            JoinReply.from_object(bad)


@pytest.mark.parametrize("binary", [False, True])
def test_a_join_without_a_token_round_trips_and_takes_nothing_that_is_not_signed(binary: bool) -> None:
    plain = {name: value for name, value in GOOD.items() if name != "token"}
    params = TokenlessJoin.from_object({**plain, "name": "attic"}, binary=binary)
    assert params.to_object(binary=binary) == plain
    assert params.message == joining_message(did(1), onion(1))


@pytest.mark.parametrize("token", ["00" * 16, None])
def test_invariant_3_a_join_with_a_token_is_never_read_as_one_without(token: str | None) -> None:
    with pytest.raises(WireError, match="token"):
        TokenlessJoin.from_object({**GOOD, "token": token}, binary=False)


def test_a_join_without_a_token_may_name_its_onion_without_the_ending() -> None:
    bare = str(onion(1)).removesuffix(".onion")
    plain = {name: value for name, value in GOOD.items() if name != "token"}
    params = TokenlessJoin.from_object({**plain, "onion": bare}, binary=False)
    assert params.onion == onion(1)
    assert params.message.decode().split(":")[-2] == bare, "signed as it was named"
    assert params.to_object(binary=False) == {**plain, "onion": bare}
    with pytest.raises(WireError, match="onion"):
        TokenlessJoin.from_object({**plain, "onion": "127.0.0.1"}, binary=False)
