"""Invariant 10: who cannot command an agent: whoever comes through the onion, another user, a web page."""

from __future__ import annotations

import asyncio
import dataclasses
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest
import pytest_asyncio
from multidict import CIMultiDict

from enigma_fed import config
from enigma_fed.config import Settings
from enigma_fed.daemon.app import Agent
from enigma_fed.daemon.calls import CALLS
from enigma_fed.daemon.operations import RemoteOperations
from enigma_fed.daemon.paths import Paths
from enigma_fed.wire.views import NodeView
from tests.support.prerequisites import missing
from tests.support.streams import Subscriber, framed

NOBODY = 65534
FOREIGN = "http://evil.example"


@dataclasses.dataclass(frozen=True)
class Reached:
    """A running agent, and everything of it that can be reached."""

    paths: Paths
    node: NodeView
    loopback: int
    onion: int
    """The port that the onion leads to."""
    admin: int


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that anybody may enter, so that what stands in it has to protect itself."""
    made = Path(tempfile.mkdtemp(prefix="ef-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


@pytest_asyncio.fixture
async def reached(folder: Path, settings: Settings) -> AsyncIterator[Reached]:
    onion = free_port()
    tor = config.TorSection(mode="socks", socks="127.0.0.1:1", listen=f"127.0.0.1:{onion}")
    paths = Paths(data_dir=folder / "data", config=None, runtime_dir=folder / "run")
    admin = config.AdminSettings(listen="127.0.0.1:0")
    agent = Agent(dataclasses.replace(settings, tor=tor, admin=admin), paths)
    await agent.start()
    try:
        status = await asyncio.to_thread(RemoteOperations(paths.control_socket).status)
        assert status.listen is not None
        assert status.admin is not None
        rpc, admin_port = (int(address.rpartition(":")[2]) for address in (status.listen, status.admin))
        yield Reached(paths, status.node, rpc, onion, admin_port)
    finally:
        await agent.close()


async def answer(port: int, head: str, body: bytes = b"") -> bytes:
    """What one raw HTTP request gets, until the other side ends or says no more."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    length = f"Content-Length: {len(body)}\r\n" if body else ""
    writer.write(f"{head}{length}Connection: close\r\n\r\n".encode() + body)
    async with asyncio.timeout(20):
        found = await reader.read()
    writer.close()
    return found


def status_of(found: bytes) -> int:
    return int(found.split(b" ")[1])


def assert_tells_nothing(found: bytes, node: NodeView) -> None:
    for secret in (node.did, node.onion[:20], node.name, node.pubkey, node.data_dir):
        assert secret.encode() not in found
    assert len(found) < 1024


def calls() -> list[bytes]:
    """Every command of the control socket, as a line."""
    return [json.dumps({"jsonrpc": "2.0", "id": 1, "method": name, "params": {}}).encode() for name in CALLS]


TARGETS = (
    "/",
    "/status",
    "/healthz",
    "/readyz",
    "/metrics",
    "/control",
    "/rpc/v1/",
    "/rpc/v1/streams",
    "/rpc/v1/stream/",
    "/rpc/v1/stream?",
    "/rpc/v1?",
    "/rpc/v1#x",
    "/rpc/v1/../v1",
    "/%72pc/v1",
    "//rpc/v1",
    "http://127.0.0.1/rpc/v1",
)


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS", "PUT"])
async def test_invariant_10_the_onion_leads_to_two_targets_and_no_other(
    reached: Reached, method: str
) -> None:
    for port in (reached.onion, reached.loopback):
        for target in TARGETS:
            found = await answer(port, f"{method} {target} HTTP/1.1\r\nHost: x\r\n", b"{}")
            assert status_of(found) in {400, 404}, target
            assert_tells_nothing(found, reached.node)


@pytest.mark.parametrize(("method", "status"), [("POST", 405), ("GET", 400)])
async def test_invariant_10_what_is_no_websocket_learns_nothing_of_the_stream(
    reached: Reached, method: str, status: int
) -> None:
    for port in (reached.onion, reached.loopback):
        found = await answer(port, f"{method} /rpc/v1/stream HTTP/1.1\r\nHost: x\r\n")
        assert status_of(found) == status
        assert_tells_nothing(found, reached.node)


async def test_invariant_10_a_pages_websocket_opens_no_stream(reached: Reached) -> None:
    """A page may open WebSockets to any port, but it cannot set the fields of a signature."""
    fields = CIMultiDict(
        {
            "Connection": "keep-alive, Upgrade",
            "Upgrade": "websocket",
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==",
            "Origin": FOREIGN,
        }
    )
    for port in (reached.onion, reached.loopback):
        asked = await Subscriber.asking(port, framed(fields))
        assert asked.status == 401
        assert not {"Access-Control-Allow-Origin", "Signature"} & asked.head.keys()
        assert_tells_nothing(asked.body, reached.node)
        asked.close()


