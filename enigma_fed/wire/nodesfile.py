"""nodes.json: the members and the tombstones (docs/FILES.md).

The Rust agent's file reads too: it has no `stage`, its times carry nanoseconds, its onion
addresses may lack `.onion`. An entry that is not valid here is kept as JSON text and never dialled;
a name, a state or a window that is not valid here is left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from enigma_fed.base import limits
from enigma_fed.base.errors import FieldInvalid, WireError
from enigma_fed.base.ids import Did, OnionAddress
from enigma_fed.wire import fields, hexadecimal, strictjson, timestamps
from enigma_fed.wire.records import Node, NodesFile, Role, Stage, Tombstone, TrustLevel
from enigma_fed.wire.snapshot import Snapshot, snapshot_from_object, snapshot_to_object
from enigma_fed.wire.windows import Window

TOKEN_HASH_BYTES: Final = 32
_ONION_SUFFIX: Final = ".onion"

EncodeNode = Callable[[Node], Mapping[str, object]]


def encode(value: NodesFile, *, entry: EncodeNode | None = None) -> Mapping[str, object]:
    """The members of the file; `entry` may keep the encoded nodes of the last time (`NodeEncoder`)."""
    of = entry or encode_node
    return {
        "nodes": [of(node) for node in value.nodes],
        "removed": [_tombstone_out(tombstone) for tombstone in value.removed],
        "invalid": list(value.invalid),
    }


def decode(members: Mapping[str, object]) -> NodesFile:
    """Read the members; raises WireError when the file as a whole makes no sense."""
    nodes: dict[Did, Node] = {}
    invalid = [_raw(item) for item in fields.items(members, "invalid")]
    for item in fields.items(members, "nodes", required=True):
        try:
            node = decode_node(fields.mapping(item, "node"))
        except WireError:
            invalid.append(strictjson.encode(item).decode("utf-8"))
            continue
        if nodes.setdefault(node.did, node) is not node:
            invalid.append(strictjson.encode(item).decode("utf-8"))
    removed = tuple(_tombstone_in(item) for item in fields.items(members, "removed"))
    if any(tombstone.did in nodes for tombstone in removed):
        raise WireError("removed: a member stands there too")
    return NodesFile(nodes=tuple(nodes.values()), removed=removed, invalid=tuple(invalid))


class NodeEncoder:
    """Encodes nodes and keeps the result for as long as a node stays the same value.

    A write after a change of one of 1000 nodes then costs one encoding, not 1000.
    """

    def __init__(self) -> None:
        self._last: dict[Did, tuple[Node, Mapping[str, object]]] = {}

    def encode(self, value: NodesFile) -> Mapping[str, object]:
        """As `encode`."""
        fresh: dict[Did, tuple[Node, Mapping[str, object]]] = {}

        def entry(node: Node) -> Mapping[str, object]:
            known = self._last.get(node.did)
            fresh[node.did] = known if known is not None and known[0] is node else (node, encode_node(node))
            return fresh[node.did][1]

        members = encode(value, entry=entry)
        self._last = fresh
        return members


def encode_node(node: Node) -> Mapping[str, object]:
    """One entry: the Rust agent's members first, then ours."""
    seen = _time_out(node.last_seen)
    state = node.last_state
    timestamp = seen or timestamps.to_text(node.added_at)
    return {
        "did": str(node.did),
        "pubkey": hexadecimal.encode(node.did.public_key),
        "onion": str(node.onion),
        "name": node.name,
        "trust_level": node.trust_level.value,
        "added_at": timestamps.to_text(node.added_at),
        "last_seen": seen,
        "last_state": None if state is None else snapshot_to_object(state, timestamp),
        "alias": node.alias,
        "stage": node.stage.value,
        "stage_at": timestamps.to_text(node.stage_at),
        "joined_as": None if node.joined_as is None else node.joined_as.value,
        "joined_with": [hexadecimal.encode(token_hash) for token_hash in node.joined_with],
        "granted_trust": None if node.granted_trust is None else node.granted_trust.value,
        "last_error": node.last_error,
        "last_error_at": _time_out(node.last_error_at),
        "paused": node.paused,
        "they_forgot_us": node.they_forgot_us,
        "legacy": node.legacy,
        "offline_windows": [str(window) for window in node.offline_windows],
    }


