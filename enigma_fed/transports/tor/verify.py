"""Asking tor about a torrc before a running tor reads it: one that it refuses at a RELOAD would end it."""

from __future__ import annotations

import asyncio
from pathlib import Path

from enigma_fed.base import limits
from enigma_fed.base.errors import ConfigError, TorFailed
from enigma_fed.transports.tor.binary import TorBinary
from enigma_fed.transports.tor.process import last_words


async def verify_torrc(binary: TorBinary, torrc: Path) -> None:
    """Let tor look at a torrc and do nothing else; raises ConfigError with its words, TorFailed."""
    try:
        process = await asyncio.create_subprocess_exec(
            str(binary.path),
            *("--defaults-torrc", "/dev/null", "-f", str(torrc), "--verify-config"),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=binary.environment,
        )
    except OSError as error:
        raise TorFailed(f"{binary.path} cannot be started: {error.strerror}") from error
    try:
        async with asyncio.timeout(limits.TOR_START_TIMEOUT):
            output, _ = await process.communicate()
    except TimeoutError:
        raise TorFailed("it does not say whether its torrc is sound") from None
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode:
        words = last_words(output) or f"it ended with status {process.returncode}"
        raise ConfigError(f"tor.torrc_extra: tor refuses the lines: {words}")