async def test_invariant_10_no_command_is_a_method_of_the_rpc(reached: Reached) -> None:
    for body in calls():
        for kind in ("application/json", "application/cbor", "text/plain"):
            head = f"POST /rpc/v1 HTTP/1.1\r\nHost: x\r\nContent-Type: {kind}\r\n"
            found = await answer(reached.onion, head, body)
            assert status_of(found) in {400, 401, 415}
            assert_tells_nothing(found, reached.node)


async def test_invariant_10_lines_for_the_control_socket_get_nowhere_through_the_onion(
    reached: Reached,
) -> None:
    for line in calls():
        reader, writer = await asyncio.open_connection("127.0.0.1", reached.onion)
        writer.write(line + b"\r\n\r\n")
        async with asyncio.timeout(20):
            found = await reader.read(4096)
        writer.close()
        assert status_of(found) == 400
        assert_tells_nothing(found, reached.node)


PAGE = f"Host: 127.0.0.1:8787\r\nOrigin: {FOREIGN}\r\nSec-Fetch-Site: cross-site\r\nCookie: a=b\r\n"
PREFLIGHT = (
    "OPTIONS /rpc/v1 HTTP/1.1\r\nAccess-Control-Request-Method: POST\r\n"
    "Access-Control-Request-Headers: signature\r\nAccess-Control-Request-Private-Network: true\r\n"
)
UPGRADE = (
    "GET /rpc/v1 HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)
CALL = b'{"jsonrpc":"2.0","id":1,"method":"federation.get-state","params":{}}'


@pytest.mark.parametrize(
    ("head", "status"),
    [
        ("POST /rpc/v1 HTTP/1.1\r\nContent-Type: text/plain\r\n", 415),
        ("POST /rpc/v1 HTTP/1.1\r\nContent-Type: application/x-www-form-urlencoded\r\n", 415),
        ("POST /rpc/v1 HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=x\r\n", 415),
        ("POST /rpc/v1 HTTP/1.1\r\n", 415),
        ("POST /rpc/v1 HTTP/1.1\r\nContent-Type: application/json\r\n", 401),
        ("POST /rpc/v1 HTTP/1.1\r\nContent-Type: application/cbor\r\n", 401),
        ("GET /rpc/v1 HTTP/1.1\r\n", 405),
        (PREFLIGHT, 405),
        (UPGRADE, 405),
    ],
)
@pytest.mark.parametrize("host", ["127.0.0.1:8787", "evil.example:8787"], ids=["own", "rebound"])
async def test_invariant_10_a_web_page_learns_nothing_and_may_do_nothing(
    reached: Reached, head: str, status: int, host: str
) -> None:
    """A simple form, a script with and without a question before, a WebSocket; also under a rebound name."""
    page = PAGE.replace("127.0.0.1:8787", host)
    body = b"" if head.startswith(("GET", "OPTIONS")) else CALL
    found = await answer(reached.loopback, head + page, body)
    assert status_of(found) == status
    assert b"access-control-" not in found.lower(), "then a page could read the answer"
    assert_tells_nothing(found, reached.node)


async def test_invariant_10_what_speaks_http_to_the_control_socket_commands_nothing(reached: Reached) -> None:
    reader, writer = await asyncio.open_unix_connection(reached.paths.control_socket)
    writer.write(b"POST / HTTP/1.1\r\n")
    async with asyncio.timeout(20):
        found = json.loads(await reader.readline())
    writer.close()
    assert "error" in found


ADMIN_PAGES = ("/healthz", "/readyz", "/metrics")


async def test_invariant_10_no_page_of_the_admin_listener_is_served_through_the_onion(
    reached: Reached,
) -> None:
    for target in ADMIN_PAGES:
        for host in ("x", f"127.0.0.1:{reached.admin}", f"127.0.0.1:{reached.onion}"):
            found = await answer(reached.onion, f"GET {target} HTTP/1.1\r\nHost: {host}\r\n")
            assert status_of(found) == 404
            assert_tells_nothing(found, reached.node)


async def test_invariant_10_an_onion_that_some_tor_leads_to_the_admin_port_gets_nothing(
    reached: Reached,
) -> None:
    for target in ADMIN_PAGES:
        found = await answer(reached.admin, f"GET {target} HTTP/1.1\r\nHost: {reached.node.onion}\r\n")
        assert status_of(found) == 403
        assert_tells_nothing(found, reached.node)


@pytest.mark.parametrize("method", ["GET", "POST", "OPTIONS"])
@pytest.mark.parametrize("host", ["own", "evil.example:8788"])
async def test_invariant_10_a_web_page_gets_nothing_of_the_admin_listener(
    reached: Reached, method: str, host: str
) -> None:
    host = f"127.0.0.1:{reached.admin}" if host == "own" else host
    page = PAGE.replace("127.0.0.1:8787", host) + "Access-Control-Request-Private-Network: true\r\n"
    for target in ADMIN_PAGES:
        found = await answer(reached.admin, f"{method} {target} HTTP/1.1\r\n{page}")
        assert status_of(found) == 403
        assert b"access-control-" not in found.lower(), "then a page could read the answer"
        assert_tells_nothing(found, reached.node)


async def test_invariant_10_the_admin_listener_serves_its_pages_and_no_rpc_and_no_command(
    reached: Reached,
) -> None:
    own = f"Host: 127.0.0.1:{reached.admin}\r\n"
    for target in (set(TARGETS) | {"/rpc/v1"}) - {"/healthz", "/readyz", "/metrics"}:
        for method in ("GET", "POST", "DELETE"):
            found = await answer(reached.admin, f"{method} {target} HTTP/1.1\r\n{own}", b"{}")
            assert status_of(found) in {400, 404, 405}, target
            assert_tells_nothing(found, reached.node)


async def test_invariant_8_what_every_user_of_this_machine_can_read_names_nobody(reached: Reached) -> None:
    """A loopback port is open to all of them: no name, no onion, no path, of this node or of a peer."""
    own = f"Host: 127.0.0.1:{reached.admin}\r\n"
    for target in ADMIN_PAGES:
        for accept in ("*/*", "application/json"):
            found = await answer(reached.admin, f"GET {target} HTTP/1.1\r\n{own}Accept: {accept}\r\n")
            assert status_of(found) in {200, 503}
            for secret in (reached.node.onion[:20], reached.node.name, reached.node.data_dir):
                assert secret.encode() not in found


def as_nobody(script: str, *arguments: str) -> list[str]:
    """Run a script as a user without rights; what it printed, line by line."""
    python = "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable
    command = [*become_nobody(), python, "-I", "-c", script, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True, cwd="/")
    return done.stdout.splitlines()


def become_nobody() -> list[str]:
    """The start of a command line that runs the rest as the user nobody."""
    if os.geteuid() == 0:
        return ["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups", "--"]
    command = ["sudo", "-n", "-u", "nobody", "--"]
    try:
        subprocess.run([*command, "true"], check=True, capture_output=True, timeout=60)
    except (OSError, subprocess.SubprocessError):
        missing("to become another user takes root, or sudo without a password")
    return command


ASK = """\
import socket, sys
connection = socket.socket(socket.AF_UNIX)
connection.settimeout(20)
try:
    connection.connect(sys.argv[1])
    connection.sendall(sys.argv[2].encode() + b"\\n")
    print(connection.recv(65536))
except OSError as error:
    print(type(error).__name__)
"""
READ = """\
import os, sys
for path in sys.argv[1:]:
    try:
        print(os.listdir(path) if os.path.isdir(path) else open(path, "rb").read())
    except OSError as error:
        print(type(error).__name__)
"""
REFUSED = {"b''", "ConnectionResetError", "BrokenPipeError"}


async def test_invariant_10_another_user_cannot_reach_the_control_socket(reached: Reached) -> None:
    control = str(reached.paths.control_socket)
    asked = calls()[0].decode()
    assert await asyncio.to_thread(as_nobody, ASK, control, asked) == ["PermissionError"]


async def test_invariant_10_another_user_who_reaches_it_is_not_served(reached: Reached) -> None:
    """The folder and the socket stand open, by mistake: the kernel still says who asks."""
    reached.paths.runtime_dir.chmod(0o755)
    reached.paths.control_socket.chmod(0o666)
    for line in calls():
        [said] = await asyncio.to_thread(as_nobody, ASK, str(reached.paths.control_socket), line.decode())
        assert said in REFUSED
    mine = await asyncio.to_thread(RemoteOperations(reached.paths.control_socket).identity)
    assert mine == reached.node


async def test_invariant_10_another_user_reads_no_file_of_the_node_nor_of_its_process(
    reached: Reached,
) -> None:
    paths = reached.paths
    wanted = [paths.data_dir, paths.runtime_dir, paths.node_key, paths.onion_key, paths.log_file]
    wanted += [paths.federation_dir / "nodes.json", Path(f"/proc/{os.getpid()}/environ")]
    wanted += [Path(f"/proc/{os.getpid()}/mem"), Path(f"/proc/{os.getpid()}/fd")]
    said = await asyncio.to_thread(as_nobody, READ, *map(str, wanted))
    assert said == ["PermissionError"] * len(wanted)


def test_the_calls_are_those_of_the_control_socket() -> None:
    assert {msgspec.json.decode(line)["method"] for line in calls()} == set(CALLS)
