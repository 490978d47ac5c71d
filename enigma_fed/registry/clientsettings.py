"""registries.toml: registries under names of their owner's (docs/REGISTRY.md section 12)."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Final

import msgspec
from msgspec import Meta

from enigma_fed.base import limits, registry_limits
from enigma_fed.base.errors import ConfigError
from enigma_fed.registry.clienttls import TlsFiles
from enigma_fed.storage import modes

_HEXADECIMAL: Final = re.compile(r"([0-9a-fA-F]{64})", re.ASCII)
_IN_CONFIGURATION: Final = re.compile(r'(?m)^[ \t]*pepper_hex[ \t]*=[ \t]*"([0-9a-fA-F]{64})"', re.ASCII)
_Text = Annotated[str, Meta(min_length=1, max_length=4096)]


class NamedRegistry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One table of the file; paths are relative to its folder."""

    url: _Text
    pepper_file: _Text | None = None
    ca: _Text | None = None
    cert: _Text | None = None
    key: _Text | None = None
    socks: _Text | None = None
    allow_http: bool = False

    def tls(self, folder: Path) -> TlsFiles:
        """The certificates, by absolute paths."""
        return TlsFiles(*(None if each is None else folder / each for each in (self.ca, self.cert, self.key)))


def load(path: Path) -> Mapping[str, NamedRegistry]:
    """The tables by name, none when there is no file; raises ConfigError."""
    try:
        data = _read(path, limits.CONFIG_BYTES)
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigError(f"{path}: {(error.strerror or 'it cannot be read').lower()}") from None
    try:
        found = msgspec.convert(tomllib.loads(data.decode("utf-8")), dict[str, NamedRegistry])
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {str(error).replace('`$', '`').replace('Object', 'the table')}") from None
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is not TOML: {error}") from None
    if len(found) > registry_limits.OWN_REGISTRIES:
        raise ConfigError(f"{path} holds more than {registry_limits.OWN_REGISTRIES} registries")
    return found


def read_pepper(path: Path) -> bytes:
    """The pepper in a file that is its owner's alone; raises ConfigError, LooseModes.

    64 hexadecimal digits, or a registry's own configuration (for its operator), whatever else is in it.
    """
    try:
        with modes.opened(path) as file:
            modes.check_file(path, os.fstat(file.fileno()))
            data = file.read(limits.SECRET_FILE_BYTES)
    except OSError as error:
        raise ConfigError(f"{path}: {(error.strerror or 'it cannot be read').lower()}") from None
    text = data.decode("ascii", "replace").strip()
    found = _HEXADECIMAL.fullmatch(text) or _IN_CONFIGURATION.search(text)
    if found is None:
        raise ConfigError(
            f"{path} does not hold a pepper",
            hint="It holds the 64 digits of envelope.pepper_hex, or is the registry's own configuration.",
        )
    return bytes.fromhex(found[1])


def _read(path: Path, limit: int) -> bytes:
    with modes.opened(path) as file:
        data = file.read(limit + 1)
    if len(data) > limit:
        raise ConfigError(f"{path} is larger than {limit} bytes")
    return data
