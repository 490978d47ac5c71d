"""Keys as credentials of the service, in place of files in the data folder."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from enigma_fed.base.errors import (
    AlreadyInitialised,
    ConfigError,
    KeyElsewhere,
    LooseModes,
    StoreDamaged,
)
from enigma_fed.config import Settings
from enigma_fed.daemon import keys
from enigma_fed.daemon.app import Agent
from enigma_fed.daemon.init import initialise, load_keys
from enigma_fed.daemon.operations import open_operations
from enigma_fed.daemon.paths import Paths, resolve_paths
from enigma_fed.federation.store import FederationStore
from enigma_fed.identity.nodekey import NodeKey
from enigma_fed.storage.jsonfile import JsonFile
from enigma_fed.transports.tor.onionkey import OnionKey
from enigma_fed.wire import nodesfile
from enigma_fed.wire.records import NodesFile, Tombstone
from tests.support import identities

OWN = NodeKey(b"\x21" * 32)
ONION = OnionKey(b"\x22" * 32)


@pytest.fixture
def service(paths: Paths, tmp_path: Path) -> Paths:
    """The paths as the service sees them, both keys given as systemd does."""
    folder = tmp_path / "credentials"
    folder.mkdir()
    give(folder, keys.NODE_KEY, OWN.to_pem())
    give(folder, keys.ONION_KEY, ONION.to_pem())
    folder.chmod(0o500)
    return dataclasses.replace(paths, credentials_dir=folder)


def give(folder: Path, name: str, content: bytes) -> None:
    folder.chmod(0o700)
    path = folder / name
    path.unlink(missing_ok=True)
    path.write_bytes(content)
    path.chmod(0o400)
    folder.chmod(0o500)


def without(paths: Paths) -> Paths:
    """The same folder as a command sees it that systemd gave nothing."""
    return dataclasses.replace(paths, credentials_dir=None)


async def start_and_stop(paths: Paths, settings: Settings) -> str:
    agent = Agent(settings, paths, keep_log=False)
    await agent.start()
    status = await agent.node.status()
    await agent.close()
    return status.node.did


def test_the_folder_of_credentials_comes_from_systemd() -> None:
    environ = {"HOME": "/home/a", "CREDENTIALS_DIRECTORY": "/run/credentials/enigma-fed.service"}
    found = resolve_paths(None, None, environ).credentials_dir
    assert found == Path("/run/credentials/enigma-fed.service")
    assert resolve_paths(None, None, {"HOME": "/home/a"}).credentials_dir is None


async def test_an_agent_with_both_keys_as_credentials_keeps_none_in_its_folder(
    service: Paths, settings: Settings
) -> None:
    assert await start_and_stop(service, settings) == str(OWN.did)
    assert not service.node_key.exists()
    assert not service.onion_key.exists()
    key, onion = load_keys(service)
    assert (key.did, onion.address) == (OWN.did, ONION.address)
    assert await start_and_stop(service, settings) == str(OWN.did)


def test_invariant_8_a_credential_that_others_can_read_is_refused(service: Paths) -> None:
    assert service.credentials_dir is not None
    path = service.credentials_dir / keys.NODE_KEY
    for mode in (0o404, 0o444, 0o420):
        path.chmod(mode)
        with pytest.raises(LooseModes, match=r"node\.key"):
            keys.load_node_key(service)
    path.chmod(0o400)
    service.credentials_dir.chmod(0o755)
    with pytest.raises(LooseModes, match="credentials"):
        keys.load_node_key(service)


def test_a_command_without_the_credential_says_where_the_key_is(service: Paths, settings: Settings) -> None:
    initialise(service, settings)
    with pytest.raises(KeyElsewhere) as caught:
        open_operations(without(service), settings, mutating=False)
    assert "systemctl start enigma-fed" in caught.value.hint
    with pytest.raises(AlreadyInitialised):
        initialise(without(service), settings)


async def test_a_service_that_lost_its_credential_makes_no_other_node(
    service: Paths, settings: Settings
) -> None:
    await start_and_stop(service, settings)
    with pytest.raises(KeyElsewhere):
        await start_and_stop(without(service), settings)
    assert not service.node_key.exists()


async def test_another_nodes_credential_is_refused(service: Paths, settings: Settings) -> None:
    await start_and_stop(service, settings)
    assert service.credentials_dir is not None
    give(service.credentials_dir, keys.NODE_KEY, identities.key(1).to_pem())
    with pytest.raises(ConfigError, match="another node") as caught:
        await start_and_stop(service, settings)
    assert caught.value.exit_code == 2


async def test_a_key_moves_from_its_file_to_a_credential(
    service: Paths, settings: Settings, caplog: pytest.LogCaptureFixture
) -> None:
    did = initialise(without(service), settings).did
    with pytest.raises(ConfigError, match="another node"):
        await start_and_stop(service, settings)
    assert service.credentials_dir is not None
    give(service.credentials_dir, keys.NODE_KEY, service.node_key.read_bytes())
    assert await start_and_stop(service, settings) == did
    assert f"remove the file {service.node_key}" in caplog.text
    service.node_key.unlink()
    assert await start_and_stop(service, settings) == did


def make_members(paths: Paths) -> None:
    """A folder with a removed peer in it, whose node key is gone."""
    FederationStore.create(paths.data_dir)
    file = JsonFile(paths.federation_dir / "nodes.json", nodesfile.NodeEncoder().encode, nodesfile.decode)
    gone = Tombstone(did=identities.did(3), removed_at=1_700_000_000)
    file.update(lambda nodes: NodesFile(removed=(*nodes.removed, gone)))


async def test_members_without_a_key_file_belong_to_the_credential_when_the_onion_is_there_too(
    service: Paths, settings: Settings
) -> None:
    initialise(without(service), settings)
    service.node_key.unlink()
    make_members(service)
    assert service.credentials_dir is not None
    service.credentials_dir.chmod(0o700)
    (service.credentials_dir / keys.ONION_KEY).unlink()
    service.onion_key.rename(service.onion_key.with_name("elsewhere"))
    with pytest.raises(StoreDamaged, match=r"onion\.key is missing"):
        await start_and_stop(service, settings)
    service.onion_key.with_name("elsewhere").rename(service.onion_key)
    assert await start_and_stop(service, settings) == str(OWN.did)


@pytest.mark.parametrize("content", [b"", b"-----BEGIN PRIVATE KEY-----\n", b"x" * 70_000])
def test_a_credential_that_is_no_key_is_damaged(service: Paths, content: bytes) -> None:
    assert service.credentials_dir is not None
    give(service.credentials_dir, keys.NODE_KEY, content)
    give(service.credentials_dir, keys.ONION_KEY, content)
    with pytest.raises(StoreDamaged, match=r"node\.key"):
        keys.load_node_key(service)
    with pytest.raises(StoreDamaged, match=r"onion\.key"):
        keys.load_onion_key(service)


def test_the_key_for_strangers_is_made_once_and_is_another_than_the_peers(
    paths: Paths, settings: Settings
) -> None:
    initialise(paths, settings)
    assert keys.load_public_key(paths) is None
    made = keys.load_or_make_public_key(paths, lambda count: b"\x23" * count)
    assert keys.load_or_make_public_key(paths, lambda count: b"\x24" * count) == made
    assert keys.load_public_key(paths) == made == OnionKey(b"\x23" * 32)
    assert made != load_keys(paths)[1]
    assert paths.public_key.stat().st_mode & 0o777 == 0o600


def test_the_key_for_strangers_may_be_a_credential_too(service: Paths) -> None:
    assert service.credentials_dir is not None
    give(service.credentials_dir, keys.PUBLIC_KEY, OnionKey(b"\x25" * 32).to_pem())
    assert keys.load_or_make_public_key(service, lambda count: b"\x24" * count) == OnionKey(b"\x25" * 32)
    assert not service.public_key.exists()


def test_a_damaged_key_for_strangers_is_no_reason_for_a_new_one(paths: Paths, settings: Settings) -> None:
    initialise(paths, settings)
    keys.load_or_make_public_key(paths, lambda count: b"\x23" * count)
    paths.public_key.write_bytes(b"nothing")
    with pytest.raises(StoreDamaged, match=r"public\.key"):
        keys.load_or_make_public_key(paths, lambda count: b"\x24" * count)
