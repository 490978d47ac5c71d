"""An agent as a process of its own, with a data folder, a config and a managed tor on a private network."""

from __future__ import annotations

import asyncio
import ctypes
import os
import signal
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import msgspec

from enigma_fed.base.errors import AgentNotRunning, OperationFailed
from enigma_fed.daemon.operations import RemoteOperations
from enigma_fed.daemon.paths import resolve_paths

_PR_SET_PDEATHSIG: Final = 1
_STOP_SECONDS: Final = 10.0
_CONFIG_TEMPLATE: Final = """\
[node]
name = {name}

[rpc]
listen = ""

[admin]
listen = "127.0.0.1:0"

[tor]
mode = "managed"
torrc_extra = {torrc_extra}

[federation]
poll_interval = {poll_interval}
"""


@dataclass(slots=True)
class AgentProcess:
    """One agent; `folder` holds its data, its config and what it prints."""

    name: str
    folder: Path
    client_torrc: str
    """torrc lines that lead its tor into the private network."""
    poll_interval: int = 5
    extra_config: str = ""
    """TOML sections besides those of the template."""
    _process: asyncio.subprocess.Process | None = field(default=None, init=False)

    @property
    def data_dir(self) -> Path:
        """The agent's data folder."""
        return self.folder / "data"

    @property
    def config_file(self) -> Path:
        """The agent's config.toml."""
        return self.folder / "config.toml"

    @property
    def control_socket(self) -> Path:
        """Where the agent takes commands."""
        return resolve_paths(str(self.data_dir), None, _clean_environment(os.environ)).control_socket

    @property
    def pid(self) -> int | None:
        """The process id while it runs."""
        process = self._process
        return process.pid if process is not None and process.returncode is None else None

    def prepare(self) -> None:
        """Write the folder and the config."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        torrc = self.folder / "private-network.torrc"
        torrc.write_text(self.client_torrc, encoding="utf-8")
        text = _CONFIG_TEMPLATE.format(
            name=_toml_text(self.name),
            torrc_extra=_toml_text(str(torrc)),
            poll_interval=self.poll_interval,
        )
        self.config_file.write_text(text + self.extra_config, encoding="utf-8")

    async def start(self) -> None:
        """Start the agent; it dies with this process."""
        with (self.folder / "output.log").open("ab") as output:
            self._process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "enigma_fed",
                "--config",
                str(self.config_file),
                "--data-dir",
                str(self.data_dir),
                "run",
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=_clean_environment(os.environ),
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )

    async def operations(self) -> RemoteOperations:
        """The agent's control socket, once it answers; raises OperationFailed when the agent ended."""
        while True:
            if self._process is None or self._process.returncode is not None:
                raise OperationFailed(f"the agent {self.name} ended", hint=self.tail())
            operations = RemoteOperations(self.control_socket)
            try:
                await asyncio.to_thread(operations.identity)
            except AgentNotRunning:
                await asyncio.sleep(0.1)
                continue
            return operations

    async def stop(self) -> int:
        """End the agent in order; the exit code."""
        process = self._process
        if process is None:
            return 0
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), _STOP_SECONDS)
            except TimeoutError:
                self.kill()
        return await process.wait()

    def kill(self) -> None:
        """kill -9."""
        if self._process is not None and self._process.returncode is None:
            self._process.kill()

    async def wait(self) -> int:
        """The exit code, once the process has ended."""
        return await self._process.wait() if self._process is not None else 0

    def tail(self, lines: int = 8) -> str:
        """The last lines that the agent printed."""
        try:
            text = (self.folder / "output.log").read_text(encoding="utf-8", errors="replace")
        except OSError:
            return ""
        return "\n".join(text.splitlines()[-lines:])


def _toml_text(text: str) -> str:
    # A JSON string is a TOML basic string.
    return msgspec.json.encode(text).decode("utf-8")


def _clean_environment(environ: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in environ.items() if not key.startswith("ENIGMA_FED_")}


def _die_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
