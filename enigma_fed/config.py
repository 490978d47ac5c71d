"""The configuration: TOML and environment to frozen settings (docs/CONFIG.md is generated from here).

Strength: flag, environment (`ENIGMA_FED_TOR__MODE`), file, default. An unknown key is an error.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import Field, dataclass, field, fields
from pathlib import Path
from typing import Any, Final, TypeAlias, cast

from enigma_fed.base import limits
from enigma_fed.base.errors import ConfigError, EnigmaError
from enigma_fed.base.ids import OnionAddress, parse_node_name
from enigma_fed.transports.tor.endpoint import Endpoint, is_loopback
from enigma_fed.wire import away

Value: TypeAlias = str | int
_PREFIX: Final = "ENIGMA_FED_"
# Environment variables that are no configuration keys.
_OTHER_VARIABLES: Final = frozenset({"ENIGMA_FED_DATA_DIR", "ENIGMA_FED_CONFIG", "ENIGMA_FED_DEBUG"})


def _option(
    default: Value,
    meaning: str,
    *,
    choices: tuple[str, ...] = (),
    least: int | None = None,
    most: int | None = None,
    check: Callable[[str], None] | None = None,
) -> Any:
    """A dataclass field that carries what the reference, the schema and the checks need."""
    metadata = {"meaning": meaning, "choices": choices, "least": least, "most": most, "check": check}
    return field(default=default, metadata=metadata)


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

    name: str = _option("", "Name that peers see; empty for the machine's host name.", check=_check_name)
    offline_windows: str = _option(
        "",
        "When this node is off each day, in this machine's time, such as `23:00-07:00, 12:00-13:00`: up to "
        "four windows, which peers are told, so that nobody is worried then. They must leave four hours of a "
        "day. Empty announces nothing.",
        check=_check_windows,
    )


@dataclass(frozen=True, slots=True)
class RpcSettings:
    """The RPC endpoint."""

    listen: str = _option(
        "127.0.0.1:8787",
        "Loopback address and port of `/rpc/v1`; port 0 takes a free one, empty opens none. "
        "Peers come through the onion service, not through this.",
        check=_check_listen,
    )


@dataclass(frozen=True, slots=True)
class AdminSettings:
    """Health and metrics, for programs on this machine."""

    listen: str = _option(
        "127.0.0.1:8788",
        "Loopback address and port of `/healthz`, `/readyz` and `/metrics`; port 0 takes a free one, empty "
        "opens none. Every user of this machine can read them. While another program has the port, the agent "
        "runs without them, says so, and tries again every minute.",
        check=lambda text: _check_listen(text, "127.0.0.1:8788"),
    )


@dataclass(frozen=True, slots=True)
class TorSection:
    """Tor."""

    mode: str = _option(
        "auto",
        "Whose tor is used. `managed`: one of our own, started and watched by the agent. `system`: the "
        "machine's, through its control port, which carries the onion while the agent runs. `socks`: the "
        "owner's, through its SOCKS port alone; the onion is in that tor's own torrc (`enigma-fed doctor` "
        "has the lines). `off`: none. `auto` takes `managed` when `tor.binary` or `tor.torrc_extra` is set, "
        "else `system` when a control port lets us in, else `managed` when a tor program is found, else "
        "`socks`. `enigma-fed status` says which it is and why.",
        choices=("auto", "managed", "system", "socks", "off"),
    )
    control: str = _option(
        "",
        "Mode `system`: tor's control port, `unix:/run/tor/control` or `127.0.0.1:9051`; empty looks at "
        "these two.",
        check=_check_endpoint,
    )
    control_password_file: str = _option(
        "",
        "Mode `system`: path of a file with the control port's password (mode 0600), for a tor without a "
        "cookie; empty takes the systemd credential `tor-control-password` if there is one.",
        check=_check_path,
    )
    socks: str = _option(
        "",
        "Modes `socks` and `system`: tor's SOCKS port, `127.0.0.1:9050` or `unix:/run/tor/socks`; empty asks "
        "tor for it, and is 127.0.0.1:9050 in mode `socks`.",
        check=_check_endpoint,
    )
    listen: str = _option(
        "127.0.0.1:8786",
        "Modes `socks` and `system`: loopback address and port that the onion leads to. In mode `system` a "
        "free port is taken when this one is in use.",
        check=_check_onion_listen,
    )
    onion: str = _option(
        "",
        "Mode `socks`: the onion address of a service that the owner's tor made itself; empty stands for the "
        "node's own address, whose key files then go into that tor.",
        check=_check_onion,
    )
    binary: str = _option(
        "", "Mode `managed`: path of the tor program; empty looks for it.", check=_check_path
    )
    torrc_extra: str = _option(
        "", "Mode `managed`: path of a file whose lines are appended to tor's torrc.", check=_check_path
    )


@dataclass(frozen=True, slots=True)
class FederationSettings:
    """Polling of peers."""

    poll_interval: int = _option(
        limits.POLL_INTERVAL,
        "Seconds between two polls of a peer; one whose stream stands is polled every hour.",
        least=limits.POLL_INTERVAL_MIN,
        most=24 * 3600,
    )
    streams: int = _option(
        limits.STREAMS_OUTBOUND,
        "Peers whose states are pushed to this node at once, as they change; all others are asked at the "
        "interval. 0 for none.",
        least=0,
        most=limits.STREAMS_OUTBOUND_MAX,
    )


@dataclass(frozen=True, slots=True)
class ClockSettings:
    """The machine's clock."""

    synchronised: str = _option(
        "kernel",
        "`kernel` asks the kernel whether the clock is synchronised and asks every caller for a "
        "challenge while it is not; `assume` takes it as right.",
        choices=("kernel", "assume"),
    )


