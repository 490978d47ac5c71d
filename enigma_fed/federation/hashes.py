"""Which token hashes a peer's entry keeps: the commit record of joins (PROTOCOL section 4). Pure."""

from __future__ import annotations

from enigma_fed.base import limits
from enigma_fed.federation.decision import find_incoming, find_outgoing
from enigma_fed.wire.records import Membership


def kept_hashes(membership: Membership, hashes: tuple[bytes, ...], now: int) -> tuple[bytes, ...]:
    """The hashes (of one peer, oldest first) without those whose invite is over.

    An invite is over once no retry of its join can come any more. Of an invite that invites.json
    has forgotten the token opens nothing; of those the newest are kept all the same.
    """
    left = [token_hash for token_hash in hashes if not _is_over(membership, token_hash, now)]
    unknown = [token_hash for token_hash in left if not _is_known(membership, token_hash)]
    oldest = set(unknown[: max(0, len(unknown) - limits.FORGOTTEN_HASHES)])
    return tuple(token_hash for token_hash in left if token_hash not in oldest)


def _is_known(membership: Membership, token_hash: bytes) -> bool:
    found = find_outgoing(membership, token_hash) or find_incoming(membership, token_hash)
    return found is not None


def _is_over(membership: Membership, token_hash: bytes, now: int) -> bool:
    incoming = find_incoming(membership, token_hash)
    if incoming is not None and incoming.code is not None:
        return False  # still to be delivered
    if any(pending.token_hash == token_hash for pending in membership.invites.pending):
        return False
    entry = find_outgoing(membership, token_hash) or incoming
    return entry is not None and now >= entry.expires_at + limits.AWAITING_AFTER_EXPIRY
