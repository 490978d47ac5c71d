"""What homes are called: no name passes for another home's, or for a sentence of ours."""

from __future__ import annotations

from typing import Final

from enigma_fed.wire.views import InviteView, PeerView

_DID: Final = "did:key:"
_PIECE: Final = 12
"""Characters of a DID that tell homes apart; that much names a peer in a command."""
_PLAIN: Final = frozenset("-_.'\u2019")
_NO_QUOTES: Final = str.maketrans("“”", "??")


def piece(did: str) -> str:
    """As much of a DID as tells homes apart: "z6MkhaXgBZDv"."""
    return did.removeprefix(_DID)[:_PIECE]


def called(view: PeerView | InviteView) -> str:
    """In a table: its name, with a piece of its DID where another name looks like it; else that piece alone.

    A name holds no DID (base/ids.py), so no name looks like one with its piece.
    """
    name = _name(view)
    if name is None:
        return f"{piece(view.did)}…"
    return f"{name} [{piece(view.did)}]" if view.name_like else name


def told(view: PeerView | InviteView) -> str:
    """In a sentence: the same, in quotes when it is more than one plain word."""
    name = _name(view)
    if name is None:
        return f"{piece(view.did)}…"
    plain = all(character.isalnum() or character in _PLAIN for character in name)
    shown = name if plain else f"“{name.translate(_NO_QUOTES)}”"
    return f"{shown} [{piece(view.did)}]" if view.name_like else shown


def borrowed(view: PeerView | InviteView) -> str:
    """Whose name it bears, by its own choice, as a problem to be told; "" for nobody's."""
    if isinstance(view, PeerView) and view.alias:
        return ""
    return _BORROWED.get(view.name_like or "", "")


_BORROWED: Final = {
    "this-node": "it has the name of this node, or nearly",
    "alias": "it has the name that you gave another peer, or nearly",
    "peer": "it has the name of another peer, or nearly",
}


def _name(view: PeerView | InviteView) -> str | None:
    return view.alias or view.name if isinstance(view, PeerView) else view.name
