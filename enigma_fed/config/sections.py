"""The sections of the configuration that are flat tables of text and numbers."""

from __future__ import annotations

from dataclasses import dataclass

from enigma_fed.base import limits
from enigma_fed.base.errors import ConfigError
from enigma_fed.base.ids import OnionAddress, parse_node_name
from enigma_fed.config.options import option
from enigma_fed.transports.tor.endpoint import Endpoint, is_loopback
from enigma_fed.wire import away


def parse_listen(text: str, like: str = "127.0.0.1:8787") -> tuple[str, int]:
    """`ADDR:PORT` with a loopback address (IPv6 in brackets) to its parts; raises ConfigError."""
    host, _, port = text.rpartition(":")
    if not is_loopback(host):
        raise ConfigError(f"it must be a loopback address and a port, such as {like}")
    if not (port.isascii() and port.isdecimal() and len(port) <= 5 and int(port) <= 65535):
        raise ConfigError("the port must be a number from 0 to 65535")
    return host.strip("[]"), int(port)


def _check_name(text: str) -> None:
    if text:
        parse_node_name(text)


def _check_windows(text: str) -> None:
    away.parse_setting(text)


def _check_listen(text: str, like: str = "127.0.0.1:8787") -> None:
    if text:
        parse_listen(text, like)


def _check_path(text: str) -> None:
    if text and (not text.startswith("/") or "\0" in text):
        raise ConfigError("it must be an absolute path")


def _check_onion_listen(text: str) -> None:
    if parse_listen(text, "127.0.0.1:8786")[1] == 0:
        raise ConfigError("the onion needs a fixed port")


def _check_endpoint(text: str) -> None:
    if text:
        Endpoint.parse(text)


def _check_onion(text: str) -> None:
    if text:
        OnionAddress.parse(text)


@dataclass(frozen=True, slots=True)
class NodeSettings:
    """This node."""

    name: str = option("", "Name that peers see; empty for the machine's host name.", check=_check_name)
    offline_windows: str = option(
        "",
        "When this node is off each day, in this machine's time, such as `23:00-07:00, 12:00-13:00`: up to "
        "four windows, which peers are told, so that nobody is worried then. They must leave four hours of a "
        "day. Empty announces nothing.",
        check=_check_windows,
    )


@dataclass(frozen=True, slots=True)
class RpcSettings:
    """The RPC endpoint."""

    listen: str = option(
        "127.0.0.1:8787",
        "Loopback address and port of `/rpc/v1`; port 0 takes a free one, empty opens none. "
        "Peers come through the onion service, not through this.",
        check=_check_listen,
    )


@dataclass(frozen=True, slots=True)
class AdminSettings:
    """Health and metrics, for programs on this machine."""

    listen: str = option(
        "127.0.0.1:8788",
        "Loopback address and port of `/healthz`, `/readyz` and `/metrics`; port 0 takes a free one, empty "
        "opens none. Every user of this machine can read them. While another program has the port, the agent "
        "runs without them, says so, and tries again every minute.",
        check=lambda text: _check_listen(text, "127.0.0.1:8788"),
    )


@dataclass(frozen=True, slots=True)
class TorSection:
    """Tor."""

    mode: str = option(
        "auto",
        "Whose tor is used. `managed`: one of our own, started and watched by the agent. `system`: the "
        "machine's, through its control port, which carries the onion while the agent runs. `socks`: the "
        "owner's, through its SOCKS port alone; the onion is in that tor's own torrc (`enigma-fed doctor` "
        "has the lines). `off`: none. `auto` takes `managed` when `tor.binary` or `tor.torrc_extra` is set, "
        "else `system` when a control port lets us in, else `managed` when a tor program is found, else "
        "`socks`. `enigma-fed status` says which it is and why.",
        choices=("auto", "managed", "system", "socks", "off"),
    )
    control: str = option(
        "",
        "Mode `system`: tor's control port, `unix:/run/tor/control` or `127.0.0.1:9051`; empty looks at "
        "these two.",
        check=_check_endpoint,
    )
    control_password_file: str = option(
        "",
        "Mode `system`: path of a file with the control port's password (mode 0600), for a tor without a "
        "cookie; empty takes the systemd credential `tor-control-password` if there is one.",
        check=_check_path,
    )
    socks: str = option(
        "",
        "Modes `socks` and `system`: tor's SOCKS port, `127.0.0.1:9050` or `unix:/run/tor/socks`; empty asks "
        "tor for it, and is 127.0.0.1:9050 in mode `socks`.",
        check=_check_endpoint,
    )
    listen: str = option(
        "127.0.0.1:8786",
        "Modes `socks` and `system`: loopback address and port that the onion leads to. In mode `system` a "
        "free port is taken when this one is in use.",
        check=_check_onion_listen,
    )
    onion: str = option(
        "",
        "Mode `socks`: the onion address of a service that the owner's tor made itself; empty stands for the "
        "node's own address, whose key files then go into that tor.",
        check=_check_onion,
    )
    binary: str = option(
        "", "Mode `managed`: path of the tor program; empty looks for it.", check=_check_path
    )
    torrc_extra: str = option(
        "", "Mode `managed`: path of a file whose lines are appended to tor's torrc.", check=_check_path
    )


@dataclass(frozen=True, slots=True)
class FederationSettings:
    """Polling of peers."""

    poll_interval: int = option(
        limits.POLL_INTERVAL,
        "Seconds between two polls of a peer; one whose stream stands is polled every hour.",
        least=limits.POLL_INTERVAL_MIN,
        most=24 * 3600,
    )
    streams: int = option(
        limits.STREAMS_OUTBOUND,
        "Peers whose states are pushed to this node at once, as they change; all others are asked at the "
        "interval. 0 for none.",
        least=0,
        most=limits.STREAMS_OUTBOUND_MAX,
    )


@dataclass(frozen=True, slots=True)
class ClockSettings:
    """The machine's clock."""

    synchronised: str = option(
        "kernel",
        "`kernel` asks the kernel whether the clock is synchronised and asks every caller for a "
        "challenge while it is not; `assume` takes it as right.",
        choices=("kernel", "assume"),
    )


@dataclass(frozen=True, slots=True)
class LogSettings:
    """What the agent logs."""

    level: str = option(
        "info", "Least important lines that are kept.", choices=("debug", "info", "warning", "error")
    )
    format: str = option("text", "Form of a line.", choices=("text", "json"))
