"""What the registry's client shows with `--json`, and the command line in words."""

from __future__ import annotations

import msgspec


class PrekeyView(msgspec.Struct, frozen=True):
    """The signed prekey of an identity with a bundle."""

    id: int
    public_key: str
    """Hexadecimal, as all keys here."""


class IdentityView(msgspec.Struct, frozen=True, kw_only=True):
    """An identity that a registry gave, and that held."""

    registry: str
    handle: str
    name: str | None
    """The name that it shows, which is the one of its handle."""
    signing_public_key: str
    encryption_public_key: str
    fingerprint: str
    created_at_ms: int
    device_id: str | None = None
    prekey: PrekeyView | None = None
    keys: str
    """`new`, `same`, `changed` or `proved`, against what was seen before."""
    first_seen: int
    """Unix seconds."""


class CheckView(msgspec.Struct, frozen=True):
    """Whether a registry holds an identity."""

    registry: str
    handle: str
    exists: bool


class RegisteredView(msgspec.Struct, frozen=True, kw_only=True):
    """What became of `register`, `update`, `rotate` and `revoke`."""

    registry: str
    handle: str
    name: str
    action: str
    """`register`, `update`, `rotate` or `revoke`."""
    outcome: str
    """`done`, or `was-done` when the registry held it already."""
    fingerprint: str | None
    """Of the keys that the registry holds now."""


class AnnouncedView(msgspec.Struct, frozen=True):
    """What became of `announce`."""

    registry: str
    handle: str
    addr: str
    signed: bool
    reannounce_after: int | None
    """Seconds."""


class NodesView(msgspec.Struct, frozen=True):
    """The registries that a registry knows."""

    registry: str
    nodes: tuple[str, ...]
    merged: int | None = None
    """How many of those that were added were new to it."""


class RegistrationView(msgspec.Struct, frozen=True):
    """A registry at which an identity of ours is registered."""

    registry: str
    at: int
    """Unix seconds."""
    current: bool
    """Whether it holds the newest keys."""


class OwnIdentityView(msgspec.Struct, frozen=True, kw_only=True):
    """An identity of ours; never its secrets."""

    name: str
    handle: str
    shows_name: bool
    fingerprint: str
    signing_public_key: str
    encryption_public_key: str
    created_at_ms: int
    key_sets: int
    registrations: tuple[RegistrationView, ...]
    file: str


class LogEntryView(msgspec.Struct, frozen=True, kw_only=True):
    """One change of an identity's keys."""

    seq: int
    action: str
    at_ms: int
    signing_public_key: str
    identity: str | None
    hash: str


class LogView(msgspec.Struct, frozen=True, kw_only=True):
    """The whole of an identity's log, which held."""

    registry: str
    handle: str
    entries: tuple[LogEntryView, ...]
