"""The one table of a registry's routes: what is served, limited, documented (docs/REGISTRY.md, 3 and 4).

`http.py` serves it, `openapi.py` describes it, the tests walk it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from enigma_fed.registry.limiter import Bucket
from enigma_fed.registry.settings import RegistrySettings


class Proof(StrEnum):
    """What a caller brings besides the request."""

    NONE = "none"
    WORK = "work"
    """A solved proof of work, where `[pow]` is enabled."""
    PEER = "peer"
    """A peer's signature (RFC 9421)."""
    PEER_OR_CERTIFICATE = "peer or certificate"
    """A peer's signature, or a client certificate where the handshake asks for one."""
    OWNER = "owner"
    """A statement in the body, signed by the registered key."""

    @property
    def refuses(self) -> bool:
        """Whether whoever comes without it is told UNAUTHORIZED."""
        return self not in (Proof.NONE, Proof.WORK)


class When(StrEnum):
    """Under which settings a route is there; otherwise its path is unknown."""

    ALWAYS = "always"
    POW = "pow"
    """`[pow] enabled`, or a listener that nothing else tells callers apart at."""
    OLDER = "older"
    """`older_routes`."""


@dataclass(frozen=True, slots=True)
class Route:
    """One method of one path."""

    name: str
    """In counters and in the OpenAPI document."""
    method: str
    path: str
    """A last segment in braces is a parameter."""
    bucket: Bucket
    summary: str
    proof: Proof = Proof.NONE
    reads: str | None = None
    """The schema of the body; None: a body is not looked at."""
    answers: str = "Ok"
    """The schema of the reply."""
    fails: tuple[int, ...] = ()
    """Statuses besides those that every route can have."""
    when: When = When.ALWAYS

    @property
    def parameter(self) -> str | None:
        """The name of the path's last segment, if it is a parameter."""
        _, brace, tail = self.path.partition("{")
        return tail.rstrip("}") if brace else None

    @property
    def head(self) -> str:
        """The path without its parameter: also what a challenge for this route alone is asked for with."""
        return self.path.partition("/{")[0]

    def is_served(self, settings: RegistrySettings, *, pow_always: bool) -> bool:
        """Whether it is there under these settings."""
        if self.when is When.POW:
            return settings.pow.enabled or pow_always
        return self.when is When.ALWAYS or settings.older_routes


ROUTES: Final = (
    Route(
        "register", "POST", "/register", Bucket.REGISTER,
        "Register an identity, sealed to an envelope key of this registry.",
        reads="Register", fails=(409, 503), proof=Proof.WORK,
    ),
    Route(
        "resolve", "POST", "/resolve", Bucket.RESOLVE,
        "The identity of a handle, sealed to the requester's ephemeral key; null where there is none.",
        reads="Resolve", answers="Resolved", proof=Proof.WORK,
    ),
    Route(
        "check_user", "GET", "/check_user/{handle}", Bucket.CHECK_USER,
        "Whether a handle is taken.", answers="Exists", proof=Proof.WORK,
    ),
    Route(
        "announce", "POST", "/announce", Bucket.ANNOUNCE,
        "A heartbeat: where a registered user is. It expires; `Reannounce-After` says when to come again.",
        reads="Presence",
    ),
    Route(
        "sync", "POST", "/sync", Bucket.SYNC,
        "Identities of another registry; those that hold and whose handles are free are registered.",
        reads="Sync", answers="Merged", proof=Proof.PEER_OR_CERTIFICATE,
    ),
    Route("nodes", "GET", "/nodes", Bucket.NODES, "The list of nodes.", answers="Nodes"),
    Route(
        "add_nodes", "POST", "/nodes", Bucket.NODES,
        "Add to the list of nodes; for peers, or for everyone where `nodes_open` is set.",
        reads="Nodes", answers="Merged", proof=Proof.PEER,
    ),
    Route(
        "envelope_pubkey", "GET", "/envelope_pubkey", Bucket.KEYS,
        "The public key to seal to.", answers="EnvelopePublicKey",
    ),
    Route(
        "envelope_pubkeys", "GET", "/envelope_pubkeys", Bucket.KEYS,
        "All public keys that have not expired; seal to the first that is active.",
        answers="EnvelopePublicKeys",
    ),
    Route(
        "pow_challenge", "GET", "/pow/challenge", Bucket.CHALLENGE,
        "A challenge for a proof of work; with `?route=` good for that route alone.",
        answers="Challenge", when=When.POW,
    ),
    Route(
        "resolve_clear", "GET", "/resolve/{handle}", Bucket.RESOLVE,
        "The identity of a handle in clear.", answers="ResolvedClear", proof=Proof.WORK, when=When.OLDER,
    ),
    Route(
        "registry", "GET", "/v1/registry", Bucket.KEYS,
        "Who this registry is (its DID), what it offers and how much it takes.", answers="Facts",
    ),
    Route(
        "change", "POST", "/v1/change", Bucket.OWNER,
        "Update, rotate or revoke an identity.", reads="Change", answers="Changed",
        proof=Proof.OWNER, fails=(404, 409),
    ),
    Route(
        "log", "POST", "/v1/log", Bucket.OWNER,
        "Every change of an identity, hash-chained, sealed to the requester's ephemeral key.",
        reads="Resolve", answers="Resolved", proof=Proof.WORK,
    ),
    Route(
        "announce_signed", "POST", "/v1/announce", Bucket.ANNOUNCE,
        "A heartbeat that the registered key signed; no unsigned one replaces it while it holds.",
        reads="SignedPresence", answers="Announced", proof=Proof.OWNER,
    ),
    Route(
        "presence", "POST", "/v1/presence", Bucket.PRESENCE,
        "Where a user was announced last.", reads="PresenceQuery", answers="PresenceFound", proof=Proof.PEER,
    ),
    Route("openapi", "GET", "/openapi.json", Bucket.OTHER, "This document.", answers="OpenApi"),
)  # fmt: skip
"""Everything that a registry serves."""


def served(settings: RegistrySettings, *, pow_always: bool) -> Iterator[Route]:
    """The routes that are there under these settings."""
    return (route for route in ROUTES if route.is_served(settings, pow_always=pow_always))
