"""A registry's configuration file, as an owner wrote it or a program wrote it wrong."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Final

from enigma_fed.base.errors import ConfigError, LooseModes
from enigma_fed.registry import configedit, configfile
from enigma_fed.registry.configfile import Loaded, Place
from enigma_fed.registry.tables import RegistryTables
from tests.fuzz.target import Target, attempt

_NOW: Final = 1_800_000_000_000
_EXAMPLE: Final = Path(__file__).parents[3] / "examples" / "registry.toml"


def _random(size: int) -> bytes:
    return bytes(range(1, size + 1))


def registry_file(data: bytes) -> bool:
    """A file is settings that can be served with, or an error of the configuration."""

    def read() -> Loaded:
        place = Place(Path("/nowhere/registry.toml"), _NOW)
        tables = configfile.convert(configfile.parse(data, "registry.toml"), RegistryTables, place)
        return configfile.settle(tables, tables.address, "address", place)

    found = attempt(read, ConfigError, LooseModes)
    if not isinstance(found, Loaded):
        return False
    settings = found.settings
    assert settings.envelope.active_key(_NOW) is not None
    assert not configfile.is_weak(settings.envelope.pepper)
    assert 1 <= settings.pow.difficulty <= 30
    assert settings.storage.path.is_absolute()
    assert settings.mode == "http" or settings.tls is not None
    return True


def registry_edit(data: bytes) -> bool:
    """A file that is edited has the new key first, or it is refused."""
    text = data.decode("utf-8", "replace")

    def edit() -> tuple[str, str]:
        attempt(lambda: configedit.with_fresh_secrets(text, _random), ConfigError)
        return configedit.rotated(text, _random, _NOW, 1000, lambda before, kid, digits: f"{kid}.key")

    found = attempt(edit, ConfigError)
    if not isinstance(found, tuple):
        return False
    changed, kid = found
    tables = configfile.parse(changed.encode(), "registry.toml")
    registry = tables.get("registry")
    envelope = (registry if isinstance(registry, dict) else tables)["envelope"]
    assert envelope["keys"][0]["kid_hex"] == kid
    return True


def _files() -> Iterable[bytes]:
    fresh = configedit.fresh(_random)
    rotated = configedit.rotated(fresh, lambda size: bytes(range(7, size + 7)), _NOW, 1000, lambda *_: "k")[0]
    yield fresh.encode()
    yield rotated.encode()
    yield configedit.with_fresh_secrets(_EXAMPLE.read_text(encoding="utf-8"), _random)[0].encode()
    envelope = configedit.fresh_envelope(_random)
    yield f'address = "[::1]:0"\npeers = ["did:key:z6Mk"]\n{envelope}'.encode()
    yield f'trusted_proxies = ["10.0.0.0/8", "::1"]\n{envelope}[pow]\ndifficulty = 99\n'.encode()
    yield b"[[envelope.keys]]\nkid_hex = '00'\nx25519_private_key_file = 'k'\n"
    yield b"[registry.envelope]\nkeys = [{active = true}]\n"
    yield b"envelope = 1\n"
    yield b"[envelope]\nkeys = [{active = true\r}]\n"


TARGETS: Final = (
    Target("registry-file", registry_file, _files, longest=4096),
    Target("registry-edit", registry_edit, _files, longest=4096),
)
