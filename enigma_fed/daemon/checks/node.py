"""Checks of the node's own files and of its agent."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Final

from enigma_fed.base import limits
from enigma_fed.base.errors import EnigmaError, StoreDamaged
from enigma_fed.base.suspension import Suspended
from enigma_fed.daemon import controlclient
from enigma_fed.daemon.checks.scene import Scene, count, failure, ok, size, warning
from enigma_fed.daemon.degraded import describe
from enigma_fed.daemon.init import load_keys
from enigma_fed.daemon.paths import AS_THE_SERVICE, Paths
from enigma_fed.federation.store import FederationStore
from enigma_fed.storage import modes
from enigma_fed.storage.folderlock import FolderLock
from enigma_fed.storage.recovery import Recovery
from enigma_fed.wire.views import Finding

_DROP: Final = "See them, and drop them: enigma-fed doctor --drop-invalid"
_LOOKED_AT: Final = 10_000
"""Files of the data folder whose modes are looked at: time."""
_NAMED: Final = 20
"""Findings of modes that are listed one by one."""
_TOR_LOG_LARGE: Final = 16 * limits.TOR_LOG_BYTES


def no_node(scene: Scene) -> Iterator[Finding]:
    """Nothing of a node is there."""
    detail = f"there is no node in {scene.paths.data_dir} yet"
    yield failure("node", detail, "Everything else needs one.", "Make one: enigma-fed init")


def service(scene: Scene) -> Iterator[Finding]:
    """What the agent of the machine's service says of itself to a user who may not read its files."""
    status = scene.status
    if status is None:
        why = "Nothing can be asked or changed meanwhile."
        fix = "See what it does: enigma-fed service logs"
        yield failure("agent", "this machine's service takes commands and does not answer", why, fix)
    else:
        name = f"{status.node.name} ({status.node.data_dir}), the node of this machine's service"
        yield ok("agent", f"{name}, runs (process {status.pid}) and takes commands")
        if Suspended.RECOVERED in status.suspended:
            why = "The copy may be older: until you accept it, there are no joins and no installs."
            fix = "See what it holds: enigma-fed doctor --accept-recovered"
            yield failure("stores", "a damaged file was replaced by its copy", why, fix)
    detail = "not looked at: keys, stores and logs are for the service alone to read"
    why = "What is wrong with them can keep the agent from its next start."
    yield warning("files", detail, why, f"To look at them: {AS_THE_SERVICE} doctor")


def keys(scene: Scene) -> Iterator[Finding]:
    """Both keys can be read."""
    key, onion = load_keys(scene.paths)
    yield ok("keys", f"{key.did.short}, {onion.address.short}")


def file_modes(scene: Scene) -> Iterator[Finding]:
    """Every file and folder in the data folder is the owner's alone."""
    found = list(islice(_loose(scene.paths), _NAMED + 1))
    yield from found[:_NAMED]
    if len(found) > _NAMED:
        fix = f"Run: chmod -R go= {scene.paths.data_dir}"
        yield failure("file modes", f"and more than {_NAMED} others", "Others may read them.", fix)
    if not found:
        yield ok("file modes", "only the owner can read what is in the data folder")


def _loose(paths: Paths) -> Iterator[Finding]:
    """A finding for each; what the agent itself refuses to start with is a failure."""
    guarded = {paths.data_dir, *paths.folders, paths.node_key, paths.onion_key}
    for path in (paths.data_dir, *islice(sorted(paths.data_dir.rglob("*")), _LOOKED_AT)):
        try:
            if path.is_dir():
                modes.check_folder(path)
            elif path.is_file():
                modes.check_file(path, path.stat())
        except EnigmaError as error:
            if path in guarded or path.parent == paths.federation_dir:
                why = "Other users may read or change this node's secrets: the agent does not start."
                yield failure("file modes", error.detail, why, error.hint)
            else:
                yield warning("file modes", error.detail, "Other users may read it.", error.hint)


def stores(scene: Scene) -> Iterator[Finding]:
    """The JSON files can be read and their copies are there."""
    try:
        store = FederationStore(scene.paths.data_dir)
        store.open(writable=False)
    except StoreDamaged as error:
        why = "Without it the node does not know its peers."
        yield failure("stores", f"{error.what}: {error.detail}", why, error.hint)
        return
    for recovery in store.recoveries:
        yield _damaged(scene, recovery)
    nodes, invites = store.membership.nodes, store.membership.invites
    yield ok("stores", f"{count(len(nodes.nodes), 'peer')}, {count(len(invites.outgoing), 'invite')} made")
    invalid = len(nodes.invalid) + len(invites.invalid)
    if invalid:
        why = "They are kept as they are, but nobody is asked or served by them."
        yield warning(
            "stores", f"{count(invalid, 'entry').replace('entrys', 'entries')} unusable", why, _DROP
        )
    for copy, trouble in store.copies().items():
        why = "If the file is damaged, there is nothing to fall back on."
        fix = "The next start of the agent, or the next change, writes it anew."
        yield warning("stores", f"{copy}: {trouble}", why, fix)


def _damaged(scene: Scene, recovery: Recovery) -> Finding:
    fix = "enigma-fed doctor --accept-recovered"
    status = scene.status
    if status is not None and status.running and Suspended.RECOVERED not in status.suspended:
        detail = f"{recovery.file} is damaged ({recovery.why}); the running agent has not looked at it since"
        why = "With its next change it takes the copy, and stops joins and installs until you accept that."
        return failure("stores", detail, why, f"Stop the agent, start it again, then run: {fix}")
    why = "The copy may be older: until you accept it, there are no joins and no installs."
    return failure("stores", describe(recovery), why, f"Run: {fix}")


def agent(scene: Scene) -> Iterator[Finding]:
    """Whether an agent runs and takes commands."""
    holder = FolderLock(scene.paths.data_dir).holder()
    if holder is None:
        why = "Peers find nobody here while it is down."
        yield warning("agent", "it does not run", why, "Start it: enigma-fed run")
    elif holder.kind == "command":
        yield ok("agent", f"it does not run; a command (process {holder.pid}) is at work")
    elif scene.runs:
        yield ok("agent", f"it runs (process {holder.pid}) and takes commands")
    elif controlclient.answers(scene.paths.control_socket):
        yield _stuck(f"process {holder.pid} takes commands and does not answer", holder.pid)
    else:
        yield _stuck(f"process {holder.pid} holds the data folder but takes no commands", holder.pid)


def _stuck(detail: str, pid: int) -> Finding:
    why = "Nothing can be changed while it holds the folder."
    return failure("agent", detail, why, f"If that lasts, stop it and start it again: kill {pid}")


def logs(scene: Scene) -> Iterator[Finding]:
    """How much room the logs take: ours is bounded, tor's is set aside at a start only."""
    folder, tor_log = scene.paths.log_file.parent, scene.paths.tor_dir / "tor.log"
    ours = sum(map(_size, folder.glob("agent.log*"))) if folder.is_dir() else 0
    tors = _size(tor_log)
    if tors > _TOR_LOG_LARGE:
        why = "It grows until the agent is started again."
        fix = f"See what tor complains of (tail {tor_log}), then restart the agent."
        yield warning("logs", f"tor's log has {size(tors)}", why, fix)
    else:
        yield ok("logs", f"{size(ours + tors)}")


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
