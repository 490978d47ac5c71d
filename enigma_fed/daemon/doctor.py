"""What is wrong with a node, and how to repair it (`enigma-fed doctor`); changes nothing.

The checks stand in daemon/checks/, one small function each; a new one is added to a list here.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final

from enigma_fed.base.errors import ConfigError, EnigmaError, StoreError
from enigma_fed.config import Settings
from enigma_fed.daemon import controlclient
from enigma_fed.daemon.calls import INVITE_LIST, PEER_LIST, STATUS, NoParams
from enigma_fed.daemon.checks import copies, history, listening, machine, node, peers, strangers, tor
from enigma_fed.daemon.checks.scene import Check, Scene, failure
from enigma_fed.daemon.local import LocalOperations
from enigma_fed.daemon.paths import SYSTEM_DATA_DIR, SYSTEM_RUNTIME_DIR, Paths
from enigma_fed.wire.views import Finding

_PATIENCE: Final = 10.0
"""Seconds for each answer of the agent: one that does not answer is a finding, not a wait."""
_BLIND: Final = "Until that is mended, this part of the node does not work or cannot be looked at."

_BEFORE_INIT: Final[tuple[tuple[str, Check], ...]] = (("node", node.no_node),)
_OF_A_NODE: Final[tuple[tuple[str, Check], ...]] = (
    ("keys", node.keys),
    ("file modes", node.file_modes),
    ("stores", node.stores),
    ("agent", node.agent),
    ("second copy", copies.second_copy),
    ("invites", peers.invites),
    ("peers", peers.away),
    ("clock of peers", peers.skew),
    ("history", history.readable),
    ("onion for strangers", strangers.onion),
    ("registry", strangers.registry),
    ("logs", node.logs),
)
_OF_THE_SERVICE: Final[tuple[tuple[str, Check], ...]] = (
    ("agent", node.service),
    ("second copy", copies.heard),
    ("invites", peers.invites),
    ("peers", peers.away),
    ("clock of peers", peers.skew),
    ("config", machine.config_file),
    ("config of the agent", machine.config_of_the_agent),
    ("admin listener", listening.admin_listener),
    ("tor progress", tor.progress),
    ("onion for strangers", strangers.onion),
    ("registry", strangers.registry),
    ("clock", machine.clock),
    ("disk", machine.disk),
    ("versions", machine.versions),
)
_OF_THE_MACHINE: Final[tuple[tuple[str, Check], ...]] = (
    ("config", machine.config_file),
    ("config of the agent", machine.config_of_the_agent),
    ("listen address", listening.listen_address),
    ("admin listener", listening.admin_listener),
    ("runtime folder", machine.runtime_folder),
    ("tor", tor.program),
    ("tor progress", tor.progress),
    ("tor.torrc_extra", tor.extra_lines),
    ("clock", machine.clock),
    ("disk", machine.disk),
    ("versions", machine.versions),
)


def examine(
    paths: Paths,
    settings: Settings,
    *,
    environ: Mapping[str, str] = os.environ,
    config_error: ConfigError | None = None,
) -> list[Finding]:
    """Every check in turn; one that fails does not stop the others. Before `init`: those of the machine.

    With `config_error` the configuration cannot be used and `settings` are the defaults.
    """
    empty = _is_empty(paths)
    scene = Scene(paths, settings, environ, time.time(), config_error)
    if not empty:
        scene = _observed(scene)
    checks = (*(_BEFORE_INIT if empty else _OF_A_NODE), *_OF_THE_MACHINE)
    return [finding for name, check in checks for finding in _guarded(name, check, scene)]


def examine_service(
    paths: Paths,
    settings: Settings,
    *,
    environ: Mapping[str, str] = os.environ,
    config_error: ConfigError | None = None,
) -> list[Finding]:
    """What can be seen of the machine's service by a user who commands it, but may not read its files."""
    there = replace(paths, data_dir=SYSTEM_DATA_DIR, runtime_dir=SYSTEM_RUNTIME_DIR)
    scene = Scene(there, settings, environ, time.time(), config_error)
    with contextlib.suppress(EnigmaError):  # the check of the agent says that it does not answer
        scene = _asked(scene)
    return [finding for name, check in _OF_THE_SERVICE for finding in _guarded(name, check, scene)]


def exit_code(findings: list[Finding]) -> int:
    """0 when nothing is broken, 7 when a store is, else 1."""
    broken = {entry.check for entry in findings if entry.result == "failure"}
    if "stores" in broken:
        return StoreError.exit_code
    return EnigmaError.exit_code if broken else 0


def _is_empty(paths: Paths) -> bool:
    """Whether nothing of a node is there; a node without its key is a damaged one."""
    return not paths.node_key.exists() and not any(paths.federation_dir.glob("*"))


def _observed(scene: Scene) -> Scene:
    """The scene with what the agent says, else the files; as it is when neither can be read."""
    try:
        if controlclient.answers(scene.paths.control_socket):
            return _asked(scene)
        with LocalOperations(scene.paths, scene.settings, lock=None) as files:
            status, known, open_invites = files.status(), files.peer_list(), files.invite_list()
    except EnigmaError:
        return scene  # the check of the agent, or of the stores, says why
    return replace(scene, status=status, peers=tuple(known), invites=tuple(open_invites))


def _asked(scene: Scene) -> Scene:
    """The scene with what the agent says; raises EnigmaError."""
    socket = scene.paths.control_socket
    status = controlclient.call_agent(socket, STATUS, NoParams(), _PATIENCE)
    known = controlclient.call_agent(socket, PEER_LIST, NoParams(), _PATIENCE)
    open_invites = controlclient.call_agent(socket, INVITE_LIST, NoParams(), _PATIENCE)
    return replace(scene, status=status, peers=tuple(known), invites=tuple(open_invites))


def _guarded(name: str, check: Check, scene: Scene) -> Iterator[Finding]:
    try:
        yield from check(scene)
    except EnigmaError as error:
        text = f"{error.what}: {error.detail}" if error.detail else error.what
        yield failure(name, text, _BLIND, error.hint)
    except OSError as error:
        yield failure(name, (error.strerror or "it failed").lower(), _BLIND, "See who may read it: ls -l")
