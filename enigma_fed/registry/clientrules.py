"""What a registry's answer means beside what was seen before. Pure."""

from __future__ import annotations

import enum
from collections.abc import Sequence

from enigma_fed.wire.knownidentities import Known, keys_digest
from enigma_fed.wire.ownerchange import LogEntry
from enigma_fed.wire.publicidentity import PublicIdentity

_DAY = 86_400


class Keys(enum.StrEnum):
    """How the keys of an identity are to those seen before."""

    NEW = "new"
    """Seen for the first time at this registry: nothing vouches for them."""
    SAME = "same"
    CHANGED = "changed"
    """They are others, and nothing proves that their owner changed them."""
    PROVED = "proved"
    """They are others, and the ones of before signed for the change."""


def compare(known: Known | None, identity: PublicIdentity) -> Keys:
    """NEW, SAME or CHANGED: whether the signing and the encryption key are those of before."""
    if known is None:
        return Keys.NEW
    return Keys.SAME if known.keys == keys_digest(identity) else Keys.CHANGED


def remembered(
    known: Known | None, url: str, identity: PublicIdentity, now: int, head: bytes | None = None
) -> Known:
    """What to remember of an identity that is believed; `head` is the hash of its log's newest entry."""
    return Known(
        url=url,
        user_id=identity.user_id,
        keys=keys_digest(identity),
        identity=identity.digest,
        first_seen=now if known is None else known.first_seen,
        last_seen=now,
        head=head or (None if known is None else known.head),
    )


def leads_to(entries: Sequence[LogEntry], known: Known, identity: bytes) -> bool:
    """Whether a log that holds leads from what was known to the identity of this digest."""
    if entries[-1].identity != identity:
        return False
    if known.head is not None and known.head not in {entry.hash for entry in entries}:
        return False
    return known.identity in {entry.identity for entry in entries[:-1]}


def worth_writing(known: Known | None, now_known: Known) -> bool:
    """Whether it differs by more than the time of the day: a file is not written at every look."""
    if known is None:
        return True
    same = (known.keys, known.identity, known.head) == (now_known.keys, now_known.identity, now_known.head)
    return not same or now_known.last_seen - known.last_seen >= _DAY


def fingerprint(digest: bytes) -> str:
    """The first 16 bytes of a digest in groups of four digits, for reading aloud."""
    digits = digest[:16].hex()
    return " ".join(digits[at : at + 4] for at in range(0, 32, 4))
