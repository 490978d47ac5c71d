"""A wrapped transport behaves as the one inside; a counting one tells what passes to whom it belongs."""

from __future__ import annotations

import asyncio
from unittest.mock import Mock

import pytest

from enigma_fed.transports.wrapped import ConnectionBytes, CountingTransport, WrappedTransport

CALLS = {
    "get_extra_info": ("peername", "none"),
    "is_closing": (),
    "close": (),
    "abort": (),
    "set_protocol": (asyncio.Protocol(),),
    "get_protocol": (),
    "is_reading": (),
    "pause_reading": (),
    "resume_reading": (),
    "set_write_buffer_limits": (2, 1),
    "get_write_buffer_size": (),
    "get_write_buffer_limits": (),
    "write": (b"x",),
    "writelines": ([b"x", b"y"],),
    "write_eof": (),
    "can_write_eof": (),
}


@pytest.mark.parametrize("name", CALLS)
def test_every_call_goes_to_the_one_inside(name: str) -> None:
    for make in (WrappedTransport, lambda inner: CountingTransport(inner, ConnectionBytes())):
        inner = Mock(spec=asyncio.Transport)
        getattr(make(inner), name)(*CALLS[name])
        getattr(inner, name).assert_called_once_with(*CALLS[name])


def test_nothing_of_a_transport_is_left_out() -> None:
    public = {name for name in dir(asyncio.Transport) if not name.startswith("_")}
    assert public == set(CALLS)


class Noted:
    def __init__(self) -> None:
        self.total = (0, 0)

    def add(self, received: int, sent: int) -> None:
        self.total = (self.total[0] + received, self.total[1] + sent)


def test_what_came_before_it_was_known_whose_it_is_counts_for_the_first_that_is() -> None:
    count, first, second = ConnectionBytes(), Noted(), Noted()
    transport = CountingTransport(Mock(spec=asyncio.Transport), count)
    count.add(100, 0)
    transport.write(b"12345")
    count.tie(None)
    assert (count.received, count.sent) == (100, 5)
    count.tie(first)
    count.tie(first)
    transport.writelines(iter([b"12", memoryview(b"345")]))
    assert first.total == (100, 10)
    count.tie(second)
    count.add(1, 0)
    count.tie(None)
    count.add(1, 0)
    assert (first.total, second.total) == ((100, 10), (2, 0))
