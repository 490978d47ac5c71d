"""`enigma-fed status`."""

from __future__ import annotations

from tests.cli.fakes import FakeNode, invoke


def test_status_says_how_far_tor_is_and_why_and_what_to_do_next() -> None:
    shown = invoke("status", node=FakeNode())
    assert shown.exit_code == 0
    for part in (
        "running (process 7), up for 1 min 1 s",
        "bootstrapping 14 %, Handshaking: no route",
        "1 up",
        "Warning: the clock is not synchronised",
        "Next: Make an invite",
        "CPU 12.5 %",
    ):
        assert part in shown.out
    assert invoke("status", "--json", node=FakeNode()).json["tor"]["percent"] == 14
