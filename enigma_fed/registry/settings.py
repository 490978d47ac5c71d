"""Settings of a registry, as its parts use them (docs/REGISTRY.md section 2).

`configfile.py` makes them from TOML. The plain tables are read as they stand here, bounds included; what a
file gives as text or by path (secrets, addresses, certificates) stands here in the form that is worked with.
"""

from __future__ import annotations

from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Annotated, Literal, TypeAlias

from msgspec import Meta, Struct

from enigma_fed.base.ids import Did

Network: TypeAlias = IPv4Network | IPv6Network


def rate(meaning: str) -> Meta:
    """The bounds of a rate: requests per second of one client, fractions too."""
    return Meta(description=meaning, gt=0, le=1_000_000)


class Table(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table of the file: what it has no key for is an error. Each key's `Meta` says what it means."""


class EndpointRates(Table, frozen=True, kw_only=True):
    """`[rate_limit.endpoints]`: what one client may ask of each route, in requests per second."""

    register_rps: Annotated[float, rate("Requests per second of one client to `/register`.")] = 1
    resolve_rps: Annotated[float, rate("The same for `/resolve`.")] = 3
    check_user_rps: Annotated[float, rate("The same for `/check_user`.")] = 10
    announce_rps: Annotated[float, rate("The same for `/announce` and signed presence.")] = 5
    sync_rps: Annotated[float, rate("The same for `/sync`.")] = 1
    nodes_rps: Annotated[float, rate("The same for `/nodes`, reading and adding together.")] = 2
    keys_rps: Annotated[
        float, rate("The same for the routes of envelope keys and of this registry's description.")
    ] = 2
    challenge_rps: Annotated[float, rate("The same for `/pow/challenge`.")] = 3
    owner_rps: Annotated[float, rate("The same for changes by an owner, and for the log of changes.")] = 1
    presence_rps: Annotated[float, rate("The same for presence that a federated peer asks for.")] = 10


class RateLimitSettings(Table, frozen=True, kw_only=True):
    """`[rate_limit]`: token buckets per client, one for everything and one for each route."""

    enabled: Annotated[
        bool, Meta(description="Whether requests are counted; the bounds of memory and connections stay.")
    ] = True
    per_ip_rps: Annotated[float, rate("Requests per second of one client to all routes together.")] = 5
    burst: Annotated[
        int, Meta(description="Requests that a client may make at once, of each kind.", gt=0, le=1_000_000)
    ] = 10
    ban_seconds: Annotated[
        int,
        Meta(
            description="Seconds for which a client is turned away that went on after refusals; 0: never.",
            ge=0,
            le=30 * 24 * 3600,
        ),
    ] = 300
    endpoints: EndpointRates = EndpointRates()


class PresenceSettings(Table, frozen=True, kw_only=True):
    """`[presence]`: how long an announcement holds."""

    ttl_seconds: Annotated[
        int,
        Meta(
            description="Seconds from its arrival until an announcement is forgotten.", gt=0, le=7 * 24 * 3600
        ),
    ] = 300
    gc_interval_seconds: Annotated[
        int, Meta(description="Seconds between two clearings of what has expired.", gt=0, le=24 * 3600)
    ] = 60


class PowSettings(Table, frozen=True, kw_only=True):
    """`[pow]`: proof of work for `/resolve` and `/check_user`; the numbers count once it is enabled."""

    enabled: Annotated[
        bool, Meta(description="Whether `/resolve` and `/check_user` ask for proof of work.")
    ] = False
    difficulty: Annotated[
        int, Meta(description="Leading zero bits that are asked for without load, 1 to 30; load raises them.")
    ] = 18
    ttl_seconds: Annotated[int, Meta(description="Seconds until a challenge expires, 1 to 3600.")] = 120
    register: Annotated[
        bool,
        Meta(description="Whether `/register` asks for it too; existing clients bring none there."),
    ] = False


class EnvelopeKey(Struct, frozen=True, kw_only=True):
    """One X25519 key that envelopes are sealed to."""

    kid: bytes
    """8 bytes."""
    private_key: bytes
    """32 bytes; secret."""
    active: bool = False
    """Whether answers may be sealed with it; one that is not active still opens what was sealed to it."""
    not_after_ms: int | None = None
    """When it expires, in milliseconds since the epoch; None: never."""

    def expired(self, now_ms: int) -> bool:
        """Whether its time is over at `now_ms`."""
        return self.not_after_ms is not None and now_ms > self.not_after_ms

    def __repr__(self) -> str:
        return f"EnvelopeKey(kid={self.kid.hex()}, active={self.active}, not_after_ms={self.not_after_ms})"


class EnvelopeSettings(Struct, frozen=True, kw_only=True):
    """`[envelope]`: the pepper, and the keys in the file's order."""

    pepper: bytes
    """32 bytes, known to every client of this registry and to nobody else."""
    keys: tuple[EnvelopeKey, ...]
    """At least one; at least one of them was active and not expired when they were read."""

    def active_key(self, now_ms: int) -> EnvelopeKey | None:
        """The first active key that has not expired: what answers are sealed with."""
        return next((key for key in self.keys if key.active and not key.expired(now_ms)), None)

    def __repr__(self) -> str:
        return f"EnvelopeSettings(keys={self.keys!r})"


class TlsSettings(Struct, frozen=True, kw_only=True):
    """`[tls]`: absolute paths of PEM files."""

    certificate: Path
    """The server's certificate, and the chain behind it."""
    key: Path
    """Its private key: RSA or EC, PKCS#8, PKCS#1 or SEC1."""
    client_ca: Path | None = None
    """Whose clients may connect; given, a client without a certificate is turned away in the handshake."""


class StorageSettings(Struct, frozen=True, kw_only=True):
    """`[storage]`: where identities are kept."""

    kind: Literal["memory", "sqlite"] = "sqlite"
    """`memory` forgets everything at the end; a file may also say `sled`, which is read as `sqlite`."""
    path: Path = Path("registry_db")
    """The folder of `registry.db` and `index.key`; absolute once read from a file."""


class RegistrySettings(Struct, frozen=True, kw_only=True):
    """Everything that a registry is told."""

    address: tuple[str, int] | None
    """Where it listens: IP address without brackets, port (0 takes a free one). None: nowhere by TCP."""
    envelope: EnvelopeSettings
    mode: Literal["http", "tls"] = "http"
    trusted_proxies: tuple[Network, ...] = ()
    """Whose `X-Forwarded-For` is believed."""
    allow_sync: bool = False
    """Whether peers may merge identities by `/sync`; a peer proves itself all the same."""
    max_nodes: int = 2048
    """Node URLs that are kept, at least 1."""
    nodes_open: bool = False
    """Whether anyone may add to the list of nodes."""
    peers: tuple[Did, ...] = ()
    """Whose signed requests are taken by `/sync` and by the look-up of presence."""
    older_routes: bool = False
    """Whether the routes of the older generation are served, which tell identities in clear."""
    check_user: bool = True
    """Whether `/check_user` is served."""
    require_bundle: bool = False
    """Whether an identity without a second-generation bundle is refused."""
    rate_limit: RateLimitSettings = RateLimitSettings()
    tls: TlsSettings | None = None
    storage: StorageSettings = StorageSettings()
    presence: PresenceSettings = PresenceSettings()
    pow: PowSettings = PowSettings()
