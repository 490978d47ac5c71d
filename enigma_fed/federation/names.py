"""Whose name looks like whose: nobody passes for another peer, or for this node, by what it is called. Pure.

A peer chooses its own name and may change it at any time; DIDs alone are sure.
"""

from __future__ import annotations

import enum
from typing import Final, TypeVar

from msgspec.structs import replace

from enigma_fed.base.ids import Did
from enigma_fed.base.lookalike import skeleton
from enigma_fed.wire.records import Membership, Node
from enigma_fed.wire.views import InviteView, PeerView

V = TypeVar("V", bound=PeerView | InviteView)


class Likeness(enum.StrEnum):
    """Who else is shown under a name like a peer's; the gravest case first."""

    THIS_NODE = "this-node"
    ALIAS = "alias"
    """A peer that our owner gave the name to."""
    PEER = "peer"
    """A peer that gave itself the name, or a node whose join is under way."""


_OWN: Final = ""
"""Stands for this node where others have their DIDs."""


class NameBook:
    """The names under which the peers and joins of one membership are shown."""

    def __init__(self, membership: Membership, own: str | None) -> None:
        """`own` is this node's name."""
        self.membership = membership
        self._holders: dict[str, dict[str, Likeness]] = {}
        if own is not None:
            self._note(own, _OWN, Likeness.THIS_NODE)
        for entry in membership.invites.incoming:
            self._note(entry.name, str(entry.did), Likeness.PEER)
        for joiner in membership.invites.pending:
            self._note(joiner.name, str(joiner.did), Likeness.PEER)
        for node in membership.nodes.nodes:
            self._note(node.name, str(node.did), Likeness.PEER)
            self._note(node.alias, str(node.did), Likeness.ALIAS)

    def likeness(self, name: str | None, did: str) -> Likeness | None:
        """Who but this DID has a name like this one; None for nobody."""
        if name is None:
            return None
        holders = self._holders.get(skeleton(name), {})
        kinds = [kind for holder, kind in holders.items() if holder != did]
        return min(kinds, key=list(Likeness).index, default=None)

    def marked(self, view: V) -> V:
        """The view with what its name looks like."""
        name = view.alias or view.name if isinstance(view, PeerView) else view.name
        found = self.likeness(name, view.did)
        return view if found is None else replace(view, name_like=found.value)

    def _note(self, name: str | None, did: str, kind: Likeness) -> None:
        if name is not None:
            self._holders.setdefault(skeleton(name), {})[did] = kind


def told(node: Node) -> str:
    """A peer in a line of the log: its name, which it may have chosen itself, and a piece of its DID."""
    return f"{node.display_name} ({node.did.short})"


def told_by(name: str | None, did: Did) -> str:
    """The same of a node that is no peer yet."""
    return f"{name or 'a node'} ({did.short})"
