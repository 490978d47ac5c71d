"""An identity as a registry keeps it, before it is sealed (docs/FILES.md, "A registry's folder").

1 byte    version, 1
1 byte    flags: 1 revoked, 2 changed since it was registered
8 bytes   when it was registered, milliseconds since the epoch, big-endian
32 bytes  hash of the newest entry of its log; only when it was changed
the rest  the public identity as compact JSON; nothing when it is revoked
"""

from __future__ import annotations

import struct
from typing import Final, Self

import msgspec

from enigma_fed.base import registry_limits
from enigma_fed.base.errors import WireError
from enigma_fed.wire.ownerchange import LogEntry
from enigma_fed.wire.publicidentity import PublicIdentity
from enigma_fed.wire.userid import UserId

_HEAD: Final = struct.Struct(">BBQ")
_VERSION: Final = 1
_REVOKED: Final = 1
_CHANGED: Final = 2
_HASH_BYTES: Final = 32


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """What a registry knows of one handle.

    A revoked handle stays taken for good: nobody may register it again, `/check_user` says that it exists,
    `/resolve` finds nobody there. Its identity is no longer kept.
    """

    user_id: UserId
    identity_bytes: bytes
    """The public identity as compact JSON, at most limits IDENTITY_BYTES; empty when it is revoked."""
    registered_ms: int
    """When it was registered, milliseconds since the epoch."""
    changed: bytes | None = None
    """Hash (32 bytes) of the newest entry of its log; None: it is as it was registered."""
    revoked: bool = False

    @property
    def head(self) -> bytes:
        """Hash (32 bytes) of the newest entry of its log, which the next change has to name."""
        return self.changed or self.first_entry().hash

    def first_entry(self) -> LogEntry:
        """How its log begins, as long as nothing was changed: nobody stored that."""
        identity = PublicIdentity.decode(self.identity_bytes)
        return LogEntry.registered(identity, self.registered_ms)

    def encode(self) -> bytes:
        """The bytes that are sealed; the handle is not among them."""
        flags = _REVOKED * self.revoked | _CHANGED * (self.changed is not None)
        return _HEAD.pack(_VERSION, flags, self.registered_ms) + (self.changed or b"") + self.identity_bytes

    @classmethod
    def decode(cls, user: UserId, data: bytes) -> Self:
        """Read them again; raises WireError."""
        if not _HEAD.size <= len(data) <= _HEAD.size + _HASH_BYTES + registry_limits.IDENTITY_BYTES:
            raise WireError("a stored identity has a size that none has")
        version, flags, registered_ms = _HEAD.unpack_from(data)
        begin = _HEAD.size + (_HASH_BYTES if flags & _CHANGED else 0)
        if version != _VERSION or flags > _REVOKED | _CHANGED or len(data) < begin:
            raise WireError("a stored identity has a form that is not known here")
        revoked = bool(flags & _REVOKED)
        if revoked != (len(data) == begin) or (revoked and not flags & _CHANGED):
            raise WireError("a stored identity is revoked, or has a content, and only one of them")
        return cls(
            user_id=user,
            identity_bytes=data[begin:],
            registered_ms=registered_ms,
            changed=data[_HEAD.size : begin] or None,
            revoked=revoked,
        )
