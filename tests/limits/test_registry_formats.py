"""Formats of the registry: what is just at a limit is read, one past it is refused."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import pytest

from enigma_fed.base import registry_limits
from enigma_fed.base.errors import EnigmaError
from enigma_fed.wire import registryobject, registryreplies
from enigma_fed.wire.publicidentity import PublicIdentity
from enigma_fed.wire.registrybodies import (
    NodesPayload,
    Presence,
    RegisterRequest,
    ResolveRequest,
    SyncRequest,
)
from enigma_fed.wire.userid import normalized
from tests.support.registryusers import User

ALICE: Final = User("alice")
_ALONE: Final = ALICE.identity(signature=b"x").encode()
OTHERS: Final = sum(map(_ALONE.count, (b",", b":", b"[", b"{")))
"""Values of it but for the signature's."""
Try = Callable[[int], object]


def _padded(body: bytes, size: int) -> bytes:
    return body + b" " * (size - len(body))


def _identity(size: int) -> object:
    """One whose compact text has that size."""
    spare = size - len(ALICE.identity(signature=b"\x01").encode())
    return PublicIdentity.decode(
        ALICE.identity(
            signature=b"\x01" * (1 + spare // 2), created_at_ms=10**12 * (9 * (spare % 2) + 1)
        ).encode()
    )


LARGEST: Final[dict[str, Try]] = {
    "RESOLVE_BYTES": lambda size: ResolveRequest.decode(
        _padded(ResolveRequest(ALICE.id, bytes(32)).encode(), size)
    ),
    "REGISTER_BYTES": lambda size: RegisterRequest.decode(_padded(ALICE.register().encode(), size)),
    "ANNOUNCE_BYTES": lambda size: Presence.decode(_padded(Presence(ALICE.id, "local", 1).encode(), size)),
    "SYNC_BYTES": lambda size: SyncRequest.decode(_padded(SyncRequest(()).encode(), size)),
    "SYNC_IDENTITIES": lambda count: SyncRequest.decode(
        SyncRequest((ALICE.identity(signature=b"x"),) * count).encode()
    ),
    "NODES_BYTES": lambda size: NodesPayload.decode(_padded(NodesPayload(()).encode(), size)),
    "NODES_IN_A_BODY": lambda count: NodesPayload.decode(NodesPayload(("http://a",) * count).encode()),
    "NODE_URL_BYTES": lambda size: NodesPayload.decode(NodesPayload(("http://é".ljust(size - 1),)).encode()),
    "IDENTITY_BYTES": _identity,
    "REGISTRY_VALUES": lambda count: registryobject.body(b"[" + b"1," * (count - 2) + b"1]", 10_000),
    "IDENTITY_VALUES": lambda count: PublicIdentity.decode(
        b" " + ALICE.identity(signature=b"\x01" * (count - OTHERS)).encode()
    ),
    "USER_NAME_BYTES": lambda size: normalized("é" + "a" * (size - 2)),
    "ADDRESS_BYTES": lambda size: Presence.decode(Presence(ALICE.id, "é".ljust(size - 1), 1).encode()),
    "REGISTRY_REPLY_BYTES": lambda size: registryreplies.read_ok(_padded(registryreplies.OK, size)),
}


@pytest.mark.parametrize("name", LARGEST)
def test_invariant_7_at_the_limit_and_one_past_it(name: str) -> None:
    attempt, bound = LARGEST[name], getattr(registry_limits, name)
    attempt(bound)
    with pytest.raises(EnigmaError):
        attempt(bound + 1)


def test_invariant_7_an_identity_that_is_too_large_is_skipped_in_a_sync() -> None:
    large = ALICE.identity(signature=b"\x01" * (registry_limits.IDENTITY_BYTES // 2))
    assert SyncRequest.decode(SyncRequest((large,)).encode()) == SyncRequest((), skipped=1)
