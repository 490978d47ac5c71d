"""Where a registry is: a base URL, checked before anything is sent to it. Pure."""

from __future__ import annotations

import ipaddress
import urllib.parse
from dataclasses import dataclass
from typing import Final, Self

from enigma_fed.base import registry_limits
from enigma_fed.base.errors import EnigmaError, UsageError
from enigma_fed.base.ids import OnionAddress

_LIKE: Final = "Like: https://registry.example:8443, or http:// with an onion address."
_USUAL_PORT: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Place:
    """A registry's base URL in its one spelling: no slash at the end, no default port."""

    url: str
    onion: OnionAddress | None = None
    """The onion that it is, which is reached through Tor alone."""

    @classmethod
    def parse(cls, text: str, *, allow_http: bool = False) -> Self:
        """Read `http(s)://HOST[:PORT][/PATH]`; raises UsageError.

        Plain HTTP is for this machine and for onions (Tor encrypts), unless it is allowed.
        """
        parts, port = _split(text)
        host = (parts.hostname or "").rstrip(".")
        onion = _onion(host)
        if onion is not None and parts.scheme != "http":
            raise UsageError("an onion is reached by http://: Tor itself encrypts", hint=_LIKE)
        if parts.scheme == "http" and onion is None and not allow_http and not is_this_machine(host):
            raise UsageError(
                f"{host} would be asked without encryption",
                hint="Use https://; if everybody between may read and change it: --allow-http",
            )
        shown = f"[{host}]" if ":" in host else host
        if port is not None and port != _USUAL_PORT[parts.scheme]:
            shown = f"{shown}:{port}"
        return cls(f"{parts.scheme}://{shown}{parts.path.rstrip('/')}", onion)

    @property
    def is_encrypted(self) -> bool:
        """Whether TLS is spoken to it."""
        return self.url.startswith("https://")

    @property
    def short(self) -> str:
        """Its URL for a sentence; an onion's is shortened."""
        return self.url if self.onion is None else self.url.replace(str(self.onion), self.onion.short)


def is_this_machine(host: str) -> bool:
    """Whether a name or address is of this machine's loopback."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _split(text: str) -> tuple[urllib.parse.SplitResult, int | None]:
    if len(text.encode("utf-8", "replace")) > registry_limits.NODE_URL_BYTES:
        raise UsageError(f"the URL is longer than {registry_limits.NODE_URL_BYTES} bytes", hint=_LIKE)
    if not text.isprintable() or not text.isascii() or any(character in text for character in " \\%"):
        raise UsageError("the URL holds characters that no such URL has", hint=_LIKE)
    try:
        parts = urllib.parse.urlsplit(text)
        port = parts.port
    except ValueError:
        raise UsageError("that is no URL", hint=_LIKE) from None
    if parts.scheme not in _USUAL_PORT or not parts.hostname or port == 0:
        raise UsageError("that is no URL of a registry", hint=_LIKE)
    if "@" in parts.netloc or "?" in text or "#" in text:
        raise UsageError("the URL may hold a host, a port and a path, and nothing else", hint=_LIKE)
    return parts, port


def _onion(host: str) -> OnionAddress | None:
    if not host.endswith(".onion"):
        return None
    try:
        return OnionAddress.parse(host)
    except EnigmaError as error:
        raise UsageError(f"{error.what}: {error.detail}", hint="Copy the address again, whole.") from None
