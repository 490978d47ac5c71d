"""Transports around transports: one that hands everything on, and one that counts what passes it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Protocol


class Tally(Protocol):
    """Where bytes are counted."""

    def add(self, received: int, sent: int) -> None:
        """Count so many bytes more."""
        ...


class ConnectionBytes:
    """What one connection has brought and taken, until it is known with whom; from then on theirs."""

    __slots__ = ("_tally", "received", "sent")

    def __init__(self) -> None:
        self.received = 0
        """Bytes that belong to nobody yet; 0 once they do."""
        self.sent = 0
        """Likewise."""
        self._tally: Tally | None = None

    def tie(self, tally: Tally | None) -> None:
        """Count for this one from now on, with what has come before it was known; None changes nothing."""
        if tally is None or tally is self._tally:
            return
        self._tally = tally
        if self.received or self.sent:
            tally.add(self.received, self.sent)
            self.received = self.sent = 0

    def add(self, received: int, sent: int) -> None:
        """Count so many bytes more."""
        if self._tally is not None:
            self._tally.add(received, sent)
        else:
            self.received += received
            self.sent += sent


class WrappedTransport(asyncio.Transport):
    """A transport whose every call goes to the wrapped one."""

    __slots__ = ("_inner",)

    def __init__(self, inner: asyncio.Transport) -> None:
        self._inner = inner

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """As asyncio's."""
        return self._inner.get_extra_info(name, default)

    def is_closing(self) -> bool:
        """As asyncio's."""
        return self._inner.is_closing()

    def close(self) -> None:
        """As asyncio's."""
        self._inner.close()

    def abort(self) -> None:
        """As asyncio's."""
        self._inner.abort()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """As asyncio's."""
        self._inner.set_protocol(protocol)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """As asyncio's."""
        return self._inner.get_protocol()

    def is_reading(self) -> bool:
        """As asyncio's."""
        return self._inner.is_reading()

    def pause_reading(self) -> None:
        """As asyncio's."""
        self._inner.pause_reading()

    def resume_reading(self) -> None:
        """As asyncio's."""
        self._inner.resume_reading()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """As asyncio's."""
        self._inner.set_write_buffer_limits(high, low)

    def get_write_buffer_size(self) -> int:
        """As asyncio's."""
        return self._inner.get_write_buffer_size()

    def get_write_buffer_limits(self) -> tuple[int, int]:
        """As asyncio's."""
        return self._inner.get_write_buffer_limits()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """As asyncio's."""
        self._inner.write(data)

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        """As asyncio's."""
        self._inner.writelines(list_of_data)

    def write_eof(self) -> None:
        """As asyncio's."""
        self._inner.write_eof()

    def can_write_eof(self) -> bool:
        """As asyncio's."""
        return self._inner.can_write_eof()


class CountingTransport(WrappedTransport):
    """Counts what is written; what comes is the protocol's to count."""

    __slots__ = ("_bytes",)

    def __init__(self, inner: asyncio.Transport, count: ConnectionBytes) -> None:
        super().__init__(inner)
        self._bytes = count

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """As asyncio's, counted."""
        self._bytes.add(0, len(data))
        self._inner.write(data)

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        """As asyncio's, counted."""
        parts = list(list_of_data)
        self._bytes.add(0, sum(map(len, parts)))
        self._inner.writelines(parts)
