"""The HTTP client session of an agent: every connection goes to an onion, through Tor's SOCKS port."""

from __future__ import annotations

import asyncio
import hashlib
import ssl as ssl_module
from collections import Counter
from collections.abc import Callable
from typing import Final

import aiohttp
import python_socks
from aiohttp.client_proto import ResponseHandler
from aiohttp_socks import ProxyConnector

from enigma_fed.base import limits
from enigma_fed.base.errors import NoWayOut, PeerUnreachable
from enigma_fed.base.ids import OnionAddress
from enigma_fed.transports.replybounds import bound_replies
from enigma_fed.transports.tor.endpoint import Endpoint
from enigma_fed.transports.tor.proxied import connect_through
from enigma_fed.transports.tor.socks_errors import (
    HOST_UNREACHABLE,
    NOT_PUBLISHED,
    explain,
    is_of_own_tor,
    reply_code,
)

_ISOLATION_BYTES: Final = 16


class OnionConnector(ProxyConnector):
    """Connects to version 3 onions only, each under a SOCKS user name of its own.

    Tor keeps the circuits of different user names apart (IsolateSOCKSAuth), so peers cannot
    be told by a shared circuit to be one node's.
    """

    def __init__(
        self,
        socks: Callable[[], Endpoint | None],
        isolation_key: bytes,
        unpublished: Callable[[OnionAddress], None],
        ready: Callable[[], bool],
        reply_bytes: int = limits.REPLY_BYTES,
    ) -> None:
        super().__init__(
            host="",  # the endpoint is asked for at every connection
            port=0,
            limit=limits.CONNECTIONS_OUTBOUND,
            limit_per_host=limits.CONNECTIONS_PER_PEER,
            keepalive_timeout=limits.KEEPALIVE,
            use_dns_cache=False,
        )
        bound_replies(self, reply_bytes)
        self._socks = socks
        self._isolation_key = isolation_key
        self._unpublished = unpublished
        self._ready = ready
        self._renewals: Counter[OnionAddress] = Counter()

    def renew(self, onion: OnionAddress) -> None:
        """Let the next connection to this onion take a circuit of its own.

        A circuit whose far end died without a word would swallow every call until tor notices.
        """
        self._renewals[onion] += 1

    def user_name(self, onion: OnionAddress) -> str:
        """The SOCKS user name for a destination: tells nothing about it, is the same until `renew`."""
        name = f"{onion} {self._renewals[onion]}".encode("ascii")
        return hashlib.blake2b(name, key=self._isolation_key, digest_size=_ISOLATION_BYTES).hexdigest()

    async def _connect_via_proxy(
        self,
        host: str,
        port: int,
        ssl: ssl_module.SSLContext | None = None,
        timeout: float | None = None,  # noqa: ASYNC109 - the base class's signature
    ) -> tuple[asyncio.Transport, ResponseHandler]:
        """Connect to a checked onion (invariant 4); raises OnionInvalid, PeerUnreachable, NoWayOut."""
        onion = OnionAddress.parse(host)
        if ssl is not None:
            raise PeerUnreachable("onions are called by http: Tor itself encrypts")
        endpoint = self._socks()
        if endpoint is None:
            raise NoWayOut("this node's Tor is not ready yet")
        user = self.user_name(onion)
        try:
            return await connect_through(endpoint, user, (str(onion), port), timeout, self._factory)
        except (python_socks.ProxyError, OSError, EOFError) as error:
            if reply_code(error) in (NOT_PUBLISHED, HOST_UNREACHABLE):
                self._unpublished(onion)
            self.renew(onion)
            kind = NoWayOut if is_of_own_tor(error) else PeerUnreachable
            raise kind(explain(error, ready=self._ready())) from error


def renew_circuit(session: aiohttp.ClientSession, onion: OnionAddress) -> None:
    """A call to this onion stayed without an answer: the next one takes another circuit."""
    if isinstance(session.connector, OnionConnector):
        session.connector.renew(onion)


def onion_session(
    socks: Callable[[], Endpoint | None],
    *,
    isolation_key: bytes,
    request_class: type[aiohttp.ClientRequest] = aiohttp.ClientRequest,
    unpublished: Callable[[OnionAddress], None] = lambda onion: None,
    ready: Callable[[], bool] = lambda: False,
    reply_bytes: int = limits.REPLY_BYTES,
) -> aiohttp.ClientSession:
    """The one client session of an agent; call it on the running loop, close it at the end.

    `socks` tells where tor listens now (None: not ready), `isolation_key` is 16 to 64 random
    bytes of this start, `unpublished` hears of each onion that Tor did not find, `ready` says whether our
    own tor is, `reply_bytes` is the largest body that anybody is asked for. A request to
    anything but a version 3 onion raises OnionInvalid, one that Tor cannot deliver
    PeerUnreachable. Nothing of the machine is sent along: no user agent, no cookies, no proxy
    of the environment.
    """
    return aiohttp.ClientSession(
        connector=OnionConnector(socks, isolation_key, unpublished, ready, reply_bytes),
        request_class=request_class,
        timeout=aiohttp.ClientTimeout(
            total=limits.CALL_TIMEOUT, sock_connect=limits.CONNECT_TIMEOUT, sock_read=limits.READ_TIMEOUT
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        max_line_size=limits.HEADER_BYTES,
        max_field_size=limits.HEADER_BYTES,
        max_headers=limits.HEADERS,
        trust_env=False,
        skip_auto_headers=("User-Agent", "Accept", "Accept-Encoding"),
    )
