"""data/sample-home: a data folder as the Rust agent writes it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from enigma_fed.federation.store import FederationStore
from enigma_fed.wire.records import Stage, TrustLevel
from enigma_fed.wire.snapshot import App
from tests.support import samplehome
from tests.support.identities import did, onion
from tests.support.memberships import commit


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A copy with modes as they must be: git keeps none."""
    folder = tmp_path / "home"
    shutil.copytree(samplehome.FOLDER.parent, folder)
    for path in (folder, folder / "federation"):
        path.chmod(0o700)
    for path in (folder / "federation").iterdir():
        path.chmod(0o600)
    return folder


def test_the_files_are_what_their_maker_makes() -> None:
    for name, content in (("nodes.json", samplehome.nodes()), ("invites.json", samplehome.invites())):
        assert json.loads((samplehome.FOLDER / name).read_text(encoding="utf-8")) == content


def test_it_loads(home: Path) -> None:
    store = FederationStore(home)
    store.open()
    nodes = store.membership.nodes
    assert [node.did for node in nodes.nodes] == [did(1), did(2), did(3)]
    attic, bare, untrusted = nodes.nodes
    assert (attic.name, attic.trust_level, attic.stage) == ("attic", TrustLevel.TRUSTED, Stage.CONFIRMED)
    assert attic.last_state is not None
    assert attic.last_state.apps == (App(id="bitcoin", status="running", version="27.0"),)
    assert (attic.last_state.cpu_tenths, attic.last_state.mem_total_kib) == (452, 7_812_500)
    assert (attic.added_at, attic.last_seen) == (1773144000, 1773143998)
    assert bare.onion == onion(2)
    assert untrusted.trust_level is TrustLevel.UNTRUSTED


def test_invariant_4_its_entry_that_is_not_valid_is_shown_and_never_dialled(home: Path) -> None:
    store = FederationStore(home)
    store.open()
    (raw,) = store.membership.nodes.invalid
    assert json.loads(raw)["onion"] == "127.0.0.1:80/x?.onion"
    assert store.node(did(4)) is None


def test_its_invites_load(home: Path) -> None:
    store = FederationStore(home)
    store.open()
    invites = store.membership.invites
    assert (invites.outgoing[0].did, invites.outgoing[0].stage) == (did(9), Stage.CREATED)
    assert invites.outgoing[0].expires_at == invites.outgoing[0].created_at + 86400
    assert (invites.incoming[0].did, invites.incoming[0].stage) == (did(1), Stage.CONFIRMED_BOTH)
    assert invites.incoming[0].code is None


async def test_its_first_change_writes_our_format_and_loses_nothing(home: Path) -> None:
    store = FederationStore(home)
    store.open()
    before = store.membership
    nodes = type(before.nodes)(nodes=before.nodes.nodes[1:], invalid=before.nodes.invalid)
    await commit(store, type(before)(nodes, before.invites))
    again = FederationStore(home)
    again.open()
    assert again.membership == store.membership
    assert again.membership.nodes.invalid == before.nodes.invalid
    assert json.loads((home / "federation" / "nodes.json").read_text())["version"] == 1
