"""A life of three homes with every command, right and wrong, and what was said and written in it."""

from __future__ import annotations

import base64
import os
import resource
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.error import HTTPError, URLError

import msgspec
import psutil

from enigma_fed.daemon.paths import resolve_paths
from enigma_fed.transports.tor.folders import TorFolders
from tests.cli.fakes import Outcome, invoke
from tests.support import secrets
from tests.support.secrets import Secret

PATIENCE = 60.0
OFF = 'mode = "off"'
_CONFIG = """\
[node]
name = "{name}"
[rpc]
listen = "127.0.0.1:0"
[admin]
listen = "127.0.0.1:0"
[tor]
{tor}
[registry]
enabled = {registry}
listen = "127.0.0.1:0"
onion = true
[federation]
poll_interval = 5
[log]
level = "debug"
format = "{form}"
"""


@dataclass
class Said:
    """What one command said."""

    words: tuple[str, ...]
    outcome: Outcome

    @property
    def title(self) -> str:
        return " ".join(self.words)


@dataclass(frozen=True)
class Kept:
    """A file or folder of the run as it once was."""

    path: Path
    open_to_others: bool
    data: bytes
    """Empty for a folder."""


class House:
    """One home: its folder, its agent as a process, its commands."""

    def __init__(self, life: Life, name: str, *, tor: str, form: str) -> None:
        self.life = life
        self.name = name
        self.data_dir = life.folder / name
        self.config = life.folder / f"{name}.toml"
        registry = "true" if tor != OFF else "false"
        self.config.write_text(_CONFIG.format(name=name, tor=tor, form=form, registry=registry))
        self.paths = resolve_paths(str(self.data_dir), str(self.config), os.environ)
        self.process: subprocess.Popen[bytes] | None = None
        self.output = life.folder / f"{name}.output"

    def __call__(self, *words: str, typed: str | None = None) -> Outcome:
        """Run a command, and keep what it said."""
        flags = ("--data-dir", str(self.data_dir), "--config", str(self.config))
        outcome = invoke(*words, *flags, typed=typed)
        self.life.said.append(Said((self.name, *words), outcome))
        return outcome

    def must(self, *words: str, typed: str | None = None) -> Outcome:
        """Run a command that has to succeed."""
        outcome = self(*words, typed=typed)
        assert outcome.exit_code == 0, (words, outcome)
        return outcome

    def start(self) -> None:
        """Start the agent, and wait until it takes commands and the others can find it."""
        before = len(list(self.life.board.iterdir()))
        command = [sys.executable, "-m", "tests.support.loopbackagent"]
        with self.output.open("ab") as output:
            self.process = subprocess.Popen(
                [*command, str(self.data_dir), str(self.config), str(self.life.board)],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        onion = self.must("id", "--json").json["onion"]
        wait(f"{self.name} is up", lambda: self._is_listed(onion))
        assert len(list(self.life.board.iterdir())) > before

    def _is_listed(self, onion: str) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.output.read_text()
        listed = self.life.board / onion
        return listed.exists() and bool(listed.read_text())

    def stop(self, number: signal.Signals = signal.SIGTERM) -> None:
        """End the agent."""
        if self.process is not None and self.process.poll() is None:
            self.life.look_at_processes()
            self.process.send_signal(number)
            self.process.wait(PATIENCE)

    @property
    def onion(self) -> str:
        return str(self.must("id", "--json").json["onion"])

    def port(self) -> int:
        """Its loopback port."""
        return int((self.life.board / self.onion).read_text())


@dataclass
class Life:
    """Everything of one run."""

    folder: Path
    runtime: Path
    said: list[Said] = field(default_factory=list)
    titles: list[tuple[str, bytes]] = field(default_factory=list)
    """What every process of the run was called with, and its environment."""
    secrets: list[Secret] = field(default_factory=list)
    codes: list[str] = field(default_factory=list)
    onions: list[str] = field(default_factory=list)
    kept: list[Kept] = field(default_factory=list)
    told: list[tuple[str, bytes]] = field(default_factory=list)
    """What the admin listeners told every user of the machine."""
    houses: list[House] = field(default_factory=list)

    @property
    def board(self) -> Path:
        return self.folder / "board"

    def house(self, name: str, *, tor: str = OFF, form: str = "text") -> House:
        """A new home, made by `init`."""
        house = House(self, name, tor=tor, form=form)
        self.houses.append(house)
        house.must("init")
        self.onions.append(house.onion)
        self.secrets += secrets.of_node(name, house.data_dir)
        return house

    def code(self, house: House, *words: str) -> str:
        """A code that the home made."""
        outcome = house.must("invite", "create", *words)
        shown = outcome.json["code"] if "--json" in words else outcome.out.strip()
        self.codes.append(shown)
        self.secrets += secrets.of_code(f"{house.name} {len(self.codes)}", shown)
        return str(shown)

    def look_at_processes(self) -> None:
        """Note the command line and the environment of every agent and of its children."""
        for house in self.houses:
            if house.process is None or house.process.poll() is not None:
                continue
            whole = psutil.Process(house.process.pid)
            for process in (whole, *whole.children(recursive=True)):
                folder = Path("/proc") / str(process.pid)
                for name in ("cmdline", "environ", "comm"):
                    self.titles.append((f"{process.name()} {name}", (folder / name).read_bytes()))

    def look_at_files(self) -> None:
        """Note every file and folder as it is now: some are gone when the agents are."""
        for folder in (*(house.data_dir for house in self.houses), self.runtime):
            for path in (folder, *sorted(folder.rglob("*"))):
                if path.is_file() or path.is_dir():
                    loose = bool(path.stat().st_mode & 0o077)
                    self.kept.append(Kept(path, loose, path.read_bytes() if path.is_file() else b""))

    def drawn(self) -> Iterator[Secret]:
        """The random bytes that agents drew: isolation and challenge keys, tokens, nonces."""
        for path in self.board.glob("*.drawn"):
            for number, line in enumerate(path.read_text().split()):
                if len(line) >= 32:
                    yield secrets.of_bytes(
                        f"drawn {path.stem}.{number} ({len(line) // 2} bytes)", bytes.fromhex(line)
                    )

    def cookies(self) -> Iterator[Secret]:
        """What opens the control port of each managed tor."""
        for house in self.houses:
            path = TorFolders(house.paths.tor_dir, house.paths.runtime_dir).cookie
            if path.exists():
                yield secrets.of_bytes(f"{house.name} control cookie", path.read_bytes())


def wait(what: str, look: Callable[[], bool]) -> None:
    """Return once it is so."""
    deadline = time.monotonic() + PATIENCE
    while not look():
        assert time.monotonic() < deadline, f"not within {PATIENCE:.0f} s: {what}"
        time.sleep(0.05)


def live(life: Life, tor: str) -> None:
    """Every command, and everything that can go wrong, with agents and without."""
    life.board.mkdir()
    attic = life.house("attic", tor=tor, form="text")
    cellar, barn = life.house("cellar", form="json"), life.house("barn")
    life.code(barn)  # made while no agent runs
    for house in life.houses:
        house.start()
    host(life, attic)
    join(life, attic, cellar, barn)
    mistakes(life, attic, cellar)
    everyday(attic, cellar)
    strangers(attic)
    watch(attic, cellar, barn)
    life.secrets += [*life.cookies(), *life.drawn()]
    life.look_at_processes()
    life.look_at_files()
    assert cellar.process is not None
    cellar.process.send_signal(signal.SIGUSR1)  # the stacks of all threads
    attic.must("peer", "remove", "cellar", "--yes")
    cellar("peer", "sync", "attic")
    cellar.stop(signal.SIGABRT)
    damage(cellar)
    for house in life.houses:
        house.stop()
    life.secrets += life.drawn()
    life.look_at_files()


def host(life: Life, house: House) -> None:
    """The registry that the home hosts, and what somebody may send to it; it may tell its own DID."""
    wait("the registry is up", lambda: bool(house.must("status", "--json").json["registry"]["running"]))
    status = house.must("status", "--json").json
    life.onions.append(status["public"]["onion"])
    life.secrets += secrets.of_registry(house.name, house.data_dir)
    registry, own = f"http://{status['registry']['listen']}", status["registry"]["did"].encode()
    for target in ("/nodes", "/resolve", "/register", "/announce", "/sync", "/v1/registry", "/v1/log", "/x"):
        for body in (None, b"{}", b'{"handle": 5', b"\0" * 4096):
            request = urllib.request.Request(registry + target, body, {"Content-Type": "application/json"})
            life.told.append((f"{house.name} registry {target}", answered(request).replace(own, b"")))


def answered(request: urllib.request.Request) -> bytes:
    """What anybody gets for this request."""
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE) as response:
            return bytes(response.read())
    except HTTPError as error:
        return error.read()


