"""Where a tor listens on this machine: a TCP port or a Unix socket. Pure."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass
from typing import Final, Self

from enigma_fed.base.errors import ConfigError

_UNIX: Final = "unix:"
_WORD: Final = re.compile(r'"((?:[^"\\]|\\.)*)"|(\S+)')


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A loopback address and a port, or the path of a Unix socket (then `host` is empty)."""

    host: str
    port: int
    path: str = ""

    @classmethod
    def unix(cls, path: str) -> Self:
        """A Unix socket."""
        return cls("", 0, path)

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `unix:/PATH` or `ADDR:PORT` with a loopback address; raises ConfigError."""
        if text.startswith(_UNIX):
            path = text.removeprefix(_UNIX)
            if not path.startswith("/") or "\0" in path:
                raise ConfigError("after unix: it must be an absolute path")
            return cls.unix(path)
        host, _, port = text.rpartition(":")
        if not is_loopback(host) or not _is_port(port):
            raise ConfigError(
                "it must be unix:/PATH, or a loopback address and a port such as 127.0.0.1:9051"
            )
        return cls(host.strip("[]"), int(port))

    @property
    def is_unix(self) -> bool:
        """Whether it is a Unix socket."""
        return bool(self.path)

    def __str__(self) -> str:
        if self.is_unix:
            return f"{_UNIX}{self.path}"
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def usable_listeners(text: str) -> list[Endpoint]:
    """What `GETINFO net/listeners/…` names and this machine alone can reach, TCP first.

    A listener on every address is reached through loopback; one on another address of the
    machine is left out: nothing of ours leaves it (invariant 9).
    """
    words = [_unescaped(match[1]) if match[1] is not None else match[2] for match in _WORD.finditer(text)]
    found = [endpoint for word in words if (endpoint := _listener(word)) is not None]
    return sorted(found, key=lambda endpoint: endpoint.is_unix)


def _listener(word: str) -> Endpoint | None:
    host, found, port = word.rpartition(":")
    local = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}.get(host, host)  # noqa: S104 - read, not bound
    try:
        return Endpoint.parse(f"{local}{found}{port}")
    except ConfigError:
        return None


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.)", r"\1", text)


def _is_port(text: str) -> bool:
    return text.isascii() and text.isdecimal() and len(text) <= 5 and 0 < int(text) <= 65535


def is_loopback(host: str) -> bool:
    """Whether that is an address of loopback, IPv6 in brackets."""
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        address = ipaddress.ip_address(bare)
    except ValueError:
        return False
    return address.is_loopback and (address.version == 6) == (bare != host)
