"""CPU of the server process per request of the identity registry, over plaintext loopback, servers in turn.

Ours is `enigma-fed registry serve` as anybody runs it, its limits on and so high that they refuse nobody, on
SQLite with every write on the disk before it is acknowledged. What it is set against is in `registryservers`,
and Debian's stdiscosrv, which finds Syncthing's devices for each other: heartbeats in, look-ups out. Bodies
are made before a turn begins; the clock that counts is the kernel's for the server's threads.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import itertools
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from benchmarks.footprint import pss_mib
from benchmarks.registryusers import KID, PEPPER, SERVER_SECRET, User
from benchmarks.report import Comparison

ROUNDS: Final = 12
_WARM_UP: Final = 2
_CALLERS: Final = 64
_REQUESTS: Final = 16
"""Of each caller in a turn."""
_USERS: Final = 512
"""Who is announced and looked for; below what one client may announce."""
_DISCOVERY: Final = "stdiscosrv"
_END_OF_HEAD: Final = b"\r\n\r\n"
_START_SECONDS: Final = 60
_LOOK_SECONDS: Final = 0.1
_CONFIG: Final = """\
address = "127.0.0.1:{port}"
mode = "http"
[rate_limit]
per_ip_rps = 1000000
burst = 1000000
[rate_limit.endpoints]
register_rps = 1000000
resolve_rps = 1000000
check_user_rps = 1000000
announce_rps = 1000000
[envelope]
pepper_hex = "{pepper}"
keys = [{{ kid_hex = "{kid}", x25519_private_key_hex = "{secret}", active = true }}]
[storage]
kind = "sqlite"
path = "{folder}/registry"
"""


class Server:
    """One server process, and connections to it."""

    def __init__(self, command: list[str], port: int, *, tells_port: bool = False) -> None:
        self._command = command
        self._port = port
        self._tells_port = tells_port
        self._connections: list[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = []
        self._process: asyncio.subprocess.Process

    async def start(self) -> None:
        """Start it and connect."""
        pipe, none = asyncio.subprocess.PIPE, asyncio.subprocess.DEVNULL
        out = pipe if self._tells_port else none
        self._process = await asyncio.create_subprocess_exec(
            *self._command, stdin=pipe, stdout=out, stderr=None if self._tells_port else none
        )
        if self._tells_port:
            assert self._process.stdout is not None
            self._port = int(await self._process.stdout.readline())
        async with asyncio.timeout(_START_SECONDS):
            while not self._connections:
                try:
                    self._connections.append(await self._connect())
                except ConnectionRefusedError:
                    if self._process.returncode is not None:
                        raise RuntimeError(f"{self._command} ended") from None
                    await asyncio.sleep(_LOOK_SECONDS)
        for _ in range(1, _CALLERS):
            self._connections.append(await self._connect())

    async def close(self) -> None:
        """End it."""
        for _, writer in self._connections:
            writer.close()
            await writer.wait_closed()
        if self._process.returncode is None:
            self._process.terminate()
        await self._process.wait()

    async def turn(self, requests: Iterator[bytes]) -> float:
        """CPU microseconds of the server for one answer, the mean of a turn."""
        each = [list(itertools.islice(requests, _REQUESTS)) for _ in range(_CALLERS)]
        await self._connect_again()
        before = self._cpu()
        await asyncio.gather(*map(_ask, self._connections, each))
        return (self._cpu() - before) / (_CALLERS * _REQUESTS)

    def pss_mib(self) -> float:
        """Its proportional set size."""
        return pss_mib(self._process.pid)

    async def _connect_again(self) -> None:
        """A connection that was idle for long may have been closed."""
        for number, (reader, writer) in enumerate(self._connections):
            if reader.at_eof():
                writer.close()
                self._connections[number] = await self._connect()

    async def _connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        return await asyncio.open_connection("127.0.0.1", self._port)

    def _cpu(self) -> float:
        """CPU time of all threads of the server in microseconds."""
        tasks = Path(f"/proc/{self._process.pid}/task").glob("*/schedstat")
        return sum(int(task.read_text().split()[0]) for task in tasks) / 1000


async def _ask(connection: tuple[asyncio.StreamReader, asyncio.StreamWriter], requests: list[bytes]) -> None:
    reader, writer = connection
    for request in requests:
        writer.write(request)
        head = (await reader.readuntil(_END_OF_HEAD)).lower()
        if not head.startswith((b"http/1.1 200 ", b"http/1.1 204 ")):
            raise RuntimeError(f"not answered: {head.decode()}")
        if b"content-length:" in head:
            await reader.readexactly(int(head.partition(b"content-length:")[2].partition(b"\r\n")[0]))


def post(path: str, body: bytes, fields: str = "") -> bytes:
    """A request with a body of JSON."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n{fields}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def get(path: str) -> bytes:
    """A request without one."""
    return f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode()


class Device:
    """A device of Syncthing's: what it is known by is its certificate, which a proxy hands on."""

    def __init__(self) -> None:
        key = ec.generate_private_key(ec.SECP384R1())
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "syncthing")])
        begin = datetime.now(UTC)
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(begin + timedelta(days=7300))
            .sign(key, hashes.SHA256())
        )
        encoding = serialization.Encoding
        self._pem = certificate.public_bytes(encoding.PEM).decode().strip().replace("\n", " ")
        digest = hashlib.sha256(certificate.public_bytes(encoding.DER)).digest()
        self._id = base64.b32encode(digest).decode().rstrip("=")

    def announce(self) -> bytes:
        """Its heartbeat."""
        return post("/", b'{"addresses":["tcp://192.0.2.45:22000"]}', f"X-SSL-Cert: {self._pem}\r\n")

    def look_up(self) -> bytes:
        """Somebody looks for it."""
        return get(f"/?device={self._id}")