def join(life: Life, attic: House, cellar: House, barn: House) -> None:
    """Codes given in every way that a code can be given."""
    file = life.folder / "code.txt"
    file.touch(0o600)
    file.write_text(life.code(attic))
    cellar.must("invite", "inspect", "--file", str(file))
    cellar.must("invite", "accept", "--file", str(file))
    file.unlink()
    barn.must("invite", "accept", "-", "--json", typed=life.code(attic, "--json", "--scope", "trusted"))
    for house, other in ((cellar, attic), (barn, attic), (attic, cellar), (attic, barn)):
        wait(f"{house.name} knows {other.name}", lambda house=house, other=other: knows(house, other))


def knows(house: House, other: House) -> bool:
    """Whether it has heard the other one; asks it."""
    return house("peer", "sync", other.name).exit_code == 0


def mistakes(life: Life, attic: House, cellar: House) -> None:
    """Codes that are no good, in every way."""
    good = life.code(attic)
    body = good.removeprefix("fed1:")
    members = msgspec.json.decode(base64.urlsafe_b64decode(body + "=" * (-len(body) % 4)))

    def changed(**values: object) -> str:
        text = msgspec.json.encode({**members, **values})
        return "fed1:" + base64.urlsafe_b64encode(text).rstrip(b"=").decode()

    bad = [good[:-1], good[:100], good + "A", good.upper(), body, f"{good} {good}", good * 40]
    bad += [changed(name="x"), changed(token=members["token"][:-2]), changed(sig=None), changed(exp=1)]
    bad += [changed(onion="a" * 56 + ".onion"), changed(pubkey="00" * 32), changed(extra=members["token"])]
    for code in bad:
        for words in (("invite", "accept"), ("invite", "inspect")):
            cellar(*words, "-", typed=code)
        cellar("invite", "accept", "-", "--json", "--allow-unsigned", typed=code)
    attic("invite", "accept", "-", typed=good)  # its own
    cellar("invite", "accept", "-", typed=good)
    cellar("invite", "accept", "-", typed=good)
    revoked = life.code(attic)
    identity = attic.must("invite", "list", "--json").json[-1]["id"]
    attic.must("invite", "revoke", identity)
    cellar("invite", "accept", "-", typed=revoked)
    cellar("peer", "sync")


