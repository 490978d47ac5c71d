"""What is said of a node whose files were recovered, or which is not alone, or cannot write."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from typing import Final

from enigma_fed.base.suspension import Suspended
from enigma_fed.daemon.clockstate import newest_time
from enigma_fed.federation.accepting import is_open
from enigma_fed.federation.store import FederationStore
from enigma_fed.storage.recovery import Recovery
from enigma_fed.wire.records import Stage
from enigma_fed.wire.timestamps import UNIX_MAX, to_text
from enigma_fed.wire.views import RecoveryView

COPY_RUNS: Final = (
    "Another copy of this node answered at its onion address within a day: no joins, no installs."
)


def recovery_views(store: FederationStore) -> list[RecoveryView]:
    """What was recovered, for the owner to decide."""
    return [_view(store, recovery) for recovery in store.recoveries]


def warnings(store: FederationStore, suspended: Collection[Suspended]) -> list[str]:
    """Sentences for `status`."""
    return list(_sentences(store, suspended))


def describe(recovery: Recovery | RecoveryView) -> str:
    """What happened to a file, as a sentence without its full stop."""
    kept = f", and is kept as {recovery.kept_as}" if recovery.kept_as else ""
    return f"{recovery.file} was damaged ({recovery.why}){kept}; its copy is used (rev {recovery.rev})"


def _sentences(store: FederationStore, suspended: Collection[Suspended]) -> Iterator[str]:
    for recovery in store.recoveries:
        yield f"{describe(recovery)}: no joins, no installs."
    if Suspended.ANOTHER_COPY in suspended:
        yield COPY_RUNS
    if store.trouble is not None:
        yield f"Changes cannot be written, reading goes on: {store.trouble}. Free space, or mend the disk."
    if store.state_trouble is not None:
        yield f"What polling learns is kept in memory alone, polling goes on: {store.state_trouble}."


def _view(store: FederationStore, recovery: Recovery) -> RecoveryView:
    membership = store.membership
    return RecoveryView(
        file=recovery.file,
        why=recovery.why,
        rev=recovery.rev,
        newest=_time(newest_time(membership)) or "",
        kept_as=recovery.kept_as,
        recovered_at=_time(recovery.at),
        peers=len(membership.nodes.nodes),
        removed=len(membership.nodes.removed),
        invites_open=sum(entry.stage is Stage.CREATED for entry in membership.invites.outgoing),
        joins_open=sum(map(is_open, membership.invites.incoming)),
    )


def _time(unix: int | None) -> str | None:
    return None if unix is None else to_text(max(0, min(unix, UNIX_MAX)))
