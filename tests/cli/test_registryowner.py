"""`enigma-fed registry` against a registry of this program: all commands, and changes by owners."""

from __future__ import annotations

import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from aiohttp import web

from enigma_fed.base.clock import SystemClock
from enigma_fed.registry.serving import RegistryServer, make_registry
from enigma_fed.registry.settings import PowSettings
from enigma_fed.registry.storememory import MemoryStore
from enigma_fed.wire.userid import UserId
from tests.cli.fakes import Outcome, invoke
from tests.support.inathread import in_a_thread
from tests.support.registryserver import OWN, settings
from tests.support.registryusers import PEPPER


@dataclass
class Real:
    """A registry with work to do for its callers."""

    server: RegistryServer
    url: str


@asynccontextmanager
async def running() -> AsyncIterator[Real]:
    store = MemoryStore()
    store.open()
    made = settings(pow=PowSettings(enabled=True, difficulty=6), nodes_open=True)
    server = make_registry(made, store, OWN, SystemClock(), os.urandom)
    runner = web.ServerRunner(server.server(), shutdown_timeout=1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield Real(server, f"http://127.0.0.1:{runner.addresses[0][1]}")
    finally:
        await runner.cleanup()
        await server.close()


@pytest.fixture(scope="module")
def real() -> Iterator[Real]:
    with in_a_thread(running) as found:
        yield found


class Person:
    """A data folder with a registry under a name."""

    def __init__(self, folder: Path, real: Real) -> None:
        self.data_dir = folder
        self.keys = folder / "registry-identities"
        self.keys.mkdir(mode=0o700, parents=True)
        folder.chmod(0o700)
        (self.keys / "pepper").write_text(PEPPER.hex())
        (self.keys / "pepper").chmod(0o600)
        (self.keys / "registries.toml").write_text(f'[home]\nurl = "{real.url}"\npepper_file = "pepper"\n')

    def __call__(self, *words: str) -> Outcome:
        return invoke("registry", *words, "--data-dir", str(self.data_dir))

    def must(self, *words: str) -> Outcome:
        outcome = self(*words)
        assert outcome.exit_code == 0, (words, outcome.err)
        return outcome


@pytest.fixture
def alice(tmp_path: Path, real: Real) -> Person:
    return Person(tmp_path / "alice", real)


@pytest.fixture
def bob(tmp_path: Path, real: Real) -> Person:
    return Person(tmp_path / "bob", real)


def test_everything_that_old_registries_do(alice: Person, bob: Person) -> None:
    assert alice("check", "everybody").exit_code == 5
    made = alice.must("register", "everybody", "--json").json
    assert alice.must("register", "everybody", "--json").json["outcome"] == "done"  # the same is no conflict
    assert bob.must("resolve", "everybody", "--json").json["fingerprint"] == made["fingerprint"]
    assert bob("register", "everybody").exit_code == 6
    alice.must("check", "everybody")
    assert bob("resolve", "nobody").exit_code == 5
    announced = alice.must("announce", "everybody", "https://home.example", "--unsigned", "--json").json
    assert (announced["signed"], announced["reannounce_after"]) == (False, 100)
    assert alice.must("nodes", "--add", "https://other.example", "--json").json["merged"] in (0, 1)


def test_presence_is_signed_where_it_can_be(alice: Person, real: Real) -> None:
    alice.must("register", "present")
    assert alice.must("announce", "present", "https://home.example", "--json").json["signed"] is True
    found = real.server.registry.presences.find(UserId.of("present"))
    assert found is not None
    assert found.signed


def test_keys_that_change_are_followed(alice: Person, bob: Person) -> None:
    first = alice.must("register", "changing", "--json").json["fingerprint"]
    assert bob.must("resolve", "changing", "--json").json["keys"] == "new"
    second = alice.must("update", "changing", "--json").json
    assert second["outcome"] == "done"
    assert second["fingerprint"] != first
    third = alice.must("rotate", "changing")
    assert "worth nothing" in third.err
    seen = bob.must("resolve", "changing")
    assert "the old ones signed for it" in seen.err
    assert bob.must("resolve", "changing", "--json").json["keys"] == "same"
    log = bob.must("log", "changing", "--json").json
    assert [entry["action"] for entry in log["entries"]] == ["register", "update", "rotate"]
    assert "rotate" in bob.must("log", "changing").out
    shown = alice.must("identity", "show", "changing", "--json").json
    assert shown["key_sets"] == 3
    assert [each["current"] for each in shown["registrations"]] == [True]
    known = json.loads((bob.keys / "known.json").read_bytes())
    assert known["identities"][0]["head"] == log["entries"][-1]["hash"]


def test_a_revoked_name(alice: Person, bob: Person) -> None:
    alice.must("register", "leaving")
    bob.must("resolve", "leaving")
    unasked = alice("revoke", "leaving")
    assert unasked.exit_code == 2
    assert "--yes" in unasked.err
    assert bob.must("check", "leaving").exit_code == 0
    assert bob.must("resolve", "leaving", "--json").json["keys"] == "same"
    revoked = alice.must("revoke", "leaving", "--yes", "--json").json
    assert (revoked["outcome"], revoked["fingerprint"]) == ("done", None)
    assert "already" in alice.must("revoke", "leaving", "--yes").err
    gone = bob("resolve", "leaving")
    assert gone.exit_code == 5
    assert "may have revoked" in gone.err
    assert "registry log leaving" in gone.err
    assert bob.must("log", "leaving", "--json").json["entries"][-1]["action"] == "revoke"
    assert alice("update", "leaving").exit_code == 6
    assert bob("register", "leaving").exit_code == 6


@pytest.mark.parametrize("action", ["update", "rotate", "revoke --yes"])
def test_only_its_owner_changes_a_name(alice: Person, bob: Person, action: str) -> None:
    alice.must("register", f"mine {action}")
    words = action.split()
    stranger = bob(*words, f"mine {action}")
    assert stranger.exit_code == 5
    assert "identity create" in stranger.err
    bob.must("identity", "create", f"mine {action}")
    assert bob(*words, f"mine {action}").exit_code == 6
    assert alice(*words, f"nobody's {action}").exit_code == 5
    alice.must("identity", "create", f"not there {action}")
    absent = alice(*words, f"not there {action}")
    assert absent.exit_code == 5
    assert f"registry register 'not there {action}'" in absent.err


def test_no_log_of_nobody(alice: Person) -> None:
    assert alice("log", "nobody at all").exit_code == 5
