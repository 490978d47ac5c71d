"""A registry's configuration file to its settings (docs/REGISTRY.md section 2).

Everything that an existing file may hold is taken; a value that everyone knows is no secret and is refused.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from ipaddress import IPv6Address, ip_address, ip_network
from pathlib import Path
from typing import Any, Final, TypeVar

import msgspec

from enigma_fed.base import limits
from enigma_fed.base.errors import ConfigError, DidInvalid, LooseModes
from enigma_fed.base.ids import Did
from enigma_fed.registry.settings import (
    EnvelopeKey,
    EnvelopeSettings,
    Network,
    PowSettings,
    RegistrySettings,
    StorageSettings,
    Table,
    TlsSettings,
)
from enigma_fed.registry.tables import CommonTables, EnvelopeKeyTable, RegistryTables, TlsTable
from enigma_fed.storage import modes

_T = TypeVar("_T", bound=Table)

# What stands in a published example: whoever runs with it shares it with every reader.
_PUBLISHED: Final = (
    bytes.fromhex("000102030405060708090a0b0c0d0e0f" * 2),
    bytes.fromhex("101112131415161718191a1b1c1d1e1f202122232425262728292a2b2c2d2e2f"),
)
_HEX: Final = re.compile(r"(?:[0-9A-Fa-f]{2})+")
_UNKNOWN: Final = re.compile(r"Object contains unknown field `(.*?)`(?: - at `\$\.?(.*?)`)?", re.DOTALL)
_MISSING: Final = re.compile(r"Object missing required field `(.*?)`(?: - at `\$\.?(.*?)`)?")
_WORDS: Final = {
    "int": "an integer",
    "float": "a number",
    "str": "text",
    "bool": "true or false",
    "array": "a list",
    "object": "a table",
}
_KIND: Final = re.compile(rf"(?:(?<=[Ee]xpected )|(?<=, got ))\b(?:{'|'.join(_WORDS)})\b")
TYPES: Final = "Types and bounds of all keys: docs/CONFIG.md, [registry]."
_OTHER: Final = re.compile(r"(.*?)(?: - at `\$\.?(.*?)`)?", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Loaded:
    """Settings, and what their owner should know about them."""

    settings: RegistrySettings
    warnings: tuple[str, ...] = ()
    files: tuple[Path, ...] = ()
    """What they were read from, the secrets' files included: a change in one is a reason to read again."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where tables stand: the file, the prefix of their keys in it, and the time of reading."""

    file: Path
    now_ms: int
    prefix: str = ""
    storage: str = "./registry_db"
    """The folder of the database where the file names none."""
    warnings: list[str] = field(default_factory=list)
    files: list[Path] = field(default_factory=list)

    def wrong(self, key: str, why: str, hint: str = "") -> ConfigError:
        """The error of a key."""
        return ConfigError(f"{self.prefix}{key} in {self.file} {why}", hint=hint)

    def warn(self, key: str, text: str) -> None:
        """Note what the owner should know of a key."""
        self.warnings.append(f"{self.prefix}{key} in {self.file}: {text}")

    def resolve(self, text: str) -> Path:
        """A path of the file: relative ones count from its folder. Raises ConfigError."""
        if "\0" in text:
            raise ConfigError(f"a path in {self.file} holds a zero byte")
        return Path(os.path.normpath(self.file.absolute().parent / text))


def load(path: Path, now_ms: int) -> Loaded:
    """Read a `registry.toml`; raises ConfigError, LooseModes (a secret's own file that others can read)."""
    data, mode = read(path)
    place = Place(path, now_ms)
    tables = convert(parse(data, str(path)), RegistryTables, place)
    if mode & 0o077 and holds_secrets(tables):
        place.warnings.append(
            f"{path} holds secrets and others can read it (mode {mode:04o}): chmod 600 {path}"
        )
    return settle(tables, tables.address, "address", place)


def read(path: Path) -> tuple[bytes, int]:
    """A file's bytes, limits.CONFIG_BYTES at most, and its permission bits; raises ConfigError."""
    try:
        with modes.opened(path) as file:
            mode = os.fstat(file.fileno()).st_mode & 0o777
            data = file.read(limits.CONFIG_BYTES + 1)
    except FileNotFoundError:
        hint = f"Make one: enigma-fed registry init --config {path}"
        raise ConfigError(f"{path} is missing", hint=hint) from None
    except OSError as error:
        raise ConfigError(f"{path}: {(error.strerror or 'it cannot be read').lower()}") from None
    if len(data) > limits.CONFIG_BYTES:
        raise ConfigError(f"{path} is larger than {limits.CONFIG_BYTES} bytes")
    return data, mode


