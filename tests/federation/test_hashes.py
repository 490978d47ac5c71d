"""The commit record: which token hashes an entry keeps."""

from __future__ import annotations

from enigma_fed.base import limits
from enigma_fed.federation.hashes import kept_hashes
from enigma_fed.wire.records import Stage
from tests.support.members import NOW, incoming, outgoing, pending
from tests.support.memberships import HASH, membership

OVER = NOW + 86400 + limits.AWAITING_AFTER_EXPIRY


def test_a_hash_stays_until_no_retry_of_its_join_can_come() -> None:
    used = membership(out=[outgoing(5, token_hash=HASH, stage=Stage.USED, code=None)])
    assert kept_hashes(used, (HASH,), OVER - 1) == (HASH,)
    assert kept_hashes(used, (HASH,), OVER) == ()


def test_the_hash_of_a_join_that_is_still_to_be_delivered_stays() -> None:
    waits = membership(inc=[incoming(5, token_hash=HASH, stage=Stage.AWAITING_APPROVAL)])
    assert kept_hashes(waits, (HASH,), OVER) == (HASH,)
    late = membership(out=[outgoing(5, token_hash=HASH)], waiting=[pending(1, token_hash=HASH)])
    assert kept_hashes(late, (HASH,), OVER) == (HASH,)
    done = membership(inc=[incoming(5, token_hash=HASH, stage=Stage.ANNOUNCED, code=None)])
    assert kept_hashes(done, (HASH,), OVER) == ()


def test_invariant_7_hashes_are_bounded() -> None:
    hashes = tuple(number.to_bytes(32, "big") for number in range(limits.FORGOTTEN_HASHES + 9))
    assert kept_hashes(membership(), hashes, NOW) == hashes[9:]
    known = membership(out=[outgoing(5, token_hash=hashes[0])])
    assert kept_hashes(known, hashes, NOW) == (hashes[0], *hashes[9:])
