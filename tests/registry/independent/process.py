"""`enigma-fed registry serve` as a process, on a configuration as the registries that exist have it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from tests.registry.independent.client import Client

PEPPER: Final = bytes(range(1, 33))
SECRETS: Final = tuple(bytes(range(first, first + 32)) for first in (17, 64, 128))
"""Private envelope keys."""
KIDS: Final = ("00a1b2c3d4e5f607", "10a1b2c3d4e5f607", "20a1b2c3d4e5f607")
QUIET: Final = "[rate_limit]\nenabled = false\n"
"""Nobody is counted."""
_END: Final = 60.0


def key(number: int, *, active: bool = True, not_after_ms: int | None = None) -> str:
    """An entry of `envelope.keys`."""
    until = "" if not_after_ms is None else f", not_after_epoch_ms = {not_after_ms}"
    secret = SECRETS[number].hex()
    shown = str(active).lower()
    return f'{{ kid_hex = "{KIDS[number]}", x25519_private_key_hex = "{secret}", active = {shown}{until} }}'


def configuration(*keys: str, top: str = "", tables: str = QUIET) -> str:
    """A whole file, with the first key alone unless others are given."""
    return (
        f'address = "127.0.0.1:0"\nmode = "http"\n{top}\n{tables}\n'
        f'[envelope]\npepper_hex = "{PEPPER.hex()}"\nkeys = [{", ".join(keys or (key(0),))}]\n'
        '[storage]\nkind = "sled"\npath = "./registry_db"\n'
    )


def until(condition: Callable[[], bool]) -> None:
    """Wait for something that another process does."""
    end = time.monotonic() + _END
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.05)


class Served:
    """A running registry."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self.process = process
        self.folder = folder
        self.killed = False
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, "the registry did not start"
        self.told = json.loads(line)
        place = urlsplit(self.told["url"])
        assert place.hostname is not None
        assert place.port is not None
        self.address = (place.hostname, place.port)
        self.client = Client(*self.address, PEPPER)

    def reload(self) -> None:
        """Make it read its files again."""
        self.process.send_signal(signal.SIGHUP)

    def kill(self) -> None:
        """End it with SIGKILL."""
        self.killed = True
        self.process.kill()

    def log(self) -> str:
        """What it has said on standard error so far; a line is written some time after it was said."""
        return (self.folder / "log").read_text(encoding="utf-8")


@contextmanager
def serving(folder: Path, text: str | None = None) -> Iterator[Served]:
    """A registry that runs on `registry.toml` of a folder, written first if `text` is given."""
    path = folder / "registry.toml"
    if text is not None:
        path.write_text(text, encoding="utf-8")
        path.chmod(0o600)
    command = [sys.executable, "-m", "enigma_fed", "--json", "registry", "serve", "--config", str(path)]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ENIGMA_FED_")}
    with (folder / "log").open("a", encoding="utf-8") as log:
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=log, text=True, cwd=folder.parent, env=environment
        )
    try:
        with process:
            try:
                served = Served(process, folder)
                yield served
            finally:
                process.terminate()
                process.wait(_END)
    finally:
        if process.poll() is None:
            process.kill()
            process.wait(_END)
    assert process.returncode == (-signal.SIGKILL if served.killed else 0), served.log()
