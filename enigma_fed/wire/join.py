"""Parameters and result of `federation.peer-joined` (PROTOCOL section 4)."""

from __future__ import annotations

from typing import Final, Self

import msgspec

from enigma_fed.base.errors import WireError
from enigma_fed.base.ids import Did, OnionAddress
from enigma_fed.wire import fields, hexadecimal
from enigma_fed.wire.invite import TOKEN_BYTES, hash_token
from enigma_fed.wire.records import TrustLevel

_SUFFIX: Final = ".onion"


class JoinParams(msgspec.Struct, frozen=True, kw_only=True):
    """A joiner's announcement: the Rust agent's members, the token and a name."""

    did: Did
    onion: OnionAddress
    token: bytes
    """16 bytes, secret."""
    signature: bytes
    """Ed25519, 64 bytes, over `joining_message`; not checked here."""
    name: str | None = None

    @property
    def token_hash(self) -> bytes:
        """SHA-256 of the token."""
        return hash_token(self.token)

    @property
    def message(self) -> bytes:
        """What the inner signature covers."""
        return joining_message(self.did, self.onion)

    @classmethod
    def from_object(cls, obj: object, *, binary: bool) -> Self:
        """Read the parameters, the same in JSON and CBOR; raises WireError. Unknown members are ignored."""
        members = fields.mapping(obj, "params")
        return cls(
            did=fields.identity(members),
            onion=fields.onion(members, "onion"),
            token=fields.hexadecimals(members, "token", TOKEN_BYTES),
            signature=fields.hexadecimals(members, "signature", 64),
            name=fields.optional(fields.node_name, members, "name"),
        )

    def to_object(self, *, binary: bool) -> object:
        """The parameters as plain values."""
        members: dict[str, object] = {
            "did": str(self.did),
            "onion": str(self.onion),
            "pubkey": hexadecimal.encode(self.did.public_key),
            "signature": hexadecimal.encode(self.signature),
            "token": hexadecimal.encode(self.token),
        }
        return members if self.name is None else {**members, "name": self.name}

    def __repr__(self) -> str:
        return f"JoinParams(from {self.did.short})"


class TokenlessJoin(msgspec.Struct, frozen=True, kw_only=True):
    """The Rust agent's announcement: it names no token, and its signature no receiver.

    It proves that somebody had the key once, and nothing else.
    """

    did: Did
    onion: OnionAddress
    signature: bytes
    """Ed25519, 64 bytes, over `message`; not checked here."""
    bare_onion: bool = False
    """Whether it named its onion without `.onion`, as that agent may do."""

    @property
    def message(self) -> bytes:
        """What the signature covers: the onion as it was named."""
        onion = str(self.onion)
        return _joining_message(self.did, onion.removesuffix(_SUFFIX) if self.bare_onion else onion)

    @classmethod
    def from_object(cls, obj: object, *, binary: bool) -> Self:
        """Read the parameters; raises WireError, also when there is a token.

        Members that the signature does not cover are ignored, a name too.
        """
        members = fields.mapping(obj, "params")
        if "token" in members:
            raise WireError("token: a join with a token is a signed request")
        named = fields.text(members, "onion")
        bare = not named.endswith(_SUFFIX)
        return cls(
            did=fields.identity(members),
            onion=fields.onion({"onion": named + _SUFFIX if bare else named}, "onion"),
            signature=fields.hexadecimals(members, "signature", 64),
            bare_onion=bare,
        )

    def to_object(self, *, binary: bool) -> object:
        """The parameters as plain values."""
        return {
            "did": str(self.did),
            "onion": str(self.onion).removesuffix(_SUFFIX) if self.bare_onion else str(self.onion),
            "pubkey": hexadecimal.encode(self.did.public_key),
            "signature": hexadecimal.encode(self.signature),
        }


class JoinReply(msgspec.Struct, frozen=True):
    """The inviter's consent."""

    trust: TrustLevel
    """What the joiner has there now."""

    @classmethod
    def from_object(cls, obj: object) -> Self:
        """Read the result; raises WireError."""
        members = fields.mapping(obj, "result")
        if members.get("joined") is not True:
            raise WireError("joined: not true")
        return cls(fields.choice(TrustLevel, members, "trust"))

    def to_object(self, *, binary: bool) -> object:
        """The result as plain values."""
        return {"joined": True, "trust": self.trust.value}


def joining_message(did: Did, onion: OnionAddress) -> bytes:
    """What a joiner signs inside the parameters, as the Rust agent does."""
    return _joining_message(did, str(onion))


def _joining_message(did: Did, onion: str) -> bytes:
    return f"peer-joined:{did}:{onion}:{hexadecimal.encode(did.public_key)}".encode("ascii")
