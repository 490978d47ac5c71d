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
from enigma_fed.config import registrysection
from enigma_fed.config.options import PREFIX, OptionDoc, Value
from enigma_fed.config.sections import (
    AdminSettings,
    ClockSettings,
    FederationSettings,
    LogSettings,
    NodeSettings,
    RpcSettings,
    TorSection,
)
from enigma_fed.registry.tables import AgentTables

# Environment variables that are no configuration keys.
_OTHER_VARIABLES: Final = frozenset({"ENIGMA_FED_DATA_DIR", "ENIGMA_FED_CONFIG", "ENIGMA_FED_DEBUG"})


@dataclass(frozen=True, slots=True)
class Settings:
    """Every setting of a node."""

    node: NodeSettings = field(default=NodeSettings())
    rpc: RpcSettings = field(default=RpcSettings())
    admin: AdminSettings = field(default=AdminSettings())
    tor: TorSection = field(default=TorSection())
    federation: FederationSettings = field(default=FederationSettings())
    clock: ClockSettings = field(default=ClockSettings())
    log: LogSettings = field(default=LogSettings())
    registry: AgentTables = field(default=AgentTables())

    def value(self, key: str) -> Value:
        """The value under a dotted key such as `tor.mode`; None for one that is left out."""
        if _is_registrys(key):
            return registrysection.value_of(self.registry, key)
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
    flat = tuple(
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
    return (*flat, *(key.doc for key in registrysection.keys().values()))


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
            below = registrysection.flat(content) if section == registrysection.SECTION else content
            flat |= {f"{section}.{name}": value for name, value in below.items()}
        else:
            flat[section] = content
    return flat


def _from_environment(environ: Mapping[str, str]) -> dict[str, Value]:
    texts = {
        name.removeprefix(PREFIX).lower().replace("__", "."): value
        for name, value in environ.items()
        if name.startswith(PREFIX) and name not in _OTHER_VARIABLES
    }
    docs = {doc.key: doc for doc in describe()}
    return _checked(
        {key: _meant(docs[key], text) if key in docs else text for key, text in texts.items()},
        "the environment",
    )


def _meant(doc: OptionDoc, text: str) -> object:
    if _is_registrys(doc.key):
        return registrysection.from_text(doc, text)
    return _number(text) if doc.type == "integer" else text


def _number(text: str) -> Value:
    return int(text) if text.isascii() and text.isdecimal() and len(text) <= 15 else text


def _checked(values: Mapping[str, Any], where: str) -> dict[str, Value]:
    options, nested = _options(), registrysection.keys()
    found: dict[str, Value] = {}
    for key, value in values.items():
        if key in nested:
            found[key] = registrysection.checked(nested[key], value, where)
            continue
        if key not in options:
            raise ConfigError(
                f"{key} in {where} is not a known key",
                hint="docs/CONFIG.md lists them all; in the environment a level ends with two underscores.",
            )
        _check_value(key, value, options[key], where)
        found[key] = value
    return found


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


def _is_registrys(key: str) -> bool:
    return key.startswith(f"{registrysection.SECTION}.")


def _sections() -> dict[str, type[Any]]:
    """The flat ones."""
    return {
        section.name: type(section.default)
        for section in fields(Settings)
        if section.name != registrysection.SECTION
    }


def _options() -> dict[str, Field[Any]]:
    """Dotted key -> its dataclass field."""
    return {f"{name}.{item.name}": item for name, section in _sections().items() for item in fields(section)}


def _build(values: Mapping[str, Value]) -> Settings:
    parts: dict[str, dict[str, Value]] = {name: {} for name in _sections()}
    for key, value in values.items():
        section, _, name = key.partition(".")
        if section in parts:
            parts[section][name] = value
    registry = registrysection.build({key: value for key, value in values.items() if _is_registrys(key)})
    settings = Settings(
        **{name: section(**parts[name]) for name, section in _sections().items()}, registry=registry
    )
    if settings.tor.onion and settings.tor.mode != "socks":
        raise ConfigError('tor.onion needs tor.mode = "socks": every other mode has the node\'s own onion')
    _check_ports(settings)
    return settings


def _check_ports(settings: Settings) -> None:
    listens = {"rpc.listen": settings.rpc.listen, "admin.listen": settings.admin.listen}
    if settings.registry.enabled:
        listens["registry.listen"] = settings.registry.listen
    taken: dict[tuple[str, int], str] = {}
    for key, listen in listens.items():
        place = registrysection.parts(listen, key) if listen else ("", 0)
        if place in taken:
            raise ConfigError(f"{taken[place]} and {key} are both {listen}; each needs a port of its own")
        if place[1]:
            taken[place] = key
