"""Answers of registries, and identities of our own, for a person and as JSON."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final

from enigma_fed.cli import output
from enigma_fed.cli.context import CliContext
from enigma_fed.cli.humane import ago, duration, printable
from enigma_fed.registry.clientrules import Keys, fingerprint
from enigma_fed.wire import timestamps
from enigma_fed.wire.knownidentities import keys_digest
from enigma_fed.wire.publicidentity import IdentityBundle, PublicIdentity
from enigma_fed.wire.registryviews import (
    AnnouncedView,
    IdentityView,
    LogEntryView,
    LogView,
    OwnIdentityView,
    PrekeyView,
    RegisteredView,
    RegistrationView,
)

if TYPE_CHECKING:
    from enigma_fed.registry.clientstores import ClientStores
    from enigma_fed.registry.clientwork import Found
    from enigma_fed.wire.ownerchange import LogEntry
    from enigma_fed.wire.ownidentity import OwnIdentity
    from enigma_fed.wire.registrybodies import Presence

_DONE: Final[Mapping[str, str]] = {
    "register": "{name} is registered at {registry}.",
    "update": "{registry} has the new keys of {name}.",
    "rotate": "{registry} has the new keys of {name}; the old signing key is worth nothing there any more.",
    "revoke": "{name} is revoked at {registry}: it is found no more, and nobody else can take it there.",
}
_WAS_DONE: Final[Mapping[str, str]] = {
    "register": "{name} was registered at {registry} already, with these keys.",
    "update": "{registry} had the newest keys of {name} already.",
    "rotate": "{registry} had the newest keys of {name} already.",
    "revoke": "{name} was revoked at {registry} already.",
}


def show_registered(here: CliContext, url: str, own: OwnIdentity, action: str, *, fresh: bool) -> None:
    """What became of a registration or a change of keys."""
    revoked = action == "revoke"
    shown = None if revoked else key_fingerprint(own.public())
    if here.json:
        output.data_json(
            RegisteredView(
                registry=url,
                handle=own.user_id.hex,
                name=own.name,
                action=action,
                outcome="done" if fresh else "was-done",
                fingerprint=shown,
            )
        )
        return
    words = (_DONE if fresh else _WAS_DONE)[action].format(name=printable(own.name), registry=url)
    output.talk(words)
    if shown is not None:
        output.details([("Handle", own.user_id.hex), ("Fingerprint", shown)])


def show_identity(here: CliContext, url: str, found: Found) -> None:
    """An identity that a registry gave."""
    view = identity_view(url, found)
    if here.json:
        output.data_json(view)
        return
    output.details(
        [
            ("Name", view.name or "(not shown)"),
            ("Handle", view.handle),
            ("Fingerprint", view.fingerprint),
            ("Signing key", view.signing_public_key),
            ("Encryption key", view.encryption_public_key),
            ("Prekey", view.prekey.public_key if view.prekey else ""),
            ("Prekey number", str(view.prekey.id) if view.prekey else ""),
            ("Device", view.device_id or ""),
            ("Made", when(view.created_at_ms // 1000)),
            ("Seen first", when(view.first_seen)),
        ]
    )
    if found.keys is Keys.NEW:
        output.talk("These keys are seen for the first time: compare the fingerprint with their owner.")
    elif found.keys is Keys.PROVED:
        output.talk("Its owner changed the keys since they were seen last; the old ones signed for it.")
    elif found.keys is Keys.CHANGED:
        output.talk("WARNING: these are not the keys of before, and nothing proves who changed them.")


def identity_view(url: str, found: Found) -> IdentityView:
    """An identity for `--json`."""
    identity = found.identity
    bundle = IdentityBundle.found_in(identity.signature)
    return IdentityView(
        registry=url,
        handle=identity.user_id.hex,
        name=identity.username_hint,
        signing_public_key=identity.signing_public_key.hex(),
        encryption_public_key=identity.encryption_public_key.hex(),
        fingerprint=key_fingerprint(identity),
        created_at_ms=identity.created_at_ms,
        device_id=None if bundle is None else bundle.device_id,
        prekey=None
        if bundle is None
        else PrekeyView(bundle.signed_prekey_id, bundle.signed_prekey_pub.hex()),
        keys=found.keys.value,
        first_seen=found.first_seen,
    )


def show_announced(
    here: CliContext, url: str, presence: Presence, *, signed: bool, after: int | None
) -> None:
    """What became of an announcement."""
    if here.json:
        output.data_json(AnnouncedView(url, presence.user.hex, presence.address, signed, after))
        return
    again = f" It wants to hear it again within {duration(after)}." if after is not None else ""
    output.talk(f"Announced at {url}, {'signed' if signed else 'without a signature'}.{again}")


def show_log(here: CliContext, url: str, entries: Sequence[LogEntry]) -> None:
    """The whole log of one identity."""
    if here.json:
        output.data_json(
            LogView(registry=url, handle=entries[0].user.hex, entries=tuple(map(_entry, entries)))
        )
        return
    output.table(
        ("NUMBER", "WHAT", "WHEN", "SIGNING KEY", "HASH"),
        [
            (
                str(entry.seq),
                entry.action.value,
                when(entry.at_ms // 1000),
                fingerprint(entry.signing_public_key)[:19],
                fingerprint(entry.hash)[:19],
            )
            for entry in entries
        ],
        empty="",
    )
    output.talk(
        "The log holds: each entry follows from the one before, and the keys of before signed for it."
    )


def _entry(entry: LogEntry) -> LogEntryView:
    return LogEntryView(
        seq=entry.seq,
        action=entry.action.value,
        at_ms=entry.at_ms,
        signing_public_key=entry.signing_public_key.hex(),
        identity=None if entry.identity is None else entry.identity.hex(),
        hash=entry.hash.hex(),
    )


def own_view(stores: ClientStores, own: OwnIdentity) -> OwnIdentityView:
    """An identity of ours, never its secrets."""
    identity = own.public()
    return OwnIdentityView(
        name=own.name,
        handle=own.user_id.hex,
        shows_name=own.shows_name,
        fingerprint=key_fingerprint(identity),
        signing_public_key=identity.signing_public_key.hex(),
        encryption_public_key=identity.encryption_public_key.hex(),
        created_at_ms=identity.created_at_ms,
        key_sets=len(own.keys),
        registrations=tuple(
            RegistrationView(each.url, each.at, each.identity == identity.digest)
            for each in own.registrations
        ),
        file=str(stores.path(own.user_id)),
    )


def show_own(here: CliContext, view: OwnIdentityView) -> None:
    """One identity of ours."""
    if here.json:
        output.data_json(view)
        return
    places = [
        (
            "Registered at" if number == 0 else "",
            f"{each.registry} {'' if each.current else '(former keys)'}".strip(),
        )
        for number, each in enumerate(view.registrations)
    ]
    output.details(
        [
            ("Name", view.name),
            ("Handle", view.handle),
            ("Fingerprint", view.fingerprint),
            ("Signing key", view.signing_public_key),
            ("Encryption key", view.encryption_public_key),
            ("Made", when(view.created_at_ms // 1000)),
            ("Shows its name", "yes" if view.shows_name else "no"),
            *places,
            ("File", view.file),
        ]
    )


def show_owned(here: CliContext, views: Sequence[OwnIdentityView]) -> None:
    """All identities of ours."""
    if here.json:
        output.data_json(list(views))
        return
    output.table(
        ("NAME", "FINGERPRINT", "REGISTERED AT"),
        [
            (view.name, view.fingerprint, ", ".join(each.registry for each in view.registrations) or "-")
            for view in views
        ],
        empty="There are no identities here yet. Make one: enigma-fed registry identity create NAME",
    )


def key_fingerprint(identity: PublicIdentity) -> str:
    """What owners compare: of both keys."""
    return fingerprint(keys_digest(identity))


def when(unix: int) -> str:
    """A time in words; one that no clock has had is said to be so."""
    if unix > 253_402_300_799:
        return "at a time that no calendar has"
    return ago(timestamps.to_text(unix), time.time())
