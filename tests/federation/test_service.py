"""What the owner can do without an agent; bad invite codes get the right error and write nothing."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from enigma_fed.base import limits
from enigma_fed.base.errors import (
    AgentNotRunning,
    Conflict,
    FieldInvalid,
    InviteExpired,
    InviteMalformed,
    InviteSelf,
    InviteTampered,
    InviteTooLarge,
    InviteUnsigned,
    PeerNotFound,
)
from enigma_fed.base.rpc_errors import Busy, InvalidParams, UnknownPeer, UnknownToken
from enigma_fed.base.tasks import Tasks
from enigma_fed.federation.hooks import Hooks
from enigma_fed.federation.presence import in_local_time
from enigma_fed.federation.service import Federation
from enigma_fed.federation.store import FederationStore
from enigma_fed.rpc.methods import Standing
from enigma_fed.rpc.traffic import DayBytes
from enigma_fed.wire import invite
from enigma_fed.wire.join import JoinParams, joining_message
from enigma_fed.wire.records import Node, Stage, TrustLevel
from enigma_fed.wire.windows import parse_windows
from tests.support import invitevectors
from tests.support.fakenetwork import random_bytes
from tests.support.identities import did, key, onion
from tests.support.manualclock import ManualClock
from tests.support.members import member
from tests.support.memberships import commit, membership

OBSERVER = TrustLevel.OBSERVER


class Offline:
    """Node 9, as a command without an agent sees it."""

    def __init__(self, folder: Path) -> None:
        FederationStore.create(folder)
        self.folder = folder / "federation"
        self.clock = ManualClock()
        self.store = FederationStore(folder)
        self.store.open()
        self.federation = Federation(
            self.store, key(9), onion(9), "cellar", self.clock, random_bytes(9), Tasks(), None, Hooks()
        )

    def content(self) -> dict[str, bytes]:
        return {path.name: path.read_bytes() for path in self.folder.iterdir()}


@pytest.fixture
def home(tmp_path: Path) -> Offline:
    return Offline(tmp_path / "home")


def _own() -> str:
    draft = invite.draft(did(9), onion(9), bytes(16), OBSERVER, 1_800_000_000, 1_800_000_060, None)
    return draft.seal(key(9).sign(draft.signing_input))


def _unsigned() -> str:
    said = invitevectors.members()
    return invitevectors.plain({name: said[name] for name in ("did", "onion", "pubkey", "token")})


BAD: dict[str, tuple[Callable[[], str], type[Exception], str]] = {
    "malformed": (lambda: "fed1:!", InviteMalformed, "base64url"),
    "tampered": (invitevectors.by_another_key, InviteTampered, "sig"),
    "unsigned": (_unsigned, InviteUnsigned, "sig"),
    "expired": (lambda: invitevectors.signed(iat=1, exp=2), InviteExpired, "exp"),
    "of this node itself": (_own, InviteSelf, "did"),
    "too large": (lambda: "fed1:" + "A" * 20_000, InviteTooLarge, "8192"),
    "an address for an onion": (
        lambda: invitevectors.signed(onion="127.0.0.1:80/x?.onion"),
        InviteMalformed,
        "onion",
    ),
    "a key that is not the DID's": (
        lambda: invitevectors.signed(pubkey=did(2).public_key.hex()),
        InviteMalformed,
        "pubkey",
    ),
}


@pytest.mark.parametrize("name", BAD)
async def test_invariant_4_a_bad_code_gets_its_error_and_writes_nothing(home: Offline, name: str) -> None:
    make, error, says = BAD[name]
    before = home.content()
    with pytest.raises(error, match=says):
        await home.federation.accept_invite(make(), OBSERVER, False)
    assert home.content() == before
    assert home.federation.peers() == []


async def test_an_unsigned_code_is_taken_when_the_owner_says_so(home: Offline) -> None:
    view = await home.federation.accept_invite(_unsigned(), OBSERVER, True)
    assert (view.did, view.stage, view.direction) == (str(did(1)), "accepted-here", "incoming")
    with pytest.raises(InviteTampered):  # but a signature that does not hold never
        await home.federation.accept_invite(invitevectors.by_another_key(), OBSERVER, True)


async def test_an_invite_carries_what_the_joiner_needs(home: Offline) -> None:
    view = await home.federation.create_invite(TrustLevel.TRUSTED, 3600)
    assert view.code is not None
    said = invite.decode(view.code)
    assert (said.did, said.onion, said.name, said.scope) == (did(9), onion(9), "cellar", TrustLevel.TRUSTED)
    assert (said.expires_at or 0) - (said.issued_at or 0) == 3600
    assert (view.id, view.stage, view.accepted) == (said.id, "created", False)
    home.clock.advance(3600)
    (expired,) = home.federation.invites()
    assert (expired.stage, expired.code) == ("expired", None)
    for ttl in (0, limits.INVITE_TTL_MIN - 1, limits.INVITE_TTL_MAX + 1):
        with pytest.raises(FieldInvalid, match="ttl"):
            await home.federation.create_invite(OBSERVER, ttl)
    with pytest.raises(FieldInvalid, match="scope"):
        await home.federation.create_invite(TrustLevel.UNTRUSTED, 3600)


async def test_revoking_an_invite_takes_its_code_away(home: Offline) -> None:
    view = await home.federation.create_invite(OBSERVER, 3600)
    assert view.code is not None
    revoked = await home.federation.revoke(view.id)
    assert (revoked.stage, revoked.code) == ("revoked", None)
    assert view.code.encode() not in b"".join(home.content().values())


async def test_names_levels_and_removal(home: Offline) -> None:
    await home.federation.accept_invite(invitevectors.signed(), OBSERVER, False)
    assert (await home.federation.rename("attic", "Gran")).alias == "Gran"
    assert (await home.federation.set_trust("Gran", TrustLevel.TRUSTED)).trust_level == "trusted"
    assert (await home.federation.pause("Gran", True)).paused
    with pytest.raises(FieldInvalid):
        await home.federation.rename("Gran", "a\x1bb")
    assert (await home.federation.remove("Gran")).alias == "Gran"
    for again in (home.federation.remove("Gran"), home.federation.approve("Gran")):
        with pytest.raises(PeerNotFound):
            await again
    assert home.federation.standing(did(1)) is Standing.REMOVED


async def test_what_needs_an_agent_says_so(home: Offline) -> None:
    await home.federation.accept_invite(invitevectors.signed(), OBSERVER, False)
    for asked in (home.federation.sync(None), home.federation.sync("attic"), home.federation.ping("attic")):
        with pytest.raises(AgentNotRunning):
            await asked


async def test_who_is_who(home: Offline) -> None:
    assert home.federation.standing(did(9)) is Standing.SELF
    assert home.federation.standing(did(1)) is Standing.UNKNOWN
    with pytest.raises(UnknownPeer):
        await home.federation.admit(did(1), "federation.get-state", OBSERVER)
    await home.federation.accept_invite(invitevectors.signed(), OBSERVER, False)
    assert home.federation.standing(did(1)) is Standing.MEMBER


def join_with(code: str, number: int = 1) -> JoinParams:
    signature = key(number).sign(joining_message(did(number), onion(number)))
    token = invite.decode(code).token
    return JoinParams(did=did(number), onion=onion(number), token=token, signature=signature)


async def test_invariant_3_guessing_tokens_is_slowed_down(home: Offline) -> None:
    wrong = join_with(invitevectors.signed())
    for _ in range(limits.JOIN_TRIES_UNKNOWN):
        with pytest.raises(UnknownToken):
            home.federation.check_token(wrong)
    with pytest.raises(Busy):
        home.federation.check_token(wrong)
    view = await home.federation.create_invite(OBSERVER, 3600)
    home.federation.check_token(join_with(view.code or ""))  # a real one passes all the same
    home.clock.advance(60)
    with pytest.raises(UnknownToken):
        home.federation.check_token(wrong)


async def test_invariant_4_the_joiner_is_the_key_that_signed(home: Offline) -> None:
    view = await home.federation.create_invite(OBSERVER, 3600)
    good = join_with(view.code or "")
    forged = JoinParams(did=did(1), onion=onion(2), token=good.token, signature=good.signature)
    for caller, params, says in ((did(2), good, "did"), (did(1), forged, "signature"), (did(9), good, "did")):
        with pytest.raises(InvalidParams, match=says):
            await home.federation.joined(caller, params)
    assert home.federation.peers() == []
    assert (await home.federation.joined(did(1), good)).trust is OBSERVER


async def test_too_many_open_invites(home: Offline) -> None:
    for _ in range(limits.OPEN_INVITES):
        await home.federation.create_invite(OBSERVER, 3600)
    with pytest.raises(Conflict, match="revoke"):
        await home.federation.create_invite(OBSERVER, 3600)


async def test_the_bytes_of_a_day_are_shown_where_somebody_counts(home: Offline) -> None:
    await home.federation.accept_invite(invitevectors.signed(), OBSERVER, False)
    [view] = home.federation.peers()
    assert (view.bytes_in, view.bytes_out) == (None, None)
    home.federation._hooks = Hooks(traffic=lambda found: DayBytes(10, 20) if found == did(1) else None)
    [view] = home.federation.peers()
    assert (view.bytes_in, view.bytes_out) == (10, 20)


async def test_the_skew_of_a_member_is_kept_and_shown(home: Offline) -> None:
    await home.federation.accept_invite(invitevectors.signed(), OBSERVER, False)
    home.federation.note_skew(did(1), -95)
    home.federation.note_skew(did(2), 5)  # of nobody that we know
    assert [view.skew_s for view in home.federation.peers()] == [-95]
    assert set(home.federation._store.observations) == {did(1)}


@pytest.mark.parametrize(
    ("member", "may"),
    [
        (member(1), True),
        (member(1, trust_level=TrustLevel.TRUSTED), True),
        (member(1, trust_level=TrustLevel.UNTRUSTED), False),
        (member(1, stage=Stage.USED), False),
        (member(2), False),
    ],
    ids=["an observer", "a trusted one", "an untrusted one", "not confirmed", "somebody else"],
)
async def test_invariant_6_only_a_confirmed_member_with_rights_may_go_on_streaming(
    home: Offline, member: Node, may: bool
) -> None:
    await commit(home.store, membership(nodes=[member]))
    assert home.federation.may_stream(did(1)) is may
    await home.federation.remove(str(member.did))
    assert home.federation.may_stream(did(1)) is False


@pytest.mark.parametrize(
    ("member", "does"),
    [
        (member(1), False),
        (member(1, trust_level=TrustLevel.TRUSTED), True),
        (member(1, stage=Stage.USED, trust_level=TrustLevel.TRUSTED), False),
    ],
    ids=["an observer", "a trusted one", "not confirmed"],
)
async def test_whom_the_owner_trusts_until_it_is_removed(home: Offline, member: Node, does: bool) -> None:
    await commit(home.store, membership(nodes=[member]))
    assert home.federation.trusts(did(1)) is does
    await home.federation.remove(str(member.did))
    assert home.federation.trusts(did(1)) is False


async def test_the_windows_that_a_member_announces_are_kept_and_shown(home: Offline) -> None:
    await home.federation.accept_invite(invitevectors.signed(), OBSERVER, False)
    windows = parse_windows(["23:00-07:00"])
    home.federation.announced(did(1), windows)
    home.federation.announced(did(2), windows)  # of nobody that we know
    assert [view.announced_windows for view in home.federation.peers()] == [
        [str(window) for window in in_local_time(windows, home.clock.wall())]
    ]
    assert set(home.store.observations) == {did(1)}
    home.federation.announced(did(1), ())
    assert home.federation.peers()[0].announced_windows == []