@dataclass(frozen=True, slots=True)
class LogSettings:
    """What the agent logs."""

    level: str = _option(
        "info", "Least important lines that are kept.", choices=("debug", "info", "warning", "error")
    )
    format: str = _option("text", "Form of a line.", choices=("text", "json"))


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting of a node."""

    node: NodeSettings = NodeSettings()
    rpc: RpcSettings = RpcSettings()
    admin: AdminSettings = AdminSettings()
    tor: TorSection = TorSection()
    federation: FederationSettings = FederationSettings()
    clock: ClockSettings = ClockSettings()
    log: LogSettings = LogSettings()

    def value(self, key: str) -> Value:
        """The value under a dotted key such as `tor.mode`."""
        section, _, name = key.partition(".")
        found: Value = getattr(getattr(self, section), name)
        return found


@dataclass(frozen=True, slots=True)
class Config:
    """Settings, and where each of them comes from."""

    settings: Settings
    origins: Mapping[str, str]
    """Dotted key -> `default`, `file PATH`, `environment NAME` or `flag`."""
    path: Path | None = None


@dataclass(frozen=True, slots=True)
class OptionDoc:
    """One key for the reference and the schema."""

    key: str
    type: str
    """`text` or `integer`."""
    default: Value
    meaning: str
    choices: tuple[str, ...]
    least: int | None
    most: int | None

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return _PREFIX + self.key.upper().replace(".", "__")


def load(path: Path | None, environ: Mapping[str, str], flags: Mapping[str, Value] | None = None) -> Config:
    """Read the file at `path` (None: no file), environment and flags (dotted keys); raises ConfigError."""
    values: dict[str, Value] = {}
    origins: dict[str, str] = {}
    for source, found in _sources(path, environ, flags or {}):
        for key, value in found.items():
            values[key] = value
            origins[key] = source(key)
    return Config(_build(values), {doc.key: origins.get(doc.key, "default") for doc in describe()}, path)


def describe() -> tuple[OptionDoc, ...]:
    """Every key in the order of the file, for `docs/CONFIG.md`, the schema and `config show`."""
    return tuple(
        OptionDoc(
            key=key,
            type="integer" if type(item.default) is int else "text",
            default=cast(Value, item.default),
            meaning=item.metadata["meaning"],
            choices=item.metadata["choices"],
            least=item.metadata["least"],
            most=item.metadata["most"],
        )
        for key, item in _options().items()
    )


def parse_listen(text: str, like: str = "127.0.0.1:8787") -> tuple[str, int]:
    """`ADDR:PORT` with a loopback address (IPv6 in brackets) to its parts; raises ConfigError."""
    host, _, port = text.rpartition(":")
    if not is_loopback(host):
        raise ConfigError(f"it must be a loopback address and a port, such as {like}")
    if not (port.isascii() and port.isdecimal() and len(port) <= 5 and int(port) <= 65535):
        raise ConfigError("the port must be a number from 0 to 65535")
    return host.strip("[]"), int(port)


_Source: TypeAlias = tuple[Callable[[str], str], dict[str, Value]]


def _sources(path: Path | None, environ: Mapping[str, str], flags: Mapping[str, Value]) -> Iterator[_Source]:
    """From the weakest to the strongest."""
    if path is not None:
        yield (lambda key: f"file {path}"), from_toml(_read(path), str(path))
    variables = {doc.key: doc.variable for doc in describe()}
    yield (lambda key: f"environment {variables[key]}"), _from_environment(environ)
    yield (lambda key: "flag"), _checked(flags, "the command line")


def from_toml(data: bytes, where: str) -> dict[str, Value]:
    """The values of a file's bytes by dotted key; `where` names the file in errors. Raises ConfigError."""
    try:
        tables = tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{where} is not TOML: {error}") from None
    return _checked(_flatten(tables), where)


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            data = file.read(limits.CONFIG_BYTES + 1)
    except OSError as error:
        raise ConfigError(f"{path}: {(error.strerror or 'it cannot be read').lower()}") from None
    if len(data) > limits.CONFIG_BYTES:
        raise ConfigError(f"{path} is larger than {limits.CONFIG_BYTES} bytes")
    return data


