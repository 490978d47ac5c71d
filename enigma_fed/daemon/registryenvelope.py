"""The envelope keys of a registry: an agent's own file of them, and the next key in any of the files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import msgspec

from enigma_fed.base.errors import AlreadyInitialised
from enigma_fed.daemon import registryfiles
from enigma_fed.registry import configedit, configfile
from enigma_fed.registry.configfile import Loaded, Place
from enigma_fed.registry.settings import Table
from enigma_fed.registry.tables import AgentTables, EnvelopeTable
from enigma_fed.storage.disk import Disk

ENVELOPE_FILE: Final = "envelope.toml"
"""Pepper and keys of an agent's registry, in its folder, where the configuration has none."""

Random = Callable[[int], bytes]


class _Envelope(Table, frozen=True, kw_only=True):
    envelope: EnvelopeTable


def agent_settings(
    tables: AgentTables, config: Path | None, data_dir: Path, now_ms: int, random: Random
) -> Loaded:
    """The settings of an agent's registry, of `[registry]` in its configuration; blocks.

    `config` is the file that relative paths count from (None: the data folder). Without `[registry.envelope]`
    pepper and keys are made at the first start and kept in the registry's folder.
    Raises ConfigError, LooseModes, WriteFailed.
    """
    place = _place(config, data_dir, now_ms)
    if tables.envelope != EnvelopeTable():
        if config is not None:
            _tell_loose(config, tables, place)
        return configfile.settle(tables, tables.listen, "listen", place)
    if tables.storage.kind == "memory":
        data, where = configedit.fresh_envelope(random).encode(), place
    else:
        where = Place(own_file(tables, config, data_dir), now_ms)
        _make(where.file, random)
        data = configfile.read(where.file)[0]
    own = configfile.convert(configfile.parse(data, str(where.file)), _Envelope, where)
    whole = msgspec.structs.replace(tables, envelope=own.envelope)
    return configfile.settle(whole, tables.listen, "listen", place, where)


def _tell_loose(config: Path, tables: AgentTables, place: Place) -> None:
    """Its group may read it: under systemd it is root's, and the agent another user."""
    mode = configfile.read(config)[1]
    if mode & 0o007 and configfile.holds_secrets(tables):
        place.warnings.append(
            f"{config} holds secrets of the registry and every user can read it (mode {mode:04o}): "
            f"chmod o= {config} (the agent must still be able to read it)"
        )


def own_file(tables: AgentTables, config: Path | None, data_dir: Path) -> Path:
    """Where an agent's registry keeps pepper and keys by itself."""
    place = _place(config, data_dir, 0)
    return (
        place.resolve(place.storage if tables.storage.path is None else tables.storage.path) / ENVELOPE_FILE
    )


def rotate(path: Path, random: Random, now_ms: int, overlap_ms: int) -> str:
    """Put a fresh key in front of the others in this file, which open for `overlap_ms` more: its kid.

    Raises ConfigError, WriteFailed, LockBusy; then the file is as it was.
    """
    status = path.resolve().stat() if path.exists() else None

    def write_key(before: str, kid: str, digits: str) -> str:
        """A file beside the one of the key before, for the same owner."""
        name = str(Path(before).with_name(f"envelope-{kid}.key"))
        target = path.absolute().parent / name
        registryfiles.create(target, f"{digits}\n", status)
        return name

    return registryfiles.edit(
        path, lambda text: configedit.rotated(text, random, now_ms, overlap_ms, write_key)
    )


def _place(config: Path | None, data_dir: Path, now_ms: int) -> Place:
    return Place(config or data_dir / "config.toml", now_ms, "registry.", str(data_dir / "registry"))


def _make(path: Path, random: Random) -> None:
    if path.exists():
        return
    Disk().make_folder(path.parent)
    try:
        registryfiles.create(path, configedit.fresh_envelope(random))
    except AlreadyInitialised:
        return
