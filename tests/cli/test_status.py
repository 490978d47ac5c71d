"""`enigma-fed status`."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from enigma_fed.cli.statusshown import details
from enigma_fed.wire.views import PublicOnionView, RegistryView
from tests.cli.fakes import FakeNode, invoke


def test_status_says_how_far_tor_is_and_why_and_what_to_do_next() -> None:
    shown = invoke("status", node=FakeNode())
    assert shown.exit_code == 0
    for part in (
        "running (process 7), up for 1 min 1 s",
        "bootstrapping 14 %, Handshaking: no route",
        "managed (no system tor), proof of work on",
        "mended 2 times, last: it is added again",
        "1 up",
        "Warning: the clock is not synchronised",
        "Next: Make an invite",
        "CPU 12.5 %",
        "http://127.0.0.1:8788/metrics",
    ):
        assert part in shown.out
    assert invoke("status", "--json", node=FakeNode()).json["tor"]["percent"] == 14


def test_the_next_steps_speak_to_the_node_that_was_asked() -> None:
    step = "Make an invite: enigma-fed --data-dir /d invite create"
    assert f"Next: {step}\n" in invoke("status", "--data-dir", "/d", node=FakeNode()).out
    assert invoke("--data-dir", "/d", "status", "--json", node=FakeNode()).json["next_steps"] == [step]


@pytest.mark.parametrize(
    ("changes", "line"),
    [
        ({"peers": {}}, "none yet"),
        ({"streams": 1}, "1 up; 1 by stream"),
        (
            {"peers": {"up": 2, "offline": 1}, "states_old": 2, "states_refused": 1},
            "2 up, 1 offline; 2 with an old state; 1 whose newest state was refused",
        ),
    ],
)
def test_peers_are_told_by_liveness_path_and_age(changes: dict[str, object], line: str) -> None:
    view = replace(FakeNode().status(), **changes)
    assert dict(details(view))["Peers"] == line


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "http://127.0.0.1:8788/metrics"),
        ({"admin": None, "admin_listen": ""}, "off (admin.listen)"),
        ({"admin": None, "admin_listen": "127.0.0.1:8788"}, ""),
        ({"admin": None, "running": False}, ""),
    ],
)
def test_the_admin_listener_is_told_also_when_it_is_off(changes: dict[str, object], said: str) -> None:
    assert dict(details(replace(FakeNode().status(), **changes)))["Health and metrics"] == said


def test_what_this_node_announces_is_shown() -> None:
    view = replace(FakeNode().status(), offline_windows=["23:00-07:00", "12:00-13:00"])
    assert dict(details(view))["Announced off"] == "23:00-07:00, 12:00-13:00"


PUBLIC = PublicOnionView(onion="x.onion", ports={"registry": 8443}, phase="ready")
REGISTRY = RegistryView(running=True, listen="127.0.0.1:8443", identities=3)


@pytest.mark.parametrize(
    ("public", "said"),
    [
        (None, ""),
        (PUBLIC, "registry at x.onion:8443: ready"),
        (replace(PUBLIC, phase="silent", reason="why"), "registry at x.onion:8443: silent, why"),
        (replace(PUBLIC, repairs=2), "registry at x.onion:8443: ready; mended 2 times"),
    ],
)
def test_what_strangers_reach_is_told(public: PublicOnionView | None, said: str) -> None:
    assert dict(details(replace(FakeNode().status(), public=public)))["For strangers"] == said


@pytest.mark.parametrize(
    ("registry", "said"),
    [
        (None, ""),
        (REGISTRY, "http://127.0.0.1:8443, 3 identities"),
        (replace(REGISTRY, tls=True), "https://127.0.0.1:8443, 3 identities"),
        (replace(REGISTRY, listen=None, identities=1), "no port of this machine, 1 identity"),
        (replace(REGISTRY, running=False, trouble="it is locked"), "not running: it is locked"),
    ],
)
def test_the_registry_is_told(registry: RegistryView | None, said: str) -> None:
    assert dict(details(replace(FakeNode().status(), registry=registry)))["Registry"] == said
