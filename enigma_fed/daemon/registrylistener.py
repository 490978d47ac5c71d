"""Where a registry listens by TCP: with TLS or without, and with a certificate that can be exchanged."""

from __future__ import annotations

import errno
import logging
import socket
from typing import Final

from aiohttp import web

from enigma_fed.base import limits
from enigma_fed.base.errors import OperationFailed, PortInUse
from enigma_fed.daemon.listeners import raise_file_limit, shown_address
from enigma_fed.registry import tls
from enigma_fed.registry.settings import RegistrySettings, TlsSettings
from enigma_fed.registry.tlslistener import TlsListener

_log = logging.getLogger(__name__)
_BACKLOG: Final = 1024


class RegistryPort:
    """One TCP port, by which the registry's `server` is reached."""

    def __init__(self, server: web.Server, settings: RegistrySettings, key: str) -> None:
        """`settings.address` is not None; `key` names it in errors: `address`, `registry.listen`."""
        assert settings.address is not None
        self._address = settings.address
        self._tls = settings.tls if settings.mode == "tls" else None
        self._key = key
        self._server = server
        self._runner = web.ServerRunner(server, shutdown_timeout=limits.DRAIN_TIMEOUT)
        self._listener: TlsListener | None = None
        self.address = ""
        """Where it really listens, `ADDR:PORT`, once started."""

    @property
    def url(self) -> str:
        """Its base URL, once started."""
        return f"{'http' if self._tls is None else 'https'}://{self.address}"

    async def start(self) -> None:
        """Listen; raises ConfigError (the certificate), PortInUse, OperationFailed."""
        context = None if self._tls is None else tls.make_context(self._tls)
        raise_file_limit()
        listening = _bind(self._address, self._key)
        self.address = shown_address(listening)
        await self._runner.setup()
        if context is None:
            await web.SockSite(self._runner, listening, backlog=_BACKLOG).start()
        else:
            self._listener = TlsListener(self._server, listening, context)
            self._listener.start()

    def renew(self, wanted: TlsSettings | None) -> None:
        """Accept new connections with the certificate as its files are now; those that stand go on.

        Raises ConfigError: then the one before serves on. Nothing happens to a port without TLS.
        """
        if self._listener is not None and wanted is not None:
            self._listener.context = tls.make_context(wanted)

    async def close(self) -> None:
        """Take no more connections, let answers under way end, close everything."""
        if self._listener is not None:
            await self._listener.close()
        await self._runner.cleanup()


def _bind(address: tuple[str, int], key: str) -> socket.socket:
    host, port = address
    listening = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(_BACKLOG)
        listening.setblocking(False)
    except OSError as error:
        listening.close()
        shown = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        if error.errno == errno.EADDRINUSE:
            raise PortInUse(shown, hint=f"Stop the other program, or set {key} to another port.") from None
        raise OperationFailed(f"cannot listen on {shown}: {error.strerror}") from None
    return listening