def _flatten(tables: Mapping[str, Any]) -> dict[str, Any]:
    """{"tor": {"mode": …}} to {"tor.mode": …}; what is no table keeps its name and is refused later."""
    flat: dict[str, Any] = {}
    for section, content in tables.items():
        if isinstance(content, dict):
            flat |= {f"{section}.{name}": value for name, value in content.items()}
        else:
            flat[section] = content
    return flat


def _from_environment(environ: Mapping[str, str]) -> dict[str, Value]:
    texts = {
        name.removeprefix(_PREFIX).lower().replace("__", "."): value
        for name, value in environ.items()
        if name.startswith(_PREFIX) and name not in _OTHER_VARIABLES
    }
    kinds = {doc.key: doc.type for doc in describe()}
    return _checked(
        {key: _number(text) if kinds.get(key) == "integer" else text for key, text in texts.items()},
        "the environment",
    )


def _number(text: str) -> Value:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 15 else text


def _checked(values: Mapping[str, Any], where: str) -> dict[str, Value]:
    options = _options()
    for key, value in values.items():
        if key not in options:
            raise ConfigError(
                f"{key} in {where} is not a known key",
                hint="docs/CONFIG.md lists them all; in the environment a level ends with two underscores.",
            )
        _check_value(key, value, options[key], where)
    return dict(values)


def _check_value(key: str, value: Any, option: Field[Any], where: str) -> None:
    rule = option.metadata
    if type(value) is not type(option.default):
        wanted = "a whole number" if type(option.default) is int else "text"
        raise ConfigError(f"{key} in {where} must be {wanted}")
    if rule["choices"] and value not in rule["choices"]:
        raise ConfigError(f"{key} in {where} must be one of: {', '.join(rule['choices'])}")
    if rule["least"] is not None and not rule["least"] <= value <= rule["most"]:
        raise ConfigError(f"{key} in {where} must be from {rule['least']} to {rule['most']}")
    if rule["check"] is not None:
        try:
            rule["check"](value)
        except EnigmaError as error:
            raise ConfigError(f"{key} in {where}: {error.detail}") from None


def _sections() -> dict[str, type[Any]]:
    return {section.name: type(section.default) for section in fields(Settings)}


def _options() -> dict[str, Field[Any]]:
    """Dotted key -> its dataclass field."""
    return {f"{name}.{item.name}": item for name, section in _sections().items() for item in fields(section)}


def _build(values: Mapping[str, Value]) -> Settings:
    parts: dict[str, dict[str, Value]] = {name: {} for name in _sections()}
    for key, value in values.items():
        section, _, name = key.partition(".")
        parts[section][name] = value
    settings = Settings(**{name: section(**parts[name]) for name, section in _sections().items()})
    if settings.tor.onion and settings.tor.mode != "socks":
        raise ConfigError('tor.onion needs tor.mode = "socks": every other mode has the node\'s own onion')
    rpc, admin = settings.rpc.listen, settings.admin.listen
    if rpc and admin and parse_listen(rpc) == parse_listen(admin) and parse_listen(rpc)[1]:
        raise ConfigError(f"rpc.listen and admin.listen are both {rpc}; each needs a port of its own")
    return settings
