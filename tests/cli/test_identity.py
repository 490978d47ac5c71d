"""`enigma-fed id`."""

from __future__ import annotations

from tests.cli.fakes import DID, ONION, FakeNode, invoke


def test_id() -> None:
    shown = invoke("id", node=FakeNode())
    for part in ("attic", DID, ONION, "0000 1111", "/data"):
        assert part in shown.out
    assert invoke("id", "--json", node=FakeNode()).json["did"] == DID
