"""A cut ends what is under way with one peer, and nothing else."""

from __future__ import annotations

import pytest

from enigma_fed.rpc.underway import UnderWay
from tests.support.identities import did


def test_invariant_6_a_cut_ends_everything_under_way_with_the_peer_and_nothing_of_others() -> None:
    under_way, ended = UnderWay(), list[str]()
    with (
        under_way.track(did(1), lambda: ended.append("call")),
        under_way.track(did(1), lambda: ended.append("stream")),
        under_way.track(did(2), lambda: ended.append("another's")),
    ):
        under_way.cut(did(1))
        assert ended == ["call", "stream"]
        under_way.cut(did(3))
    assert ended == ["call", "stream"]


def test_what_is_over_is_not_ended_again_however_it_ended() -> None:
    under_way, ended = UnderWay(), list[str]()
    with pytest.raises(RuntimeError), under_way.track(did(1), lambda: ended.append("call")):
        raise RuntimeError
    under_way.cut(did(1))
    assert ended == []
