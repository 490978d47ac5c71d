"""What the doctor says of the onion for strangers and of the services on it."""

from __future__ import annotations

import dataclasses

import pytest
from msgspec.structs import replace

from enigma_fed.config import Settings
from enigma_fed.daemon.checks import strangers
from enigma_fed.daemon.checks.scene import Scene
from enigma_fed.daemon.paths import Paths
from enigma_fed.daemon.status import compose
from enigma_fed.wire.views import Finding, PublicOnionView, RegistryView, TorView
from tests.support.views import NODE, RUNNING

PUBLIC = PublicOnionView(
    onion="strangers.onion",
    ports={"registry": 8443},
    targets={"registry": "127.0.0.1:8444"},
    phase="ready",
)
REGISTRY = RegistryView(running=True, did="did:key:z6MkRegistry", listen="127.0.0.1:8443", identities=3)


@pytest.fixture
def bare(paths: Paths, settings: Settings) -> Scene:
    """A running agent that offers nothing to strangers."""
    return Scene(paths, settings, status=compose(NODE, (), (), RUNNING))


def onion(bare: Scene, mode: str = "managed", **changes: object) -> list[Finding]:
    """What is said of the onion with these changes."""
    assert bare.status is not None
    tor = TorView(mode=mode, phase="off" if mode == "off" else "ready")
    status = replace(bare.status, tor=tor, public=replace(PUBLIC, **changes))
    return list(strangers.onion(dataclasses.replace(bare, status=status)))


def registry(bare: Scene, **changes: object) -> list[Finding]:
    """What is said of the registry with these changes."""
    assert bare.status is not None
    status = replace(bare.status, registry=replace(REGISTRY, **changes))
    return list(strangers.registry(dataclasses.replace(bare, status=status)))


def test_a_node_without_services_hears_nothing_of_them(bare: Scene) -> None:
    for check in (strangers.onion, strangers.registry):
        assert not list(check(bare))
        assert not list(check(dataclasses.replace(bare, status=None)))


def test_an_onion_that_was_reached_is_well(bare: Scene) -> None:
    [finding] = onion(bare)
    assert (finding.result, finding.detail) == (
        "ok",
        "this node reached it through Tor: registry on port 8443",
    )


@pytest.mark.parametrize(
    ("changes", "detail", "fix"),
    [
        ({"phase": "publishing"}, "publishing", "Wait a minute"),
        ({"phase": "silent", "reason": "not reached"}, "silent: not reached", "Wait a minute"),
    ],
)
def test_one_that_is_not_reached_is_a_warning(
    bare: Scene, changes: dict[str, object], detail: str, fix: str
) -> None:
    [finding] = onion(bare, **changes)
    assert (finding.result, finding.detail) == ("warning", detail)
    assert finding.fix.startswith(fix)


def test_without_tor_nothing_can_be_published(bare: Scene) -> None:
    [finding] = onion(bare, mode="off", reason="Tor is switched off here")
    assert (finding.result, finding.detail) == ("warning", "Tor is switched off here")


def test_the_owner_of_a_tor_gets_the_lines_for_it(bare: Scene) -> None:
    [finding] = onion(bare, "socks", phase="silent")
    assert (
        "HiddenServiceDir /var/lib/tor/enigma-fed-public; HiddenServicePort 8443 127.0.0.1:8444;"
        in finding.fix
    )
    assert str(bare.paths.tor_dir / "onions" / "public") in finding.fix


def test_repairs_are_told(bare: Scene) -> None:
    finding = onion(bare, repairs=2, last_repair="renewed")[-1]
    assert (finding.result, "2 times" in finding.detail, "renewed" in finding.detail) == (
        "warning",
        True,
        True,
    )


def test_a_registry_that_runs_says_where(bare: Scene) -> None:
    [finding] = registry(bare)
    assert finding.detail == "it listens at 127.0.0.1:8443 and holds 3 identities"
    [finding] = registry(bare, listen=None, identities=1)
    assert finding.detail == "it is reached by its onion alone and holds 1 identity"


def test_one_that_does_not_run_is_a_failure_with_the_next_step(bare: Scene) -> None:
    [finding] = registry(bare, running=False, trouble="The port is taken: 127.0.0.1:8443. Take another one.")
    assert (finding.result, finding.detail) == ("failure", "The port is taken: 127.0.0.1:8443")
    assert finding.fix == "Take another one."


def test_what_its_owner_should_know_is_a_warning(bare: Scene) -> None:
    [_, finding] = registry(bare, warnings=["a key expires soon"])
    assert (finding.result, finding.detail) == ("warning", "a key expires soon")
