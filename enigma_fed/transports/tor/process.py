"""A tor process of ours: started, watched, stopped."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from pathlib import Path
from typing import Final, Self

from enigma_fed.base import limits
from enigma_fed.base.errors import TorFailed
from enigma_fed.transports.tor.binary import TorBinary
from enigma_fed.transports.tor.folders import lock_is_free

_log = logging.getLogger(__name__)

_LOOK_PAUSE: Final = 0.02
_LOCK_PAUSE: Final = 0.2
_READ_BYTES: Final = 4096


class TorProcess:
    """A running tor. It is in a session of its own: Ctrl-C reaches the agent, which stops it."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._output = b""
        self._reader = asyncio.create_task(self._read_output(), name="tor output")

    @classmethod
    async def launch(cls, binary: TorBinary, torrc: Path) -> Self:
        """Start tor on a torrc; raises TorFailed."""
        try:
            process = await asyncio.create_subprocess_exec(
                str(binary.path),
                *("--defaults-torrc", "/dev/null", "-f", str(torrc), "--hush"),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.STDOUT,
                env=binary.environment,
                start_new_session=True,
            )
        except OSError as error:
            raise TorFailed(f"{binary.path} cannot be started: {error.strerror}") from error
        return cls(process)

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid

    async def wait(self) -> str:
        """Wait until tor ends; why it did, in words."""
        status = await self._process.wait()
        await asyncio.wait({self._reader})
        if status < 0:
            return f"it was killed (signal {-status})"
        words = last_words(self._output) if status else ""
        return f"it ended with status {status}" + (f": {words}" if words else "")

    async def stop(self) -> None:
        """End tor, gently at first; returns when the process is gone."""
        try:
            await self._end()
        finally:
            self._reader.cancel()
            await asyncio.gather(self._reader, return_exceptions=True)

    async def _end(self) -> None:
        if self._process.returncode is not None:
            return
        self._signal(signal.SIGTERM)
        try:
            async with asyncio.timeout(limits.TOR_STOP_TIMEOUT):
                await self._process.wait()
        except TimeoutError:
            _log.warning("tor does not end; it is killed")
        finally:
            if self._process.returncode is None:
                self._signal(signal.SIGKILL)
                await self._process.wait()

    def _signal(self, number: signal.Signals) -> None:
        # Process.terminate would look first whether it has ended, and so take its exit status from the loop.
        with contextlib.suppress(ProcessLookupError):
            os.kill(self._process.pid, number)

    async def _read_output(self) -> None:
        assert self._process.stdout is not None
        while data := await self._process.stdout.read(_READ_BYTES):
            self._output = (self._output + data)[-limits.TOR_OUTPUT_BYTES :]


def last_words(output: bytes) -> str:
    """The last error, else the last warning, in what tor printed; "" if there is none."""
    lines = output.decode("utf-8", "replace").splitlines()
    for level in ("[err] ", "[warn] "):
        for line in reversed(lines):
            _, found, text = line.partition(level)
            if found and not text.startswith("Reading config failed"):
                return text.strip()
    return ""


async def wait_for_free_lock(data_directory: Path) -> None:
    """Wait until a tor left over on that folder has ended; raises TorFailed after limits.TOR_LOCK_WAIT."""
    try:
        async with asyncio.timeout(limits.TOR_LOCK_WAIT):
            while not await asyncio.to_thread(lock_is_free, data_directory):  # noqa: ASYNC110 - a lock tells nobody
                await asyncio.sleep(_LOCK_PAUSE)
    except TimeoutError:
        raise TorFailed(
            f"another tor process still uses {data_directory}", hint="End that process."
        ) from None


async def wait_for_socket(path: Path) -> None:
    """Wait until somebody listens on a Unix socket; raises TorFailed after limits.TOR_START_TIMEOUT."""
    try:
        async with asyncio.timeout(limits.TOR_START_TIMEOUT):
            while not await _answers(path):  # noqa: ASYNC110 - nor does a socket
                await asyncio.sleep(_LOOK_PAUSE)
    except TimeoutError:
        raise TorFailed("it did not open its control socket in time") from None


async def _answers(path: Path) -> bool:
    probe = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with probe:
        probe.setblocking(False)
        try:
            await asyncio.get_running_loop().sock_connect(probe, str(path))
        except OSError:
            return False
        return True