def parse(data: bytes, where: str) -> dict[str, Any]:
    """The tables of a TOML file; raises ConfigError."""
    try:
        return tomllib.loads(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{where} is not TOML: {error}") from None


def convert(tables: Mapping[str, Any], kind: type[_T], place: Place) -> _T:
    """The tables as values of their types; raises ConfigError, which names the key."""
    try:
        return msgspec.convert(tables, kind)
    except msgspec.ValidationError as error:
        raise place.wrong(*_said(str(error))) from None


def settle(
    tables: CommonTables, listen: str, listen_key: str, place: Place, envelope: Place | None = None
) -> Loaded:
    """What the tables mean together; `listen` is `ADDR:PORT`, empty for nowhere.

    `envelope` is where the envelope's table stands, if that is another file. Raises ConfigError, LooseModes.
    """
    sealed = envelope or place
    address = parse_address(listen, listen_key, place) if listen else None
    settings = RegistrySettings(
        address=address,
        mode=_mode(tables, address, listen_key, place),
        envelope=_envelope(tables, sealed),
        tls=_tls(tables.tls, place),
        storage=_storage(tables, place),
        pow=_pow(tables.pow, place),
        trusted_proxies=tuple(_network(text, place) for text in tables.trusted_proxies),
        peers=tuple(_peer(text, place) for text in tables.peers),
        max_nodes=max(1, tables.max_nodes),
        allow_sync=tables.allow_sync,
        nodes_open=tables.nodes_open,
        older_routes=tables.older_routes,
        check_user=tables.check_user,
        require_bundle=tables.require_bundle,
        rate_limit=tables.rate_limit,
        presence=tables.presence,
    )
    if sealed is not place:
        place.warnings.extend(sealed.warnings)
        place.files.extend((sealed.file, *sealed.files))
    return Loaded(settings, tuple(place.warnings), (place.file, *place.files))


def parse_address(text: str, key: str, place: Place) -> tuple[str, int]:
    """`ADDR:PORT` (IPv6 in brackets) to IP address and port; raises ConfigError, which names the key."""
    host, _, port = text.strip().rpartition(":")
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        address = ip_address(bare)
    except ValueError:
        raise place.wrong(key, "must be an IP address and a port, such as 127.0.0.1:8443") from None
    if isinstance(address, IPv6Address) and bare == host:
        raise place.wrong(key, f"must have the IPv6 address in brackets, such as [{address}]:8443")
    if not (port.isascii() and port.isdecimal() and len(port) <= 5 and int(port) <= 65535):
        raise place.wrong(key, "must end with a port from 0 to 65535")
    return bare, int(port)


def is_weak(secret: bytes) -> bool:
    """Whether a pepper or key is one that everyone knows: published, all zero or one byte repeated."""
    return secret in _PUBLISHED or len(set(secret)) == 1


def holds_secrets(tables: CommonTables) -> bool:
    """Whether the file itself, and not files that it names, has the pepper or a private key."""
    envelope = tables.envelope
    return envelope.pepper_hex is not None or any(key.x25519_private_key_hex for key in envelope.keys)


def _said(text: str) -> tuple[str, str, str]:
    """Key, sentence and hint of a message of msgspec."""
    if found := _UNKNOWN.fullmatch(text):
        return _key(found[2], found[1]), "is not a known key", "docs/REGISTRY.md section 2 lists them all."
    if found := _MISSING.fullmatch(text):
        return _key(found[2], found[1]), "is missing", ""
    found = _OTHER.fullmatch(text)
    assert found is not None
    return _key(found[2], ""), f"is not right: {in_words(found[1])}", TYPES


def in_words(text: str) -> str:
    """What msgspec says of a value, with the words of TOML."""
    plain = text.replace("`", "").replace(" | null", "").replace("Invalid enum value", "it cannot be")
    words = _KIND.sub(lambda kind: _WORDS[kind[0]], plain)
    return f"{words[:1].lower()}{words[1:]}"


def _key(path: str | None, name: str) -> str:
    return ".".join(part for part in (path or "", name) if part)


def _mode(tables: CommonTables, address: tuple[str, int] | None, key: str, place: Place) -> Any:
    mode = tables.mode or ("tls" if tables.tls is not None else "http")
    if mode == "tls" and tables.tls is None:
        raise place.wrong(
            "tls", 'is missing, and mode is "tls"', 'Name the certificate there, or set mode = "http".'
        )
    if mode == "http" and address is not None and not ip_address(address[0]).is_loopback:
        if tables.mode is None:
            raise place.wrong(
                key,
                "is open to other machines, and there is no certificate",
                'Name one under [tls]; or write mode = "http" where a proxy in front encrypts.',
            )
        place.warn("mode", f"NOT ENCRYPTED: {address[0]} is open to other machines, by plain HTTP")
    return mode


def _envelope(tables: CommonTables, place: Place) -> EnvelopeSettings:
    table = tables.envelope
    if table.pepper_hex is None and table.pepper_file is None and not table.keys:
        raise place.wrong("envelope", "is missing: it holds the pepper and the keys", _replacing(place))
    pepper = _secret(table.pepper_hex, table.pepper_file, ("pepper_hex", "pepper_file"), "envelope.", place)
    if not table.keys:
        raise place.wrong("envelope.keys", "must have a key", _replacing(place))
    keys = tuple(_envelope_key(number, each, place) for number, each in enumerate(table.keys))
    if len({key.kid for key in keys}) < len(keys):
        raise place.wrong("envelope.keys", "has one kid_hex twice")
    envelope = EnvelopeSettings(pepper=pepper, keys=keys)
    if envelope.active_key(place.now_ms) is None:
        hint = f"Make a new one: enigma-fed registry rotate-key --config {place.file}"
        raise place.wrong("envelope.keys", "has no key that is active and has not expired", hint)
    for number, key in enumerate(keys):
        if key.expired(place.now_ms):
            place.warn(
                f"envelope.keys[{number}]", "it has expired, is told to nobody and opens nothing any more"
            )
    return envelope


def _envelope_key(number: int, table: EnvelopeKeyTable, place: Place) -> EnvelopeKey:
    key = f"envelope.keys[{number}]."
    names = ("x25519_private_key_hex", "x25519_private_key_file")
    return EnvelopeKey(
        kid=_hex(table.kid_hex, 8, f"{key}kid_hex", place),
        private_key=_secret(table.x25519_private_key_hex, table.x25519_private_key_file, names, key, place),
        active=table.active,
        not_after_ms=table.not_after_epoch_ms,
    )


def _secret(text: str | None, file: str | None, names: tuple[str, str], prefix: str, place: Place) -> bytes:
    """32 bytes from the file itself or from one of their own."""
    in_hex, in_file = (prefix + name for name in names)
    if text is not None and file is not None:
        raise place.wrong(in_hex, f"and {names[1]} are both there; one is enough")
    if text is not None:
        key, secret = in_hex, _hex(text, 32, in_hex, place)
    elif file is not None:
        key, secret = in_file, _hex(_secret_file(file, in_file, place), 32, in_file, place)
    else:
        raise place.wrong(in_hex, f"is missing, and so is {names[1]}", _replacing(place))
    if is_weak(secret):
        raise place.wrong(
            key, "is a value that everyone knows (an example's, or one byte repeated)", _replacing(place)
        )
    return secret


def _secret_file(text: str, key: str, place: Place) -> str:
    path = place.resolve(text)
    try:
        with modes.opened(path) as file:
            modes.check_file(path, os.fstat(file.fileno()))
            data = file.read(256)
    except OSError as error:
        raise place.wrong(key, f"names {path}: {(error.strerror or 'it cannot be read').lower()}") from None
    except LooseModes as error:
        raise LooseModes(error.detail, hint=f"It holds a secret. Run: chmod 600 {path}") from None
    place.files.append(path)
    return data.decode("ascii", "replace").strip()


def _hex(text: str, size: int, key: str, place: Place) -> bytes:
    """The bytes of hex digits; the text itself is never shown, it may be a secret."""
    if len(text) != 2 * size or _HEX.fullmatch(text) is None:
        raise place.wrong(key, f"must be {2 * size} hex digits")
    return bytes.fromhex(text)


def _replacing(place: Place) -> str:
    return f"Fresh ones in its place: enigma-fed registry init --config {place.file}"


def _tls(table: TlsTable | None, place: Place) -> TlsSettings | None:
    if table is None:
        return None
    if table.cert_pem_path is None or table.key_pem_path is None:
        missing = "cert_pem_path" if table.cert_pem_path is None else "key_pem_path"
        raise place.wrong(f"tls.{missing}", "is missing")
    ca = table.client_ca_pem_path
    return TlsSettings(
        certificate=place.resolve(table.cert_pem_path),
        key=place.resolve(table.key_pem_path),
        client_ca=None if ca is None else place.resolve(ca),
    )


def _storage(tables: CommonTables, place: Place) -> StorageSettings:
    table = tables.storage
    if table.path is not None and not table.path.strip():
        raise place.wrong("storage.path", "must name a folder")
    if table.kind == "sled":
        place.warn("storage.kind", 'sled is not kept any more, "sqlite" takes its place')
    path = place.resolve(place.storage if table.path is None else table.path)
    return StorageSettings(kind="memory" if table.kind == "memory" else "sqlite", path=path)


def _pow(table: PowSettings, place: Place) -> PowSettings:
    """Old files may hold any number where proof of work is off; an onion may ask for it all the same."""
    if not 1 <= table.difficulty <= 30:
        if table.enabled:
            raise place.wrong("pow.difficulty", "must be from 1 to 30")
        table = msgspec.structs.replace(table, difficulty=PowSettings().difficulty)
    if not 1 <= table.ttl_seconds <= 3600:
        if table.enabled:
            raise place.wrong("pow.ttl_seconds", "must be from 1 to 3600")
        table = msgspec.structs.replace(table, ttl_seconds=PowSettings().ttl_seconds)
    return table


def _network(text: str, place: Place) -> Network:
    try:
        return ip_network(text.strip())
    except ValueError:
        why = f"has {text!r}, which is neither an IP address nor a network such as 10.0.0.0/8"
        raise place.wrong("trusted_proxies", why) from None


def _peer(text: str, place: Place) -> Did:
    try:
        return Did.parse(text)
    except DidInvalid as error:
        raise place.wrong("peers", f"has a DID that is none: {error.detail}") from None
