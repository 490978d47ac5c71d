"""The HTTP side of a reply: written in one piece where aiohttp's own way would write the same."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import formatdate
from http import HTTPStatus
from types import MappingProxyType
from typing import Final

from aiohttp import HttpVersion11, web
from aiohttp.abc import AbstractStreamWriter
from multidict import CIMultiDict

SERVER_NAME: Final = "enigma-fed"
"""The field `Server` of every answer: no versions."""
_NO_FIELDS: Final[Mapping[str, str]] = MappingProxyType({})


class HttpReply(web.StreamResponse):
    """A whole reply.

    On a connection that stays open it goes out as bytes, at once: aiohttp's response takes as long as the
    signature does. Elsewhere (HTTP/1.0, HEAD, a connection that ends with it) aiohttp makes one of it.
    """

    def __init__(
        self, status: int, body: bytes, fields: Mapping[str, str], date: str, begin: bytes | None = None
    ) -> None:
        """`fields` are plain ASCII without line ends; `date` is that of HTTP, now.

        `begin` is the head but for its length and end, where it is written already.
        """
        self._status = status  # all that is needed of StreamResponse.__init__, which takes longer than this
        self.body = body
        self._fields = fields
        self._date = date
        self._begin = begin
        self._stays: bool | None = None
        self._usual: web.Response | None = None

    @property
    def reason(self) -> str:
        """The word for the status."""
        return HTTPStatus(self._status).phrase

    @property
    def headers(self) -> CIMultiDict[str]:
        """The fields, but for those of the connection."""
        return CIMultiDict(self._fields)

    @property
    def keep_alive(self) -> bool | None:
        """Whether the connection stays open behind it; None before that is known."""
        return self._stays if self._usual is None else self._usual.keep_alive

    def force_close(self) -> None:
        """End the connection with it."""
        self._stays = False

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        """Write it, or the head of it."""
        if (
            self._stays is False
            or request.version != HttpVersion11
            or not request.keep_alive
            or request.method == "HEAD"
        ):
            self._usual = web.Response(status=self.status, body=self.body, headers=self._fields)
            if self._stays is False:
                self._usual.force_close()
            return await self._usual.prepare(request)
        self._stays = True
        writer = request.writer
        await writer.write(self._head() + self.body)
        if request.protocol.writing_paused:
            await writer.drain()
        return writer

    async def write_eof(self, data: bytes = b"") -> None:
        """Write what `prepare` has not."""
        if self._usual is not None:
            await self._usual.write_eof(data)

    def _head(self) -> bytes:
        length = len(self.body)
        if self._begin is not None:
            return b"%bContent-Length: %d\r\n\r\n" % (self._begin, length)
        head = f"HTTP/1.1 {self.status} {self.reason}\r\n{_lines(self._fields)}Content-Length: {length}\r\n"
        return f"{head}Date: {self._date}\r\n\r\n".encode("ascii")


class UsualReplies:
    """Replies with status 200 and the same fields; what their heads share is written once a second."""

    def __init__(self, fields: Mapping[str, str]) -> None:
        self._fields = fields
        self._second = -1
        self._date = ""
        self._begin = b""
        self._more: Mapping[str, str] | None = None
        self._fields_with_more = fields
        self._begin_with_more = b""

    def reply(self, body: bytes, now: float, more: Mapping[str, str] = _NO_FIELDS) -> HttpReply:
        """A reply with these fields and `more`, which nobody changes; `now` is Unix time in seconds.

        With the same object as `more` the head is not written again either.
        """
        date = self.date(now)
        if not more:
            return HttpReply(HTTPStatus.OK, body, self._fields, date, self._begin)
        if more is not self._more:
            self._more, self._fields_with_more = more, {**self._fields, **more}
            self._begin_with_more = self._begin + _lines(more).encode("ascii")
        return HttpReply(HTTPStatus.OK, body, self._fields_with_more, date, self._begin_with_more)

    def date(self, now: float) -> str:
        """The date as HTTP writes it."""
        second = int(now)
        if second != self._second:
            self._second, self._date, self._more = second, formatdate(second, usegmt=True), None
            self._begin = f"HTTP/1.1 200 OK\r\n{_lines(self._fields)}Date: {self._date}\r\n".encode("ascii")
        return self._date


def _lines(fields: Mapping[str, str]) -> str:
    return "".join([f"{name}: {value}\r\n" for name, value in fields.items()])