async def run(folder: Path) -> list[Comparison]:
    """Measure all of it; `folder` is for the servers' files."""
    users = [User(number) for number in range(_USERS)]
    plain = [User(number, bundled=False) for number in range(_USERS)]
    fresh = itertools.count(_USERS)
    async with AsyncExitStack() as stack:
        ours = await _start(stack, registry_server(folder))
        echo = await _start(stack, _floor("echo", folder))
        crypto = await _start(stack, _floor("crypto", folder))
        unseal = await _start(stack, _floor("unseal", folder))
        verify = await _start(stack, _floor("verify", folder))
        await ours.turn(iter([post("/register", user.register()) for user in users] * 2))
        kinds: dict[str, tuple[Server, Callable[[], Iterator[bytes]]]] = {
            "echo": (echo, lambda: _again(post("/resolve", user.resolve()) for user in users)),
            "crypto": (crypto, lambda: _made(users, lambda user: post("/resolve", user.resolve()))),
            "resolve": (ours, lambda: _made(users, lambda user: post("/resolve", user.resolve()))),
            "register": (ours, lambda: (post("/register", User(n).register()) for n in fresh)),
            "plain": (ours, lambda: (post("/register", User(n, bundled=False).register()) for n in fresh)),
            "unseal": (unseal, lambda: _made(plain, lambda user: post("/register", user.register()))),
            "verify": (verify, lambda: _made(users, lambda user: post("/register", user.register()))),
            "announce": (
                ours,
                lambda: _made(users, lambda user: post("/announce", user.announce(_now_ms()))),
            ),
            "look-up": (ours, lambda: _made(users, lambda user: get(f"/check_user/{user.id.hex}"))),
        }
        if shutil.which(_DISCOVERY) is not None:
            discovery = await _start(stack, _discovery(folder))
            devices = [Device() for _ in range(_USERS)]
            await discovery.turn(_made(devices, Device.announce))
            kinds["device's announce"] = (discovery, lambda: _made(devices, Device.announce))
            kinds["device's look-up"] = (discovery, lambda: _made(devices, Device.look_up))
        samples = await _sample(kinds)
    return _compare(samples)


async def _sample(
    kinds: dict[str, tuple[Server, Callable[[], Iterator[bytes]]]],
) -> dict[str, tuple[float, ...]]:
    samples: dict[str, list[float]] = {kind: [] for kind in kinds}
    for number in range(_WARM_UP + ROUNDS):
        for kind in kinds if number % 2 else reversed(kinds):
            server, requests = kinds[kind]
            microseconds = await server.turn(requests())
            if number >= _WARM_UP:
                samples[kind].append(microseconds)
    return {kind: tuple(measured) for kind, measured in samples.items()}


def _compare(samples: dict[str, tuple[float, ...]]) -> list[Comparison]:
    echo, discovery = "bare aiohttp echo", "stdiscosrv -http"
    wanted = (
        ("resolve", "crypto", "`/resolve`", "bare aiohttp + X25519, SQLite read, open, seal", 1.15),
        ("plain", "echo", "durable `/register`, 0.6 KB", echo, 2.22),
        ("register", "echo", "durable `/register`, 3.2 KB with a bundle", echo, 2.22),
        ("plain", "unseal", "durable `/register`, 0.6 KB", "bare aiohttp + X25519, open", None),
        ("register", "verify", "durable `/register`, 3.2 KB with a bundle", "the same + Ed25519", None),
        ("announce", "echo", "`/announce`", echo, None),
        ("announce", "device's announce", "`/announce`", discovery, 1.0),
        ("look-up", "device's look-up", "look-up (`/check_user`)", discovery, 1.25),
    )
    return [
        Comparison(
            name=f"{name}, server's CPU",
            ours=samples[ours],
            floor=samples[floor],
            floor_name=floor_name,
            unit="µs",
            target=target,
        )
        for ours, floor, name, floor_name, target in wanted
        if floor in samples
    ]


def _made(sources: list[User] | list[Device], make: Callable[..., bytes]) -> Iterator[bytes]:
    return (make(source) for source in itertools.cycle(sources))


def _again(requests: Iterator[bytes]) -> Iterator[bytes]:
    return itertools.cycle(requests)


def _now_ms() -> int:
    return int(time.time() * 1000)


async def _start(stack: AsyncExitStack, server: Server) -> Server:
    stack.push_async_callback(server.close)
    await server.start()
    return server


def registry_server(folder: Path) -> Server:
    """A registry whose files are in this folder."""
    port = _free_port()
    config = folder / "registry.toml"
    config.write_text(
        _CONFIG.format(
            port=port, pepper=PEPPER.hex(), kid=KID.hex(), secret=SERVER_SECRET.hex(), folder=folder
        )
    )
    config.chmod(0o600)
    return Server([sys.executable, "-m", "enigma_fed", "registry", "serve", "--config", str(config)], port)


def _floor(kind: str, folder: Path) -> Server:
    return Server([sys.executable, "-m", "benchmarks.registryservers", kind, str(folder)], 0, tells_port=True)


def _discovery(folder: Path) -> Server:
    port = _free_port()
    files = folder / "discovery"
    files.mkdir()
    options = {"listen": f"127.0.0.1:{port}", "db-dir": str(files / "db"), "replication-listen": ""}
    options |= {"cert": str(files / "cert.pem"), "key": str(files / "key.pem")}
    return Server([_DISCOVERY, "-http", *(f"-{name}={value}" for name, value in options.items())], port)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
