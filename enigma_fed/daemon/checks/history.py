"""The check of history.db, which may be lost: nothing about it is a failure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from enigma_fed.base.errors import EnigmaError, StoreDamaged, StoreNewer
from enigma_fed.daemon.checks.scene import Scene, count, ok, size, warning
from enigma_fed.state.historystore import NAME, look
from enigma_fed.wire.views import Finding

_WHY: Final = "How peers were over time cannot be shown; polling and everything else go on."


def readable(scene: Scene) -> Iterator[Finding]:
    """Whether the file can be read, how large it is, and what was set aside."""
    folder = scene.paths.data_dir
    try:
        nodes = look(folder)
    except EnigmaError as error:
        yield warning("history", f"{error.what}: {error.detail}", _WHY, _fix(scene, error))
        return
    if nodes is None:
        yield ok("history", "none yet: the agent keeps it while it runs")
        return
    files = [folder / NAME, folder / f"{NAME}-wal"]
    taken = sum(path.stat().st_size for path in files if path.exists())
    yield ok("history", f"of {count(nodes, 'node')}, {size(taken)}")
    aside = sorted(path.name for path in folder.glob(f"{NAME}.damaged-*") if not path.name.endswith("-wal"))
    if aside:
        why = "It began anew then. Damage that comes again is a sign of a failing disk."
        fix = f"Once nobody wants to look at it: rm {folder}/{NAME}.damaged-*"
        yield warning("history", f"it was damaged: {', '.join(aside)}", why, fix)


def _fix(scene: Scene, error: EnigmaError) -> str:
    if isinstance(error, StoreNewer):
        return error.hint
    if isinstance(error, StoreDamaged):
        if scene.runs:
            return "Nothing: the agent sets it aside and begins it anew within five minutes."
        return "Start the agent: it sets the file aside and begins it anew."
    return error.hint or "See: enigma-fed logs"
