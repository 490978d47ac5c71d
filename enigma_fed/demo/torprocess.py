"""A plain tor process for private networks, tests and benchmarks, and the few control words they need.

It ends with the program that started it: the control connection owns it, and tor looks after
the owning process id besides.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Final, Self

from enigma_fed.base import limits
from enigma_fed.base.errors import TorFailed
from enigma_fed.transports.tor.binary import TorBinary
from enigma_fed.transports.tor.bootstrap import parse_bootstrap
from enigma_fed.transports.tor.endpoint import Endpoint
from enigma_fed.transports.tor.process import TorProcess, wait_for_socket

_LOOK_PAUSE: Final = 0.1
_REPLY_BYTES: Final = 4 * 1024 * 1024


class ControlWords:
    """A control connection over asyncio: one question at a time, its reply as lines."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._turn = asyncio.Lock()

    @classmethod
    async def open(cls, socket_path: Path, cookie: Path) -> Self:
        """Connect, authenticate with the cookie, own the process; raises TorFailed."""
        try:
            reader, writer = await asyncio.open_unix_connection(str(socket_path), limit=_REPLY_BYTES)
        except OSError as error:
            raise TorFailed("its control socket does not answer") from error
        words = cls(reader, writer)
        try:
            # Tor listens before its cookie is written, but answers only after.
            await words.ask("PROTOCOLINFO 1")
            secret = await asyncio.to_thread(cookie.read_bytes)
            await words.ask(f"AUTHENTICATE {secret.hex()}")
            await words.ask("TAKEOWNERSHIP")
        except OSError as error:
            await words.close()
            raise TorFailed("its control cookie cannot be read") from error
        except TorFailed:
            await words.close()
            raise
        return words

    async def ask(self, line: str) -> list[str]:
        """Send one line; the reply's lines without their codes. Raises TorFailed for an error reply."""
        async with self._turn:
            try:
                self._writer.write(line.encode() + b"\r\n")
                await self._writer.drain()
                return await self._reply()
            except (OSError, EOFError, ValueError) as error:
                raise TorFailed("its control connection broke") from error

    async def _reply(self) -> list[str]:
        lines: list[str] = []
        while True:
            line = await self._line()
            code, mark, text = line[:3], line[3:4], line[4:]
            lines.append(text)
            if mark == "+":
                lines += await self._block()
            if not code.startswith("2"):
                raise TorFailed(f"it answered {text}")
            if mark == " ":
                return lines

    async def _block(self) -> list[str]:
        lines: list[str] = []
        while (line := await self._line()) != ".":
            lines.append(line)
        return lines

    async def _line(self) -> str:
        return (await self._reader.readuntil(b"\r\n"))[:-2].decode("utf-8", "replace")

    async def close(self) -> None:
        """Close the connection: tor ends."""
        self._writer.close()
        with contextlib.suppress(OSError):
            await self._writer.wait_closed()


class PlainTor:
    """A tor on a folder of its own, run with the given torrc lines."""

    def __init__(self, binary: TorBinary, folder: Path, lines: Sequence[str]) -> None:
        self._binary = binary
        self.folder = folder
        self._lines = tuple(lines)
        self._process: TorProcess | None = None
        self._words: ControlWords | None = None

    @property
    def pid(self) -> int | None:
        """The process id, while it runs."""
        return self._process.pid if self._process is not None else None

    async def start(self) -> None:
        """Launch it and open its control connection; raises TorFailed."""
        await asyncio.to_thread(self._write)
        self._process = await TorProcess.launch(self._binary, self.folder / "torrc")
        opening = asyncio.create_task(self._open())
        ending = asyncio.create_task(self._process.wait())
        try:
            await asyncio.wait({opening, ending}, return_when=asyncio.FIRST_COMPLETED)
            if ending.done():
                raise TorFailed(ending.result())
            self._words = await opening
        finally:
            opening.cancel()
            ending.cancel()
            await asyncio.gather(opening, ending, return_exceptions=True)

    async def _open(self) -> ControlWords:
        await wait_for_socket(self.folder / "control")
        return await ControlWords.open(self.folder / "control", self.folder / "cookie")

    def _write(self) -> None:
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lines = [
            f'DataDirectory "{self.folder}"',
            f'ControlSocket "{self.folder}/control"',
            "CookieAuthentication 1",
            f'CookieAuthFile "{self.folder}/cookie"',
            "ShutdownWaitLength 0",
            "AvoidDiskWrites 1",
            f'Log "notice file {self.folder}/log"',
            f"__OwningControllerProcess {os.getpid()}",
            *self._lines,
        ]
        (self.folder / "torrc").write_text("\n".join(lines) + "\n", encoding="utf-8")

    async def ask(self, line: str) -> list[str]:
        """One control word, see ControlWords.ask."""
        if self._words is None:
            raise TorFailed("it does not run")
        return await self._words.ask(line)

    async def percent(self) -> int:
        """How far it has come."""
        for line in await self.ask("GETINFO status/bootstrap-phase"):
            report = parse_bootstrap(line.partition("=")[2])
            if report is not None:
                return report.percent
        return 0

    async def wait_bootstrapped(self, seconds: float = limits.TOR_START_TIMEOUT) -> None:
        """Return at 100 %; raises TorFailed when it takes longer than `seconds`."""
        try:
            async with asyncio.timeout(seconds):
                while await self.percent() < 100:  # noqa: ASYNC110 - it is asked, it does not tell
                    await asyncio.sleep(_LOOK_PAUSE)
        except TimeoutError:
            raise TorFailed("it did not connect to its network in time") from None

    async def socks(self) -> Endpoint:
        """Its SOCKS port; raises TorFailed when it has none."""
        for line in await self.ask("GETINFO net/listeners/socks"):
            host, _, port = line.partition("=")[2].strip('"').rpartition(":")
            if port.isdigit():
                return Endpoint(host, int(port))
        raise TorFailed("it listens on no SOCKS port")

    async def stop(self) -> None:
        """End it; its folder stays."""
        process, words = self._process, self._words
        self._process = self._words = None
        if words is not None:
            await words.close()
        if process is not None:
            await process.stop()

    async def remove(self) -> None:
        """Take its folder away."""
        await asyncio.to_thread(shutil.rmtree, self.folder, ignore_errors=True)
