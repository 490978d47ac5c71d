"""A private Tor network on this machine's loopback: real tor, no internet.

Five directory authorities are its relays and onion directories too. It is up in 15 to 25 s;
its processes end with the program that started it, however that ends.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

from enigma_fed.base import limits
from enigma_fed.base.errors import TorFailed
from enigma_fed.demo.authorities import (
    FIRST_VOTE_SECONDS,
    Authority,
    HeldPorts,
    authority_lines,
    common_lines,
    make_authority,
)
from enigma_fed.demo.torprocess import PlainTor
from enigma_fed.transports.tor.binary import TorBinary, default_cache, find_tor

T = TypeVar("T")

AUTHORITIES: Final = 5
_TRIES: Final = 4
_CONSENSUS_SECONDS: Final = 35.0
"""The next consensus after the first is 300 s away: without a good one by now, begin anew."""
_LOOK_PAUSE: Final = 0.2
_SOCKET_ROOM: Final = len("/try0/authority0/control")


class PrivateTorNetwork:
    """A private Tor network; `async with` starts and ends it, or `start` and `close` do."""

    def __init__(self, binary: TorBinary | None = None) -> None:
        self._binary = binary
        self._folder: Path | None = None
        self._authorities: tuple[Authority, ...] = ()
        self._tors: list[PlainTor] = []

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @property
    def client_torrc(self) -> str:
        """The lines that make a tor a client of this network (a file for tor.torrc_extra)."""
        return (
            "\n".join([*common_lines(self._authorities), "ShutdownWaitLength 0", "AvoidDiskWrites 1"]) + "\n"
        )

    @property
    def pids(self) -> list[int]:
        """The process ids of its relays."""
        return [tor.pid for tor in self._tors if tor.pid is not None]

    async def start(self, progress: Callable[[str], None] = lambda text: None) -> None:
        """Bring it up; `progress` hears how far it is. Once it is up this does nothing.

        Raises TorMissing, TorFailed; then, and when cancelled, nothing is left behind.
        """
        if self._tors:
            return
        try:
            await self._start(progress)
        except BaseException:
            await self.close()
            raise

    async def _start(self, progress: Callable[[str], None]) -> None:
        binary = self._binary or find_tor(None, os.environ, default_cache(os.environ))
        self._folder = await asyncio.to_thread(_make_folder)
        for number in range(1, _TRIES):
            try:
                await self._bring_up(binary, self._folder / f"try{number}", progress)
                return
            except TorFailed as error:
                await self._stop()
                progress(f"{error}; once more")
        await self._bring_up(binary, self._folder / "try0", progress)

    async def _bring_up(self, binary: TorBinary, folder: Path, progress: Callable[[str], None]) -> None:
        progress("making keys")
        held = HeldPorts.take(2 * AUTHORITIES)
        try:
            self._authorities = await _make_authorities(binary, folder, held.numbers)
            progress("waiting for the beginning of a voting period")
            await asyncio.sleep(_seconds_to_vote(time.time()))
        finally:
            held.release()
        progress("starting the relays")
        common = common_lines(self._authorities)
        self._tors = [
            PlainTor(binary, authority.folder, [*common, *authority_lines(authority)])
            for authority in self._authorities
        ]
        await _together(tor.start() for tor in self._tors)
        await self._wait_for_consensus(progress)
        progress("consensus ready")

    async def _wait_for_consensus(self, progress: Callable[[str], None]) -> None:
        said = -1
        try:
            async with asyncio.timeout(_CONSENSUS_SECONDS):
                while not await self._consensus_is_complete():
                    percent = min(await asyncio.gather(*(tor.percent() for tor in self._tors)))
                    if percent != said:
                        said = percent
                        progress(f"relays at {percent} %")
                    await asyncio.sleep(_LOOK_PAUSE)
        except TimeoutError:
            raise TorFailed("the relays did not agree on a consensus in time") from None

    async def _consensus_is_complete(self) -> bool:
        return all(await asyncio.gather(*(_sees_everyone(tor) for tor in self._tors)))

    async def close(self) -> None:
        """End its processes and take its folder away."""
        await self._stop()
        if self._folder is not None:
            await asyncio.to_thread(shutil.rmtree, self._folder, ignore_errors=True)
            self._folder = None

    async def _stop(self) -> None:
        tors, self._tors = self._tors, []
        await asyncio.gather(*(tor.stop() for tor in tors), return_exceptions=True)


async def _make_authorities(binary: TorBinary, folder: Path, ports: Sequence[int]) -> tuple[Authority, ...]:
    return tuple(
        await _together(
            make_authority(binary, folder / f"authority{n}", f"auth{n}", ports[2 * n], ports[2 * n + 1])
            for n in range(AUTHORITIES)
        )
    )


async def _together(work: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """All results; at the first error the others are cancelled and awaited, so that none runs on."""
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(each) for each in work]
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from None
    return [task.result() for task in tasks]


async def _sees_everyone(tor: PlainTor) -> bool:
    """Whether an authority is ready and its consensus lists every onion directory."""
    if await tor.percent() < 100:
        return False
    lines = await tor.ask("GETINFO ns/all")
    return sum(line.startswith("s ") and "HSDir" in line for line in lines) >= AUTHORITIES


def _seconds_to_vote(now: float) -> float:
    """Until just after the next voting period begins: then every descriptor is in before the vote."""
    return FIRST_VOTE_SECONDS - now % FIRST_VOTE_SECONDS + 0.05


def _make_folder() -> Path:
    """A folder of mode 0700, at a path short enough for the sockets in it."""
    folder = Path(tempfile.mkdtemp(prefix="enigma-fed-net-"))
    if len(bytes(folder)) + _SOCKET_ROOM <= limits.UNIX_PATH_BYTES:
        return folder
    folder.rmdir()
    return Path(tempfile.mkdtemp(prefix="enigma-fed-net-", dir="/tmp"))
