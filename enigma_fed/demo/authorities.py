"""The directory authorities of a private Tor network: their keys, ports and torrc lines.

The authorities are also its only relays and onion directories. There are no exits: nothing
can leave the machine. None of these lines is ever used by a node outside a test or a demo.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Self

from enigma_fed.base.errors import TorFailed, TorMissing
from enigma_fed.transports.tor.binary import TorBinary

FIRST_VOTE_SECONDS: Final = 8
"""The first consensus is made at a multiple of so many seconds; five are too few for it."""
_PORTS: Final = range(20000, 32000)
"""Below the ports that the system hands out by itself."""
_BIND_TRIES: Final = 1000
_KEY_MONTHS: Final = "12"


@dataclass(frozen=True, slots=True)
class Authority:
    """One authority with its keys made."""

    name: str
    folder: Path
    or_port: int
    dir_port: int
    v3ident: str
    fingerprint: str

    @property
    def line(self) -> str:
        """The DirAuthority line that names it to the others and to clients."""
        return (
            f"DirAuthority {self.name} orport={self.or_port} v3ident={self.v3ident} "
            f"127.0.0.1:{self.dir_port} {self.fingerprint}"
        )


class HeldPorts:
    """Free ports of this machine, held until `release` so that nobody else takes them meanwhile."""

    def __init__(self, sockets: Sequence[socket.socket]) -> None:
        self._sockets = tuple(sockets)
        self.numbers: tuple[int, ...] = tuple(each.getsockname()[1] for each in sockets)

    @classmethod
    def take(cls, count: int) -> Self:
        """Hold so many ports; raises TorFailed when there are not that many."""
        held: list[socket.socket] = []
        for _ in range(_BIND_TRIES):
            if len(held) == count:
                return cls(held)
            candidate = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
            try:
                candidate.bind(("127.0.0.1", secrets.choice(_PORTS)))
            except OSError:
                candidate.close()
            else:
                held.append(candidate)
        cls(held).release()
        raise TorFailed(f"fewer than {count} ports are free between {_PORTS.start} and {_PORTS.stop}")

    def release(self) -> None:
        """Let them go, right before tor takes them."""
        for each in self._sockets:
            each.close()


def common_lines(authorities: Sequence[Authority]) -> list[str]:
    """What every tor of the network, client or authority, has in its torrc."""
    return [
        "TestingTorNetwork 1",
        "AssumeReachable 1",
        "PathsNeededToBuildCircuits 0.67",
        # With so few relays vanguards-lite finds no second hop and gets stuck.
        "VanguardsLiteEnabled 0",
        "TestingDirAuthVoteExit *",
        "TestingDirAuthVoteHSDir *",
        "TestingDirAuthVoteGuard *",
        "TestingMinExitFlagThreshold 0",
        "V3AuthNIntervalsValid 3",
        "Address 127.0.0.1",
        "OutboundBindAddress 127.0.0.1",
        "AddressDisableIPv6 1",
        *(authority.line for authority in authorities),
    ]


def authority_lines(authority: Authority) -> list[str]:
    """What makes a tor this authority, beside the common lines."""
    return [
        f"Nickname {authority.name}",
        f"ORPort 127.0.0.1:{authority.or_port} IPv4Only",
        f"DirPort 127.0.0.1:{authority.dir_port} IPv4Only",
        "SocksPort 0",
        "ExitRelay 0",
        "ExitPolicy reject *:*",
        "AuthoritativeDirectory 1",
        "V3AuthoritativeDirectory 1",
        "ContactInfo x@test.invalid",
        f"TestingV3AuthInitialVotingInterval {FIRST_VOTE_SECONDS}",
        "TestingV3AuthInitialVoteDelay 2",
        "TestingV3AuthInitialDistDelay 2",
        "V3AuthVotingInterval 300",
        "V3AuthVoteDelay 20",
        "V3AuthDistDelay 20",
        "ServerDNSDetectHijacking 0",
        "ServerDNSAllowBrokenConfig 1",
        f'ServerDNSResolvConfFile "{authority.folder}/resolv.conf"',
    ]


async def make_authority(
    binary: TorBinary, folder: Path, name: str, or_port: int, dir_port: int
) -> Authority:
    """Make the folder and both kinds of keys (2 to 4 s); raises TorFailed, TorMissing."""
    keys = folder / "keys"
    await asyncio.to_thread(_make_folders, folder, keys)
    await asyncio.gather(
        _make_certificate(binary, keys, dir_port), _make_relay_keys(binary, folder, name, or_port)
    )
    v3ident, fingerprint = await asyncio.to_thread(_read_identities, folder, keys)
    return Authority(name, folder, or_port, dir_port, v3ident, fingerprint)


def _make_folders(folder: Path, keys: Path) -> None:
    keys.mkdir(mode=0o700, parents=True)
    folder.chmod(0o700)
    (folder / "torrc").touch()  # tor takes no device for a torrc
    (folder / "resolv.conf").write_text("nameserver 127.0.0.1\n", encoding="ascii")


async def _make_certificate(binary: TorBinary, keys: Path, dir_port: int) -> None:
    command = ["--create-identity-key", "--passphrase-fd", "0", "-m", _KEY_MONTHS]
    command += ["-a", f"127.0.0.1:{dir_port}", "-i", str(keys / "authority_identity_key")]
    command += ["-s", str(keys / "authority_signing_key"), "-c", str(keys / "authority_certificate")]
    await _run(binary, binary.gencert, command)


async def _make_relay_keys(binary: TorBinary, folder: Path, name: str, or_port: int) -> None:
    command = ["--list-fingerprint", "--defaults-torrc", "/dev/null", "-f", str(folder / "torrc"), "--quiet"]
    command += ["--DataDirectory", str(folder), "--ORPort", f"127.0.0.1:{or_port}"]
    command += ["--Address", "127.0.0.1", "--Nickname", name, "--ExitRelay", "0"]
    await _run(binary, binary.path, command)


def _read_identities(folder: Path, keys: Path) -> tuple[str, str]:
    certificate = (keys / "authority_certificate").read_text(encoding="ascii")
    v3ident = next(line.split()[1] for line in certificate.splitlines() if line.startswith("fingerprint "))
    fingerprint = (folder / "fingerprint").read_text(encoding="ascii").split()[1]
    return v3ident, fingerprint


async def _run(binary: TorBinary, program: Path, arguments: Sequence[str]) -> None:
    try:
        process = await asyncio.create_subprocess_exec(
            str(program),
            *arguments,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=binary.environment,
            start_new_session=True,  # Ctrl-C is ours to handle
        )
    except OSError:
        raise TorMissing(f"{program} is not there", hint="The tor package brings it.") from None
    try:
        # tor-gencert asks for a passphrase; these keys live as long as the network.
        output, _ = await process.communicate(b"private\n")
    finally:
        if process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                process.kill()
            await process.wait()
    if process.returncode != 0:
        raise TorFailed(f"{program.name} made no keys: {output.decode('utf-8', 'replace').strip()[-200:]}")
