"""A control port that answers like tor's, as far as this program speaks to it; no tor behind it."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from pathlib import Path
from typing import Self

import nacl.bindings

from enigma_fed.base.ids import OnionAddress
from enigma_fed.transports.tor.endpoint import Endpoint

_EXPANDED_KEY_BYTES = 64


class FakeControl:
    """Listens on a Unix socket (`path`) or on a loopback port, and writes down every line it hears."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path
        self.methods = "NULL"
        self.password = ""
        self.info = {
            "version": "0.4.9.11",
            "status/bootstrap-phase": 'NOTICE BOOTSTRAP PROGRESS=100 TAG=done SUMMARY="Done"',
            "status/circuit-established": "1",
            "net/listeners/socks": '"127.0.0.1:9050"',
        }
        self.refusals: dict[str, str] = {}
        """Beginning of a line, or a word in it -> tor's answer."""
        self.hangs = False
        self.lines: list[str] = []
        self.onions: set[str] = set()
        self.connections = 0
        self._writers: list[asyncio.StreamWriter] = []

    async def __aenter__(self) -> Self:
        if self._path is None:
            self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        else:
            self._server = await asyncio.start_unix_server(self._serve, str(self._path))
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        self.drop()
        await self._server.wait_closed()

    @property
    def endpoint(self) -> Endpoint:
        """Where it listens."""
        if self._path is not None:
            return Endpoint.unix(str(self._path))
        return Endpoint(*self._server.sockets[0].getsockname()[:2])

    def drop(self) -> None:
        """End every connection, as a tor that dies does; its onions are gone."""
        self.onions.clear()
        for writer in self._writers:
            writer.close()
        self._writers.clear()

    def heard(self, beginning: str) -> list[str]:
        """The lines that began so."""
        return [line for line in self.lines if line.startswith(beginning)]

    def tell(self, event: str) -> None:
        """Send an event to every connection."""
        for writer in self._writers:
            writer.write(f"650 {event}\r\n".encode())

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        self._writers.append(writer)
        with contextlib.suppress(OSError, EOFError):
            while line := (await reader.readline()).decode().strip():
                self.lines.append(line)
                if not self.hangs:
                    writer.write((self._answer(line) + "\r\n").encode())
                    await writer.drain()
        writer.close()

    def _answer(self, line: str) -> str:
        refused = next((answer for word, answer in self.refusals.items() if word in line), None)
        if refused is not None:
            return refused
        word, _, rest = line.partition(" ")
        if word == "PROTOCOLINFO":
            return (
                f"250-PROTOCOLINFO 1\r\n250-AUTH METHODS={self.methods}\r\n"
                f'250-VERSION Tor="{self.info["version"]}"\r\n250 OK'
            )
        if word == "AUTHENTICATE" and self.password and bytes.fromhex(rest).decode() != self.password:
            return "515 Authentication failed: Password did not match HashedControlPassword"
        if word == "GETINFO":
            return self._info(rest)
        if word == "ADD_ONION":
            label = _label(rest)
            self.onions.add(label)
            return f"250-ServiceID={label}\r\n250 OK"
        if word == "DEL_ONION":
            self.onions.discard(rest)
        return "250 OK"

    def _info(self, key: str) -> str:
        if key == "onions/current":
            return f"250-onions/current={' '.join(sorted(self.onions))}\r\n250 OK"
        return (
            f"250-{key}={self.info[key]}\r\n250 OK" if key in self.info else f'552 Unrecognized key "{key}"'
        )


def _label(words: str) -> str:
    """The 56 characters of the onion of a line `ED25519-V3:BASE64 …`; it takes anything for a key."""
    expanded = base64.b64decode(words.partition(" ")[0].partition(":")[2])
    if len(expanded) != _EXPANDED_KEY_BYTES:
        return "unknown"
    public = nacl.bindings.crypto_scalarmult_ed25519_base_noclamp(expanded[:32])
    return str(OnionAddress(public)).removesuffix(".onion")
