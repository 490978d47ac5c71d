"""Who is asking: the name by which limits count a caller (docs/REGISTRY.md section 8). Pure.

By TCP that is the IPv4 address, or the /64 network of an IPv6 address: whoever has one address of it has
all of them. What a reverse proxy says in `X-Forwarded-For` counts if that proxy is trusted, read from the
right: an entry was written by the hop that stands right of it, so it is believed as far as the hops are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from typing import Final, Self, TypeAlias

from enigma_fed.base import registry_limits

Network: TypeAlias = IPv4Network | IPv6Network
Address: TypeAlias = IPv4Address | IPv6Address
_HOST_BITS: Final = 64
"""Of an IPv6 address, what names the machine in its network."""


class ClientKey(str):
    """One caller; hashable, equal for what counts as one. Printing it tells nothing: it can be an address."""

    __slots__ = ()

    @classmethod
    def circuit(cls, number: int) -> Self:
        """Who comes by a circuit that our own tor numbers."""
        return cls(f"circuit {number}")

    @classmethod
    def shared(cls) -> Self:
        """All whom nothing tells apart: the onion behind a tor that numbers no circuits."""
        return cls("shared")

    def __repr__(self) -> str:
        return "ClientKey(...)"

    def __str__(self) -> str:
        return "a client"


def client_of(peer: str, forwarded: Sequence[str], trusted: Sequence[Network]) -> ClientKey:
    """The client behind a TCP connection.

    `peer` is the other end's address as the kernel writes it, `forwarded` the values of all
    `X-Forwarded-For` lines in order; they are looked at only if `peer` is in `trusted`. The client is the
    first address from the right that is not trusted, the last one read if all are. Where an entry is no
    address, or there are more than limits.FORWARDED_HOPS, it is `peer`.
    """
    if not (forwarded and trusted) and ":" not in peer:
        return ClientKey(peer)
    address = parse_address(peer)
    if address is None:
        return ClientKey(peer)
    if not (forwarded and _is_in(address, trusted)):
        return _key(address)
    most = registry_limits.FORWARDED_HOPS
    entries = ",".join(forwarded).rsplit(",", most)
    client: Address | None = None
    for entry in reversed(entries[-most:]):
        client = _hop(entry.strip(" \t"))
        if client is None or not _is_in(client, trusted):
            break
    else:
        client = client if len(entries) <= most else None
    return _key(client or address)


def parse_address(text: str) -> Address | None:
    """An IP address, an IPv4 one that is written as IPv6 in its own form; None if it is none."""
    try:
        address = ip_address(text)
    except ValueError:
        return None
    if isinstance(address, IPv6Address):
        return address.ipv4_mapped or address
    return address


def _key(address: Address) -> ClientKey:
    if isinstance(address, IPv4Address):
        return ClientKey(address)
    return ClientKey(f"network {int(address) >> _HOST_BITS:x}")


def _is_in(address: Address, networks: Iterable[Network]) -> bool:
    return any(address in network for network in networks)


def _hop(entry: str) -> Address | None:
    """An entry's address: some proxies write its port behind it, and IPv6 in brackets."""
    if entry.startswith("["):
        host, bracket, port = entry[1:].partition("]")
        return parse_address(host) if bracket and _is_port(port) else None
    if entry.count(":") == 1:
        entry, _, port = entry.partition(":")
        if not _is_port(":" + port):
            return None
    return parse_address(entry)


def _is_port(text: str) -> bool:
    """Nothing, or a colon and a port."""
    return not text or (text[0] == ":" and text[1:].isascii() and text[1:].isdigit() and len(text) <= 6)
