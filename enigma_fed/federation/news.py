"""Whether an answer to a poll changes the membership: told from memory, so that most touch no disk. Pure.

Each says of one member what `rules.poll_answered` and `rules.poll_refused` would do to the whole membership.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from enigma_fed.base import limits
from enigma_fed.base.ids import Did
from enigma_fed.base.rpc_errors import NotAllowed, Removed, UnknownPeer
from enigma_fed.wire.records import InvitesFile, Node, Stage

_OF_MEMBERS: Final = NotAllowed.code
"""A refusal that only a member is told: it confirms."""


def awaiting(invites: InvitesFile) -> frozenset[Did]:
    """The members whose next answer ends an invite, made here or accepted here."""
    used = {entry.used_by for entry in invites.outgoing if entry.stage is Stage.USED}
    announced = {entry.did for entry in invites.incoming if entry.stage is Stage.ANNOUNCED}
    return frozenset(did for did in used | announced if did is not None)


def answered(node: Node | None, asked: Node, awaited: bool, *, name: str | None) -> bool:
    """A state came from a peer that stood as `asked` and stands as `node`; `awaited` as in `awaiting`."""
    if node is None or node.joined_with != asked.joined_with:
        return False
    renamed = name is not None and name != node.name
    return awaited or renamed or not node.confirmed or node.they_forgot_us


def refused(node: Node | None, asked: Node, awaited: bool, word: str) -> bool:
    """The peer signed this word instead."""
    if node is None or node.joined_with != asked.joined_with:
        return False
    if word == _OF_MEMBERS:
        return answered(node, asked, awaited, name=None)
    if word == UnknownPeer.code:
        return not (node.they_forgot_us or node.stage is Stage.REFUSED)
    return word == Removed.code and node.stage is not Stage.REFUSED


class Renames:
    """How often a peer's new name is taken over: each time nodes.json is written."""

    def __init__(self) -> None:
        self._taken: dict[Did, float] = {}

    def take(self, did: Did, now: float) -> bool:
        """Whether it may be taken over at `now` (boot clock), and then noted."""
        if now - self._taken.get(did, -limits.RENAME_INTERVAL) < limits.RENAME_INTERVAL:
            return False
        self._taken = {**_recent(self._taken, now), did: now}
        return True


def _recent(taken: Mapping[Did, float], now: float) -> dict[Did, float]:
    return {did: at for did, at in taken.items() if now - at < limits.RENAME_INTERVAL}
