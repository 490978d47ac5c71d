"""The tables of a registry's configuration as they stand in TOML (docs/REGISTRY.md section 2).

The same ones stand at the top level of `registry.toml` and under `[registry]` in the agent's `config.toml`;
only where to listen has another name there. What they mean together is decided in `configfile.py`.
"""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from enigma_fed.registry.settings import PowSettings, PresenceSettings, RateLimitSettings, Table


class EnvelopeKeyTable(Table, frozen=True, kw_only=True):
    """One entry of `envelope.keys`."""

    kid_hex: str
    x25519_private_key_hex: str | None = None
    x25519_private_key_file: str | None = None
    active: bool = False
    not_after_epoch_ms: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None


class EnvelopeTable(Table, frozen=True, kw_only=True):
    """`[envelope]`."""

    pepper_hex: Annotated[
        str | None, Meta(description="The pepper that this registry's clients know: 64 hex digits.")
    ] = None
    pepper_file: Annotated[
        str | None, Meta(description="Instead: a file with these digits, its owner's alone.")
    ] = None
    keys: Annotated[
        tuple[EnvelopeKeyTable, ...],
        Meta(
            description="X25519 keys: tables with `kid_hex` (16 digits), `x25519_private_key_hex` (64) or "
            "`x25519_private_key_file`, `active` (default false) and `not_after_epoch_ms`. The first that is "
            "active and has not expired seals the answers; the others open what was sealed to them.",
            max_length=64,
        ),
    ] = ()


class TlsTable(Table, frozen=True, kw_only=True):
    """`[tls]`."""

    cert_pem_path: Annotated[
        str | None, Meta(description="The server's certificate and the chain behind it, PEM.")
    ] = None
    key_pem_path: Annotated[str | None, Meta(description="Its private key, RSA or EC, PEM.")] = None
    client_ca_pem_path: Annotated[
        str | None,
        Meta(description="Whose clients may connect, PEM; a client without such a certificate may not."),
    ] = None


class StorageTable(Table, frozen=True, kw_only=True):
    """`[storage]`."""

    kind: Annotated[
        Literal["memory", "sqlite", "sled"],
        Meta(description="`memory` forgets everything at the end; `sled` is read as `sqlite`."),
    ] = "sqlite"
    path: Annotated[
        str | None,
        Meta(description="The folder of `registry.db`, of `index.key` and of the registry's own key."),
    ] = None


class CommonTables(Table, frozen=True, kw_only=True):
    """What stands in either file."""

    mode: Annotated[
        Literal["http", "tls"] | None,
        Meta(
            description="`tls`, or `http` for loopback and for a proxy in front. Left out: `tls` where there "
            "is a certificate, else `http`, which then listens on loopback only."
        ),
    ] = None
    trusted_proxies: Annotated[
        tuple[str, ...],
        Meta(
            description="Addresses and networks (`10.0.0.0/8`) whose `X-Forwarded-For` is believed.",
            max_length=256,
        ),
    ] = ()
    allow_sync: Annotated[
        bool, Meta(description="Whether peers may merge identities by `/sync`; each has to prove itself.")
    ] = False
    max_nodes: Annotated[
        int, Meta(description="Node URLs that are kept; 0 counts as 1.", ge=0, le=1_000_000)
    ] = 2048
    nodes_open: Annotated[bool, Meta(description="Whether anyone may add node URLs by `POST /nodes`.")] = (
        False
    )
    peers: Annotated[
        tuple[str, ...],
        Meta(
            description="DIDs whose signed requests are taken by `/sync` and by the look-up of presence.",
            max_length=4096,
        ),
    ] = ()
    older_routes: Annotated[
        bool,
        Meta(description="Whether the older generation's routes are served; they tell identities in clear."),
    ] = False
    check_user: Annotated[
        bool, Meta(description="Whether `/check_user` is served; it tells anyone who is registered.")
    ] = True
    require_bundle: Annotated[
        bool, Meta(description="Whether an identity without a second-generation bundle is refused.")
    ] = False
    rate_limit: RateLimitSettings = RateLimitSettings()
    envelope: EnvelopeTable = EnvelopeTable()
    tls: TlsTable | None = None
    storage: StorageTable = StorageTable()
    presence: PresenceSettings = PresenceSettings()
    pow: PowSettings = PowSettings()


class RegistryTables(CommonTables, frozen=True, kw_only=True):
    """`registry.toml`."""

    address: str = "127.0.0.1:8443"


class AgentTables(CommonTables, frozen=True, kw_only=True):
    """`[registry]` in `config.toml`."""

    enabled: Annotated[bool, Meta(description="Whether this node hosts an identity registry.")] = False
    listen: Annotated[
        str,
        Meta(
            description="IP address and port of the registry; port 0 takes a free one, empty opens none, for "
            "a registry that only its onion leads to."
        ),
    ] = "127.0.0.1:8443"
    onion: Annotated[
        bool,
        Meta(
            description="Whether the registry is published on an onion address of its own, for strangers, "
            "which nothing links with the address for peers."
        ),
    ] = False
    onion_listen: Annotated[
        str,
        Meta(
            description="With tor modes `socks` and `system`: loopback address and port that this onion "
            "leads to. In mode `system` a free port is taken when this one is in use."
        ),
    ] = "127.0.0.1:8444"