def everyday(attic: House, cellar: House) -> None:
    """Every other command, on an agent, with and without --json."""
    for house in (attic, cellar):
        for words in (
            ("id",),
            ("status",),
            ("doctor",),
            ("invite", "list"),
            ("peer", "list"),
            ("config", "show"),
        ):
            house(*words)
            house(*words, "--json")
        house("logs", "--lines", "2000")
        house("logs", "--json", "--level", "debug")
    for words in (
        ("show", "cellar"),
        ("ping", "cellar"),
        ("rename", "cellar", "grandma"),
        ("trust", "grandma", "trusted"),
        ("pause", "grandma"),
        ("pause", "grandma", "--resume"),
        ("offline", "grandma", "23:00-07:00"),
        ("sync",),
        ("show", "nobody"),
        ("approve", "grandma"),
        ("trust", "grandma", "king"),
    ):
        attic("peer", *words)
        attic("peer", *words, "--json")
    attic("invite", "revoke", "00000000")
    attic("init")
    attic("nonsense")


def watch(*houses: House) -> None:
    """What monitoring asks, in every form."""
    for house in houses:
        address = house.must("status", "--json").json["admin"]
        for target in ("/healthz", "/readyz", "/metrics", "/", "/rpc/v1"):
            for accept in ("*/*", "application/json", "application/openmetrics-text"):
                request = urllib.request.Request(f"http://{address}{target}", headers={"Accept": accept})
                house.life.told.append((f"{house.name} {target} {accept}", answered(request)))


def strangers(house: House) -> None:
    """What somebody without rights can send to the loopback port and to the control socket."""
    for target, body in (("/", b""), ("/rpc/v1", b"{}"), ("/rpc/v1", b"\0" * 4096), ("/metrics", b"x")):
        for kind in ("application/json", "application/cbor", "text/plain"):
            url = f"http://127.0.0.1:{house.port()}{target}"
            request = urllib.request.Request(url, body, {"Content-Type": kind, "Signature": "fed=:AAAA:"})
            with suppress(URLError):
                urllib.request.urlopen(request, timeout=10).read()
    for line in (b"\n", b"{}\n", b'{"jsonrpc":"2.0","id":1,"method":"invite_accept","params":{"code":5}}\n'):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(house.paths.control_socket))
            connection.sendall(line)
            connection.settimeout(10)
            connection.recv(65536)


def damage(house: House) -> None:
    """Files that cannot be used, of a node whose agent has died."""
    files = {
        path: path.read_bytes() for path in house.data_dir.rglob("*") if path.suffix in {".json", ".key"}
    }
    for path, content in files.items():
        for broken in (content[:-40], content.replace(b"A", b"B", 3), b""):
            path.write_bytes(broken)
            for words in (("status",), ("invite", "list"), ("doctor",), ("id", "--json")):
                house(*words)
        path.write_bytes(content)
        path.chmod(0o644)
        house("status")
        path.chmod(0o600)


@contextmanager
def no_cores() -> Iterator[None]:
    """Processes that are killed in the test leave no core files either."""
    soft, hard = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0, hard))
    yield
    resource.setrlimit(resource.RLIMIT_CORE, (soft, hard))
