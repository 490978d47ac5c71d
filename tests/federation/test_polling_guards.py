"""What an answer to a poll may not change: of a removed peer, of before a newer join, without a signature."""

from __future__ import annotations

from pathlib import Path

import pytest

from enigma_fed.base.errors import EnigmaError, PeerUnreachable, UnsignedReply
from enigma_fed.base.rpc_errors import NotAllowed, Removed, UnknownPeer
from enigma_fed.federation import news
from enigma_fed.rpc.client import Reply
from enigma_fed.wire.records import Node
from enigma_fed.wire.state import Have, StateAnswer
from enigma_fed.wire.windows import Window
from tests.support.members import member
from tests.support.town import Town


async def test_invariant_6_what_a_removed_peer_announces_is_not_kept(tmp_path: Path) -> None:
    town = Town(tmp_path / "home", 1)
    await town.open()
    (who,) = town.peers
    await town.federation.remove(str(who))
    town.federation.announced(who, (Window(1, 2),))
    assert town.store.observations == {}
    await town.close()


def test_invariant_6_an_answer_of_before_a_newer_join_is_no_news() -> None:
    asked = member(1, name="attic")
    newer = member(1, name="attic", joined_with=(b"\x09" * 32,), they_forgot_us=True)
    assert not news.answered(newer, asked, True, name="other")
    for word in (NotAllowed.code, UnknownPeer.code, Removed.code):
        assert not news.refused(newer, asked, True, word)


@pytest.mark.parametrize("error", [UnsignedReply("HTTP status 502"), PeerUnreachable("nobody answers")])
async def test_invariant_11_who_does_not_sign_is_not_heard_and_only_backed_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: EnigmaError
) -> None:
    town = Town(tmp_path / "home", 1)
    await town.open()
    (who,) = town.peers
    await town.federation.sync(str(who))
    before = town.store.observations[who]
    town.disk.written.clear()

    async def refuse(node: Node, have: Have | None, within: float) -> Reply[StateAnswer]:
        raise error

    monkeypatch.setattr(town, "get_state", refuse)
    monkeypatch.setattr(town.federation._courier._exchange.states._caller, "get_state", refuse)  # type: ignore[union-attr]
    town.hands.advance(10)
    with pytest.raises(type(error)):
        await town.federation.sync(str(who))
    after = town.store.observations[who]
    assert (after.state, after.last_seen, after.away) == (before.state, before.last_seen, before.away)
    assert (after.failures, town.disk.written) == (1, {})
    assert after.next_poll_at is not None
    await town.close()
