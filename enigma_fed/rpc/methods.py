"""The methods of this node's RPC: a table of typed entries."""

from __future__ import annotations

import enum
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Protocol, Self, runtime_checkable

from enigma_fed.base.errors import FieldInvalid
from enigma_fed.base.ids import Did
from enigma_fed.wire.records import TrustLevel


class Standing(enum.Enum):
    """What a caller's DID is to this node."""

    UNKNOWN = "unknown"
    REMOVED = "removed"
    MEMBER = "member"
    SELF = "self"


@dataclass(frozen=True, slots=True)
class Caller:
    """Who made a call; its signature held."""

    did: Did
    standing: Standing


class Result(Protocol):
    """What a handler returns."""

    def to_object(self, *, binary: bool) -> object:
        """The result as plain values, with bytes where `binary` (CBOR) allows them."""
        ...


class EncodedResult:
    """Base of results that keep their encoded form: the answering path then only copies bytes."""

    def to_object(self, *, binary: bool) -> object:
        """The result as plain values."""
        raise NotImplementedError

    def encoded(self, *, binary: bool) -> bytes:
        """The result as JSON, or as deterministic CBOR if `binary`."""
        raise NotImplementedError


class Params(Protocol):
    """The parameters of a method."""

    @classmethod
    def from_object(cls, obj: object, *, binary: bool) -> Self:
        """Read the member `params` of a call (an empty object when absent); raises WireError."""
        ...


@runtime_checkable
class TokenParams(Params, Protocol):
    """The parameters of a method that is open to an unknown DID: a token of ours vouches for it."""

    @property
    def token_hash(self) -> bytes:
        """Tells tokens apart: each has a share of the replay table."""
        ...


@runtime_checkable
class NamesItself(Params, Protocol):
    """The parameters of a method that is open without any signature: they name the caller."""

    @property
    def did(self) -> Did:
        """Who the caller says it is; the handler checks the proof inside the params."""
        ...


@dataclass(frozen=True, slots=True)
class Method:
    """One method: how its params are read, who may call it, what runs.

    `trust` is the least level of a member (None: any member). `open_to_unknown` lets a DID in
    that is no member (joins only: the params are TokenParams). `challenge` asks every caller for a
    challenge (invariant 2). `open_to_self` lets the node reach itself. `handler` gets the caller
    and the read params; it raises an RpcError to refuse.
    """

    name: str
    params: type[Params]
    handler: Callable[[Caller, Any], Awaitable[Result]]
    trust: TrustLevel | None = None
    open_to_unknown: bool = False
    challenge: bool = False
    open_to_self: bool = False


class MethodTable:
    """The methods by name, fixed once made; raises FieldInvalid when two share a name."""

    def __init__(self, methods: Iterable[Method]) -> None:
        table: dict[str, Method] = {}
        for method in methods:
            if table.setdefault(method.name, method) is not method:
                raise FieldInvalid(f"two methods are named {method.name}")
        self._table: Mapping[str, Method] = MappingProxyType(table)

    def find(self, name: str) -> Method | None:
        """The method of that name."""
        return self._table.get(name)

    @property
    def names(self) -> tuple[str, ...]:
        """All names, sorted."""
        return tuple(sorted(self._table))
