"""Lives of tor, one after the other; the modes' own tests follow whole ones."""

from __future__ import annotations

import asyncio

import pytest

from enigma_fed.base.errors import TorFailed, TorTooOld
from enigma_fed.transports.tor.supervision import first_to_end, refuse_if_old


async def test_the_first_to_end_decides_and_the_others_are_awaited() -> None:
    ended: list[str] = []

    async def fails() -> None:
        raise TorFailed("first")

    async def goes_on() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append("cancelled")

    with pytest.raises(TorFailed, match="first"):
        await first_to_end(goes_on(), fails())
    assert ended == ["cancelled"]


async def test_a_cancellation_reaches_all() -> None:
    ended: list[int] = []

    async def goes_on(number: int) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            ended.append(number)

    whole = asyncio.create_task(first_to_end(goes_on(1), goes_on(2)))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    whole.cancel()
    with pytest.raises(asyncio.CancelledError):
        await whole
    assert sorted(ended) == [1, 2]


def test_an_old_tor_is_refused_with_the_next_step() -> None:
    refuse_if_old("0.4.9.11")
    with pytest.raises(TorTooOld, match=r"0\.4\.6\.1") as caught:
        refuse_if_old("0.4.6.1")
    assert "Update" in caught.value.hint
