"""Which registries a registry lists (docs/REGISTRY.md section 4). Pure.

The list is read by strangers' programs, and looked after by ours: an address in it must be one that
the public network leads to, or it would be bait for requests into somebody's own network.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit

from enigma_fed.base import registry_limits as limits
from enigma_fed.base.errors import OnionInvalid
from enigma_fed.base.ids import OnionAddress
from enigma_fed.base.registry_errors import InputRefused

_FIELD: Final = "base_url"
_PORTS: Final = {"http": 80, "https": 443}
_NAME: Final = re.compile(r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z][a-z0-9-]{0,61}[a-z0-9]")
_NAME_CHARACTERS: Final = 253
_PATH: Final = re.compile(r"(?:/[A-Za-z0-9._~!$&'()*+,;=:@%-]+)*")
_LOCAL_NAMES: Final = (".localhost", ".local", ".internal", ".home.arpa")
_NAT64: Final = IPv6Network("64:ff9b::/96")
_IPV4_MASK: Final = 2**32 - 1


def normalized(url: str, allow_private: bool = False) -> str:
    """The one way to write a node's `base_url`: scheme and host lower-case, no default port, no last slash.

    Raises InputRefused (field `base_url`) for what is no http or https URL of a name, public address or
    onion: user names, queries, fragments and dots in the path too. `allow_private` lets any host pass,
    for networks of one's own.
    """
    trimmed = url.strip()
    if not trimmed or len(url.encode("utf-8", "replace")) > limits.NODE_URL_BYTES:
        raise InputRefused(_FIELD)
    if not trimmed.isascii() or any(not "!" <= character <= "~" for character in trimmed):
        raise InputRefused(_FIELD)
    parts, port = _split(trimmed)
    host = _host(parts.hostname or "", allow_private)
    path = parts.path.rstrip("/")
    if not _PATH.fullmatch(path) or any(piece in (".", "..") for piece in _unescaped_dots(path).split("/")):
        raise InputRefused(_FIELD)
    shown = "" if port is None or port == _PORTS[parts.scheme] else f":{port}"
    return f"{parts.scheme}://{host}{shown}{path}"


def is_public_address(text: str) -> bool:
    """Whether an IP address is of the public network: demanded of where the name of a node leads."""
    try:
        address: IPv4Address | IPv6Address = ip_address(text)
    except ValueError:
        return False
    if isinstance(address, IPv6Address):
        address = _inside(address)
    return address.is_global and not address.is_multicast


def merged(known: Sequence[str], offered: Iterable[str], most: int) -> tuple[str, ...]:
    """Those of the offered, normalized URLs that are new, each once, as many as the list still takes."""
    room = max(0, most - len(known))
    return tuple(url for url in dict.fromkeys(offered) if url not in set(known))[:room]


@dataclass(frozen=True, slots=True)
class NodeHealth:
    """What looking at one node showed; times are seconds on the boot clock."""

    looked: float
    """When it was last looked at, or came to the list."""
    reached: float
    """When it answered last, or came to the list."""
    failures: int = 0
    """Looks since then that failed."""

    @classmethod
    def new(cls, now: float) -> NodeHealth:
        """Of a node that came to the list now, or was in it when we started."""
        return cls(looked=now, reached=now)

    def after(self, now: float, *, answered: bool) -> NodeHealth:
        """After another look."""
        return NodeHealth(now, now) if answered else NodeHealth(now, self.reached, self.failures + 1)

    def gone(self, now: float) -> bool:
        """Whether it was unreachable so long, and so often, that it leaves the list."""
        return self.failures >= limits.NODE_FAILURES and now - self.reached >= limits.NODE_UNREACHABLE


def due(nodes: Mapping[str, NodeHealth], now: float) -> tuple[str, ...]:
    """Which nodes to look at now, those first that were not looked at for longest."""
    waiting = [url for url, health in nodes.items() if now - health.looked >= limits.NODE_PROBE_INTERVAL]
    return tuple(sorted(waiting, key=lambda url: nodes[url].looked)[: limits.NODE_PROBES_DUE])


def _split(url: str) -> tuple[SplitResult, int | None]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InputRefused(_FIELD) from None
    lonely_colon = parts.netloc.endswith(":")
    if parts.scheme not in _PORTS or "@" in parts.netloc or lonely_colon or port == 0:
        raise InputRefused(_FIELD)
    if "?" in url or "#" in url or "\\" in url:
        raise InputRefused(_FIELD)
    return parts, port


def _host(host: str, allow_private: bool) -> str:
    host = host.removesuffix(".").lower()
    if host.endswith(".onion"):
        return _onion(host)
    try:
        address = ip_address(host)
    except ValueError:
        return _name(host, allow_private)
    if isinstance(address, IPv6Address) and address.scope_id is not None:
        raise InputRefused(_FIELD)
    if not (allow_private or is_public_address(host)):
        raise InputRefused(_FIELD)
    return f"[{address}]" if isinstance(address, IPv6Address) else str(address)


def _onion(host: str) -> str:
    try:
        return str(OnionAddress.parse(host))
    except OnionInvalid:
        raise InputRefused(_FIELD) from None


def _name(host: str, allow_private: bool) -> str:
    """A name of the public DNS. Its last label begins with a letter: programs read `127.1` as an address."""
    if allow_private and host == "localhost":
        return host
    if len(host) > _NAME_CHARACTERS or not _NAME.fullmatch(host):
        raise InputRefused(_FIELD)
    if not allow_private and host.endswith(_LOCAL_NAMES):
        raise InputRefused(_FIELD)
    return host


def _inside(address: IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that an IPv6 one leads to, itself if to none."""
    if address in _NAT64:
        return IPv4Address(int(address) & _IPV4_MASK)
    teredo = address.teredo
    return address.ipv4_mapped or address.sixtofour or (teredo[1] if teredo else address)


def _unescaped_dots(path: str) -> str:
    return re.sub("%2e", ".", path, flags=re.IGNORECASE)
