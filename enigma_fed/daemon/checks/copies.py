"""Checks for a second copy of this identity: two that answer as one node confuse every peer."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from enigma_fed.base.errors import EnigmaError
from enigma_fed.daemon import controlclient
from enigma_fed.daemon.calls import IDENTITY, NoParams
from enigma_fed.daemon.checks.scene import Scene, failure, ok, warning
from enigma_fed.daemon.paths import SYSTEM_CONTROL_SOCKET, SYSTEM_DATA_DIR, resolve_paths
from enigma_fed.identity import files as identity_files
from enigma_fed.wire.views import Finding, NodeView

_PATIENCE: Final = 2.0
"""Seconds for another agent's answer."""
_LOOKED_AT: Final = 64
"""Folders, and sockets, that are looked at: time."""
_WHY: Final = (
    "Peers see one identity with two states, and what one of the two learns the other does not know."
)


def second_copy(scene: Scene) -> Iterator[Finding]:
    """What the self-probe heard, other agents of this machine, other folders with the same key."""
    did = _did_in(scene.paths.data_dir)
    if did is None:
        return  # the check of the keys says why
    found = [*heard(scene), *_agents(scene, did), *_folders(scene, did)]
    yield from found
    if not found:
        yield ok("second copy", "none seen")


def heard(scene: Scene) -> Iterator[Finding]:
    """What the self-probe of a running agent heard."""
    if scene.status is not None and scene.status.another_copy:
        detail = "another copy of this node runs somewhere and answers at our onion"
        yield failure("second copy", detail, _WHY, "Stop one of the two, and remove its data folder.")


def _agents(scene: Scene, did: str) -> Iterator[Finding]:
    for node in _others(scene):
        if node.did == did and node.data_dir != str(scene.paths.data_dir):
            detail = f"an agent on {node.data_dir} runs with the same identity"
            fix = "Stop one of the two agents, and move its data folder away."
            yield failure("second copy", detail, _WHY, fix)


def _others(scene: Scene) -> Iterator[NodeView]:
    """The agents that this user may ask, but for the one on this data folder."""
    sockets = (SYSTEM_CONTROL_SOCKET, *sorted(scene.paths.runtime_dir.glob("*.sock")))
    for path in islice(sockets, _LOOKED_AT):
        if path == scene.paths.control_socket or path.name.endswith(".rpc.sock") or not path.is_socket():
            continue
        try:
            yield controlclient.call_agent(path, IDENTITY, NoParams(), _PATIENCE)
        except EnigmaError:
            continue  # a dead agent's socket, or not ours to ask


def _folders(scene: Scene, did: str) -> Iterator[Finding]:
    own = scene.paths.data_dir
    usual = resolve_paths(None, None, scene.environ).data_dir
    siblings = islice(sorted(own.parent.glob("*/identity/node.key")), _LOOKED_AT)
    for folder in dict.fromkeys((SYSTEM_DATA_DIR, usual, *(key.parents[1] for key in siblings))):
        if folder != own and _did_in(folder) == did:
            fix = f"Keep it as a backup where no agent runs on it, or remove it: {folder}"
            yield warning("second copy", f"{folder} holds the same identity", _WHY, fix)


def _did_in(folder: Path) -> str | None:
    try:
        return str(identity_files.load(folder / "identity" / "node.key").did)
    except (EnigmaError, OSError):
        return None
