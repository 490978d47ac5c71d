"""One HTTP request to a registry and its reply, of which every byte is hostile: sizes, times, redirects."""

from __future__ import annotations

import os
import re
import ssl
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

import aiohttp

from enigma_fed.base import limits, registry_limits
from enigma_fed.base.errors import EnigmaError, PeerUnreachable
from enigma_fed.base.registry_client_errors import (
    RegistryAnswerBroken,
    RegistryNotTrusted,
    RegistryUnreachable,
)
from enigma_fed.registry.clientplace import Place
from enigma_fed.transports.replybounds import bound_replies

SessionMaker = Callable[[Place], aiohttp.ClientSession]
"""Makes the session for a place, on the running loop."""

_AUTOMATIC: Final = ("User-Agent", "Accept", "Accept-Encoding")
_AGAIN: Final = "Look at the URL, and try again later."
_THROUGH_TOR: Final = f"{_AGAIN} The SOCKS port of another tor: --socks ADDR:PORT"
_SECONDS: Final = re.compile(r"[0-9]{1,9}", re.ASCII)
_TLS_HINT: Final = "A registry with a certificate of its own: --ca FILE"
_SHOWN_HINT: Final = "A registry that wants a certificate of this side: --cert FILE --key FILE"
_JSON: Final = "application/json"


@dataclass(frozen=True, slots=True)
class Answer:
    """A reply, whole and within its bound."""

    status: int
    body: bytes
    retry_after: int | None = None
    """Seconds, when the registry says them."""
    reannounce_after: int | None = None


def direct_session(context: ssl.SSLContext | None) -> aiohttp.ClientSession:
    """A session without Tor; nothing of the machine is sent along: no user agent, cookies or proxy."""
    connector = aiohttp.TCPConnector(ssl=True if context is None else context, limit=1)
    bound_replies(connector, registry_limits.REGISTRY_REPLY_BYTES)
    return aiohttp.ClientSession(
        connector=connector,
        timeout=aiohttp.ClientTimeout(
            total=registry_limits.CLIENT_CALL_TIMEOUT,
            sock_connect=registry_limits.CLIENT_CONNECT_TIMEOUT,
            sock_read=limits.READ_TIMEOUT,
        ),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
        max_line_size=limits.HEADER_BYTES,
        max_field_size=limits.HEADER_BYTES,
        max_headers=limits.HEADERS,
        trust_env=False,
        skip_auto_headers=_AUTOMATIC,
    )


class RegistryHttp:
    """Requests to one registry, one after the other."""

    def __init__(self, place: Place, session: aiohttp.ClientSession) -> None:
        self.place = place
        self._session = session

    async def ask(
        self, method: str, path: str, body: bytes | None = None, fields: Mapping[str, str] | None = None
    ) -> Answer:
        """Send one request, `path` with its query; raises RegistryUnreachable, RegistryAnswerBroken."""
        headers = dict(fields or {})
        if body is not None:
            headers["Content-Type"] = _JSON
        try:
            async with self._session.request(
                method, f"{self.place.url}{path}", data=body, headers=headers, allow_redirects=False
            ) as response:
                return await _read(response)
        except RegistryAnswerBroken:
            raise
        except PeerUnreachable as error:
            raise RegistryUnreachable(error.detail, hint=error.hint or _THROUGH_TOR) from error
        except (aiohttp.ClientError, OSError, ValueError) as error:
            raise _unreachable(error, self.place) from error


@asynccontextmanager
async def connected(place: Place, make_session: SessionMaker) -> AsyncIterator[RegistryHttp]:
    """Requests to a registry, and the end of its session."""
    session = make_session(place)
    try:
        yield RegistryHttp(place, session)
    finally:
        await session.close()


async def _read(response: aiohttp.ClientResponse) -> Answer:
    if 300 <= response.status < 400:
        raise RegistryAnswerBroken(
            "it answers with a redirect, which is not followed",
            hint="Ask its operator for its URL, and use that.",
        )
    if response.headers.get("Content-Encoding", "identity").lower() != "identity":
        raise RegistryAnswerBroken("its answer is compressed, which nobody asked for")
    body = bytearray()
    async for piece in response.content.iter_any():
        body += piece
        if len(body) > registry_limits.REGISTRY_REPLY_BYTES:
            raise RegistryAnswerBroken(f"it is larger than {registry_limits.REGISTRY_REPLY_BYTES} bytes")
    return Answer(
        response.status,
        bytes(body),
        _seconds(response.headers.get("Retry-After")),
        _seconds(response.headers.get("Reannounce-After")),
    )


def _seconds(text: str | None) -> int | None:
    """Whole seconds; a date (which no registry of this kind sends) and anything else say nothing."""
    return int(text) if text is not None and _SECONDS.fullmatch(text) else None


def _unreachable(error: Exception, place: Place) -> EnigmaError:
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        reason = getattr(error.certificate_error, "verify_message", "") or "it is not trusted"
        return RegistryNotTrusted(f"its certificate does not hold ({reason})", hint=_TLS_HINT)
    if isinstance(error, aiohttp.ClientSSLError | ssl.SSLError) or isinstance(error.__cause__, ssl.SSLError):
        return RegistryNotTrusted(
            "it does not speak TLS as this side does",
            hint=f"Is it https? {_SHOWN_HINT}",
        )
    if isinstance(error, aiohttp.ClientPayloadError | aiohttp.ClientResponseError):
        return RegistryAnswerBroken("it is no sound HTTP answer")
    if isinstance(error, TimeoutError):
        return RegistryUnreachable("it did not answer in time", hint=_AGAIN)
    if isinstance(error, aiohttp.ServerDisconnectedError):
        hint = _SHOWN_HINT if place.is_encrypted else f"Is it https? {_AGAIN}"
        return RegistryUnreachable("it closed the connection without an answer", hint=hint)
    if isinstance(error, aiohttp.ClientConnectorDNSError):
        return RegistryUnreachable("its name is not known", hint="Look at the URL.")
    if isinstance(error, aiohttp.ClientConnectorError):
        # asyncio's own text repeats the address.
        reason = os.strerror(error.os_error.errno).lower() if error.os_error.errno else "refused"
        return RegistryUnreachable(f"no connection: {reason}", hint=_AGAIN)
    return RegistryUnreachable("the connection broke", hint=_AGAIN)
