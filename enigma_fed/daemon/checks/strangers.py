"""Checks of what strangers reach here: the onion for them, and the services on it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from enigma_fed.daemon.checks.scene import Scene, failure, ok, warning
from enigma_fed.daemon.checks.tor import owners_onion_lines
from enigma_fed.daemon.torplan import onion_folder
from enigma_fed.transports.tor.modes import TorMode
from enigma_fed.transports.tor.service import PUBLIC_ONION
from enigma_fed.transports.tor.status import PublicPhase, TorPhase
from enigma_fed.wire.views import Finding, PublicOnionView, StatusView

_WHY: Final = "Until it answers, strangers cannot reach what is published for them; peers are not concerned."
_OWNERS_FOLDER: Final = "/var/lib/tor/enigma-fed-public"


def onion(scene: Scene) -> Iterator[Finding]:
    """How far the onion for strangers is; nothing where no service is published on it."""
    status = scene.status
    if status is None or status.public is None:
        return
    public, name = status.public, "onion for strangers"
    if status.tor is None or status.tor.phase == TorPhase.OFF:
        fix = "Set tor.mode to auto, or take the services off the onion."
        yield warning(name, public.reason or "there is no Tor here", _WHY, fix)
    elif public.phase == PublicPhase.READY:
        services = ", ".join(f"{service} on port {port}" for service, port in public.ports.items())
        yield ok(name, f"this node reached it through Tor: {services}")
    elif status.tor.mode == TorMode.SOCKS:
        yield warning(name, "your tor has to serve it", _WHY, _owners_lines(scene, status, public))
    else:
        detail = f"{public.phase}: {public.reason}" if public.reason else public.phase
        yield warning(name, detail, _WHY, "Wait a minute, then: enigma-fed status")
    if public.repairs:
        detail = f"it was lost or silent {public.repairs} times since the start, last: {public.last_repair}"
        yield warning(name, detail, "Strangers missed it meanwhile.", "See when: enigma-fed logs")


def registry(scene: Scene) -> Iterator[Finding]:
    """Whether the registry that this node hosts runs."""
    view = scene.status.registry if scene.status is not None else None
    if view is None:
        return
    if not view.running:
        why = "Nobody can register or look anybody up here; peers are not concerned."
        detail, _, fix = view.trouble.partition(". ")
        yield failure("registry", detail, why, fix or "See why: enigma-fed logs")
        return
    where = f"listens at {view.listen}" if view.listen else "is reached by its onion alone"
    held = "1 identity" if view.identities == 1 else f"{view.identities} identities"
    yield ok("registry", f"it {where} and holds {held}")
    for text in [*([f"changed ones were refused: {view.trouble}"] if view.trouble else []), *view.warnings]:
        why = "It works, but not as well or as safely as it could."
        yield warning("registry settings", text, why, "See docs/REGISTRY.md, section 2.")


def _owners_lines(scene: Scene, status: StatusView, public: PublicOnionView) -> str:
    """What the owner of a tor does so that it serves the onion for strangers too."""
    ports = [(port, public.targets[name]) for name, port in public.ports.items() if name in public.targets]
    return owners_onion_lines(onion_folder(scene.paths, PUBLIC_ONION), _OWNERS_FOLDER, ports)
