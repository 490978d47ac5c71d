"""Checks of Tor: which one is used and why, whether it lets us in, and how far a running agent has come."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from enigma_fed.base import limits
from enigma_fed.base.errors import EnigmaError
from enigma_fed.daemon.checks.scene import Scene, failure, ok, warning
from enigma_fed.daemon.torplan import TorPlan, make_plan, onion_folder
from enigma_fed.transports.tor import socksmode, system, versions
from enigma_fed.transports.tor.binary import TorBinary, ask_abilities
from enigma_fed.transports.tor.modes import TorMode
from enigma_fed.transports.tor.status import TorPhase
from enigma_fed.wire.views import Finding

_UPDATE: Final = "Update it: sudo apt update && sudo apt install tor"
_NO_TOR: Final = "Without it no peer can be reached."
_OWNERS_FOLDER: Final = "/var/lib/tor/enigma-fed"
_RELOAD: Final = "then: sudo systemctl reload tor"


def program(scene: Scene) -> Iterator[Finding]:
    """Which tor is used, and whether it will do."""
    plan = asyncio.run(make_plan(scene.settings.tor, scene.paths, scene.environ))
    if plan.mode is TorMode.OFF:
        why = "No peer can reach this node, and it reaches none."
        yield warning("tor", "it is switched off", why, "Set tor.mode to auto.")
        return
    running = scene.status.tor if scene.status is not None else None
    if running is not None:
        yield ok("tor mode", f"{running.mode}: {running.chosen}")
    else:
        yield ok("tor mode", f"{plan.mode}: {plan.choice.why}")
    if plan.binary is not None:
        yield _program(plan.binary)
    elif plan.mode is TorMode.SYSTEM:
        yield asyncio.run(_control_port(plan))
    else:
        yield asyncio.run(_socks_port(plan))
        yield from _owners_onion(scene, plan)


def _program(binary: TorBinary) -> Finding:
    abilities = ask_abilities(binary)
    if not abilities.version:
        return failure("tor", f"{binary.path} does not run", _NO_TOR, "Install it anew: sudo apt install tor")
    return _judged(abilities.version, f"{binary.path}, version {abilities.version}")


async def _control_port(plan: TorPlan) -> Finding:
    try:
        version = await system.look(plan.places)
    except EnigmaError as error:
        where = ", ".join(str(place.endpoint) for place in plan.places)
        fix = error.hint or f"Look whether tor runs and listens at {where}; or set tor.mode to managed."
        return failure("tor", error.detail or error.what, _NO_TOR, fix)
    return _judged(version, f"its control port lets this agent in, version {version}")


def _judged(version: str, detail: str) -> Finding:
    if trouble := versions.too_old(version):
        return failure("tor", trouble, "An older one is not used.", _UPDATE)
    if trouble := versions.drawback(version):
        return warning("tor", trouble, "Old versions lack repairs, some of them of security.", _UPDATE)
    return ok("tor", detail)


async def _socks_port(plan: TorPlan) -> Finding:
    assert plan.socks is not None
    if await socksmode.answers(plan.socks):
        return ok("tor", f"its SOCKS port answers at {plan.socks}")
    fix = "Start that tor, or name its port in tor.socks."
    return failure("tor", f"no SOCKS port answers at {plan.socks}", _NO_TOR, fix)


def _owners_onion(scene: Scene, plan: TorPlan) -> Iterator[Finding]:
    """The lines that the owner's tor needs, until a running agent has reached itself."""
    tor = scene.status.tor if scene.status is not None else None
    if tor is not None and tor.phase == TorPhase.READY:
        yield ok("onion", "the owner's tor serves it")
        return
    why = "Until that tor serves the onion, no peer can reach this node; it can still call others."
    yield warning("onion", "your tor has to serve it", why, owners_lines(scene, plan.listen))


def owners_lines(scene: Scene, listen: str) -> str:
    """What the owner of a tor does so that it serves this node's onion."""
    if scene.settings.tor.onion:
        shown = "; ".join(_torrc_lines([(80, listen)]))
        return f"In its torrc, below the HiddenServiceDir of {scene.settings.tor.onion}: {shown}; {_RELOAD}"
    text = owners_onion_lines(onion_folder(scene.paths), _OWNERS_FOLDER, [(80, listen)])
    return f"Start the agent once, {text}"


def owners_onion_lines(ours: Path, theirs: str, ports: Sequence[tuple[int, str]]) -> str:
    """How an onion whose key files lie in `ours` gets into the owner's tor, where `theirs` is its folder."""
    shown = "; ".join([f"HiddenServiceDir {theirs}", *_torrc_lines(ports)])
    return (
        f"copy the key: sudo cp -r {ours} {theirs} && "
        f"sudo chown -R debian-tor: {theirs}; at the end of /etc/tor/torrc, one a line: "
        f"{shown}; {_RELOAD} (it may take a quarter of an hour until this node sees that)"
    )


def _torrc_lines(ports: Sequence[tuple[int, str]]) -> list[str]:
    return [
        *(f"HiddenServicePort {port} {target}" for port, target in ports),
        f"HiddenServiceMaxStreams {limits.TOR_STREAMS_PER_CIRCUIT}",
        "HiddenServiceMaxStreamsCloseCircuit 1",
        "HiddenServicePoWDefensesEnabled 1",
    ]


def progress(scene: Scene) -> Iterator[Finding]:
    """How far the running agent's Tor is."""
    tor = scene.status.tor if scene.status is not None else None
    if tor is None or tor.phase == TorPhase.OFF:
        return
    why = "Until it is ready, peers cannot reach this node."
    if tor.phase == TorPhase.FAILED:
        ours = tor.mode == TorMode.MANAGED
        log = f"tail {scene.paths.tor_dir / 'tor.log'}" if ours else "sudo journalctl -u tor@default"
        yield failure(
            "tor progress", f"it failed: {tor.reason or 'no reason given'}", why, f"See its log: {log}"
        )
    elif tor.phase != TorPhase.READY:
        detail = f"{tor.phase}, {tor.percent} %" + (f": {tor.reason}" if tor.reason else "")
        yield warning("tor progress", detail, why, "Wait a minute, then: enigma-fed status")
    else:
        yield ok("tor progress", "ready: this node reached itself through Tor")
    if tor.repairs:
        detail = f"the onion was silent {tor.repairs} times since the start, last: {tor.last_repair}"
        yield warning("tor repairs", detail, "Peers missed this node meanwhile.", "See when: enigma-fed logs")


def extra_lines(scene: Scene) -> Iterator[Finding]:
    """`tor.torrc_extra`: readable, and nothing that stays unnoticed."""
    extra = scene.settings.tor.torrc_extra
    if not extra:
        return
    if not os.access(extra, os.R_OK):
        why = "The agent does not start without it."
        yield failure("tor.torrc_extra", f"{extra} cannot be read", why, "Correct the path or take it out.")
    else:
        why = "They can switch off what protects this node."
        fix = "Take tor.torrc_extra out of the configuration unless you know why it is there."
        yield warning("tor.torrc_extra", f"lines of {extra} change how tor runs", why, fix)
