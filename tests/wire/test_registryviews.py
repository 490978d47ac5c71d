"""What `--json` prints of registries: the names of the members, which scripts read."""

from __future__ import annotations

import msgspec

from enigma_fed.wire import registryviews as views


def names(kind: type[msgspec.Struct]) -> tuple[str, ...]:
    return kind.__struct_fields__


def test_members_stay_what_they_are() -> None:
    assert names(views.CheckView) == ("registry", "handle", "exists")
    assert names(views.NodesView) == ("registry", "nodes", "merged")
    assert names(views.AnnouncedView) == ("registry", "handle", "addr", "signed", "reannounce_after")
    assert names(views.RegisteredView) == (
        *("registry", "handle", "name", "action", "outcome"),
        "fingerprint",
    )
    assert names(views.LogView) == ("registry", "handle", "entries")
    assert {"fingerprint", "signing_public_key", "encryption_public_key", "keys"} <= set(
        names(views.IdentityView)
    )


def test_invariant_8_no_view_has_a_member_for_a_secret() -> None:
    kinds = [
        kind for kind in vars(views).values() if isinstance(kind, type) and issubclass(kind, msgspec.Struct)
    ]
    members = {name for kind in kinds for name in names(kind)}
    assert not {name for name in members if "secret" in name or "seed" in name or "pepper" in name}


def test_a_view_is_one_object() -> None:
    view = views.CheckView("https://a.example", "00" * 32, exists=True)
    assert msgspec.json.encode(view) == (
        b'{"registry":"https://a.example","handle":"' + b"00" * 32 + b'","exists":true}'
    )
