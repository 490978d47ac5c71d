"""Real data folders, codes made by hand, and agents as processes, all without Tor."""

from __future__ import annotations

import base64
import hashlib
import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from enigma_fed.base.ids import OnionAddress
from enigma_fed.identity.nodekey import NodeKey
from enigma_fed.transports.tor.onionkey import OnionKey
from enigma_fed.wire.invite import signing_input
from tests.cli.fakes import Outcome, invoke

_PATIENCE = 30.0


@dataclass(frozen=True)
class Home:
    """A node's data folder and configuration file."""

    data_dir: Path
    config: Path

    @property
    def flags(self) -> list[str]:
        return ["--data-dir", str(self.data_dir), "--config", str(self.config)]

    @property
    def hinted(self) -> str:
        """The start of a command in a hint."""
        return f"enigma-fed --config {self.config} --data-dir {self.data_dir}"

    def __call__(self, *words: str, typed: str | None = None) -> Outcome:
        """Run a command on it, in this process; the agent as a process of its own, until it gives up."""
        if words[0] == "run":
            with self.started(*words[1:]) as running:
                out, err = running.communicate(timeout=_PATIENCE)
                return Outcome(running.returncode, out, err)
        return invoke(*words, *self.flags, typed=typed)

    def configure(self, text: str) -> None:
        """Replace the configuration file."""
        self.config.write_text(text)

    def content(self) -> dict[str, str]:
        """Mode and hash of every file and folder, but for locks, and log and history of an agent."""
        return {
            str(path.relative_to(self.data_dir)): _print_of(path)
            for path in sorted(self.data_dir.rglob("*"))
            if path.name != "lock" and path.suffix != ".lock" and path.parent.name != "log"
            if not path.name.startswith("history.db")
        }

    @contextmanager
    def agent(self) -> Iterator[subprocess.Popen[str]]:
        """An agent that answers on its control socket; ended at the end."""
        with self.started() as running:
            deadline = time.monotonic() + _PATIENCE
            while not self("status", "--json").json["running"]:
                assert running.poll() is None, running.communicate()[1]
                assert time.monotonic() < deadline, "the agent does not come up"
                time.sleep(0.05)
            yield running

    @contextmanager
    def started(self, *words: str) -> Iterator[subprocess.Popen[str]]:
        """`enigma-fed run` as a process; ended at the end."""
        command = [sys.executable, "-m", "enigma_fed", "run", *words, *self.flags]
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as running:
            try:
                yield running
            finally:
                if running.poll() is None:
                    running.send_signal(signal.SIGTERM)
                    running.communicate(timeout=_PATIENCE)


def _print_of(path: Path) -> str:
    mode = oct(path.lstat().st_mode)
    return f"{mode} {hashlib.sha256(path.read_bytes()).hexdigest()}" if path.is_file() else mode


def make_home(folder: Path, name: str) -> Home:
    """A new node without Tor, on a free port."""
    home = Home(folder / name, folder / f"{name}.toml")
    home.configure(f'[node]\nname = "{name}"\n[tor]\nmode = "off"\n[rpc]\nlisten = "127.0.0.1:0"\n')
    made = home("init")
    assert made.exit_code == 0, made.err
    return home


def taken_port() -> socket.socket:
    """A loopback port that somebody listens on."""
    listener = socket.socket()
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    return listener


class Forger:
    """Makes invite codes member by member, right and wrong."""

    def __init__(self, seed: bytes = b"\x07" * 32) -> None:
        self.key = NodeKey(seed)
        self.onion: OnionAddress = OnionKey(b"\x08" * 32).address
        now = int(time.time())
        self.members: dict[str, Any] = {
            "did": str(self.key.did),
            "onion": str(self.onion),
            "pubkey": self.key.did.public_key.hex(),
            "token": seed[:1].hex() * 16,
            "v": 1,
            "iat": now - 60,
            "exp": now + 3600,
            "scope": "observer",
            "name": "cellar",
        }

    def signed(self, **changes: Any) -> str:
        """A code with these members changed (None: left out), signed afterwards."""
        members = self._changed(changes)
        return pack({**members, "sig": _base64url(self.key.sign(signing_input(members)))})

    def unsigned(self, **changes: Any) -> str:
        """The same without a signature."""
        return pack(self._changed(changes))

    def tampered(self, **changes: Any) -> str:
        """A code signed first and changed afterwards."""
        signature = _base64url(self.key.sign(signing_input(self.members)))
        return pack({**self._changed(changes), "sig": signature})

    def _changed(self, changes: Mapping[str, Any]) -> dict[str, Any]:
        return {name: value for name, value in {**self.members, **changes}.items() if value is not None}


def pack(members: Mapping[str, Any] | bytes) -> str:
    """A code of these members, or of these bytes."""
    data = members if isinstance(members, bytes) else json.dumps(members).encode()
    return f"fed1:{_base64url(data)}"


def _base64url(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