def decode_node(members: fields.Object) -> Node:
    """One entry; raises WireError naming the member that is not valid here (invariant 4)."""
    added_at = fields.time(members, "added_at")
    stage_at = fields.optional(fields.time, members, "stage_at")
    return Node(
        did=fields.identity(members),
        onion=_onion(members),
        name=name_or_none(members, "name"),
        trust_level=fields.choice(TrustLevel, members, "trust_level"),
        added_at=added_at,
        last_seen=fields.optional(fields.time, members, "last_seen"),
        last_state=_last_state(members),
        alias=name_or_none(members, "alias"),
        # An entry of the Rust agent: its owner federated it, both sides agreed.
        stage=fields.optional(_stage, members, "stage") or Stage.CONFIRMED,
        stage_at=added_at if stage_at is None else stage_at,
        joined_as=fields.optional(_role, members, "joined_as"),
        joined_with=token_hashes(members, "joined_with"),
        granted_trust=fields.optional(_trust, members, "granted_trust"),
        last_error=fields.optional(fields.text, members, "last_error"),
        last_error_at=fields.optional(fields.time, members, "last_error_at"),
        paused=fields.boolean(members, "paused"),
        they_forgot_us=fields.boolean(members, "they_forgot_us"),
        legacy=fields.boolean(members, "legacy"),
        offline_windows=_windows(members),
    )


def name_or_none(members: fields.Object, name: str) -> str | None:
    """A name in a file; one that is not valid here is left out: what is shown costs nobody the membership."""
    try:
        return fields.optional(fields.node_name, members, name)
    except WireError:
        return None


def token_hashes(members: fields.Object, name: str) -> tuple[bytes, ...]:
    """A list of hex SHA-256."""
    digits = [fields.text({name: item}, name) for item in fields.items(members, name)]
    return tuple(
        fields.named(name, lambda text: hexadecimal.decode(text, TOKEN_HASH_BYTES), item) for item in digits
    )


def _onion(members: fields.Object) -> OnionAddress:
    text = fields.text(members, "onion")
    if not text.endswith(_ONION_SUFFIX):
        text += _ONION_SUFFIX  # the Rust agent adds it only when it dials
    return fields.named("onion", OnionAddress.parse, text)


def _last_state(members: fields.Object) -> Snapshot | None:
    state = members.get("last_state")
    try:
        return None if state is None else snapshot_from_object(state, lenient=True)
    except WireError:
        return None  # the next poll brings a new one; the membership must not be lost for it


def _windows(members: fields.Object) -> tuple[Window, ...]:
    items = members.get("offline_windows")
    found = [] if not isinstance(items, list) else [_window(item) for item in items]
    known = dict.fromkeys(window for window in found if window is not None)
    return tuple(known)[: limits.OFFLINE_WINDOWS]


def _window(item: object) -> Window | None:
    try:
        return Window.parse(item) if isinstance(item, str) else None
    except FieldInvalid:
        return None  # it only changes what is shown


def _tombstone_out(tombstone: Tombstone) -> Mapping[str, object]:
    return {
        "did": str(tombstone.did),
        "removed_at": timestamps.to_text(tombstone.removed_at),
        "joined_with": [hexadecimal.encode(token_hash) for token_hash in tombstone.joined_with],
    }


def _tombstone_in(item: object) -> Tombstone:
    members = fields.mapping(item, "removed")
    return Tombstone(
        did=fields.did(members, "did"),
        removed_at=fields.time(members, "removed_at"),
        joined_with=token_hashes(members, "joined_with"),
    )


def _raw(item: object) -> str:
    if not isinstance(item, str):
        raise WireError("invalid: not text")
    return item


def _stage(members: fields.Object, name: str) -> Stage:
    return fields.choice(Stage, members, name)


def _role(members: fields.Object, name: str) -> Role:
    return fields.choice(Role, members, name)


def _trust(members: fields.Object, name: str) -> TrustLevel:
    return fields.choice(TrustLevel, members, name)


def _time_out(unix: int | None) -> str | None:
    return None if unix is None else timestamps.to_text(unix)
