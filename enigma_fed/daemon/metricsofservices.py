"""Metrics of what this node offers to strangers: their onion, and the services on it."""

from __future__ import annotations

from typing import Final

from enigma_fed.daemon.metricsvalues import Family, Kind, by_word, one, the_one
from enigma_fed.transports.tor.status import PublicPhase

STRANGERS: Final = (
    Family(
        "public_onion_phase",
        Kind.GAUGE,
        "1 for the phase that the onion for strangers is in, 0 for every other.",
        lambda scene: the_one(scene.parts.tor().public.phase.value, [phase.value for phase in PublicPhase]),
        labels=("phase",),
    ),
    Family(
        "public_onion_repairs",
        Kind.COUNTER,
        "How often something was done because the onion for strangers did not answer.",
        lambda scene: one(scene.parts.tor().public.repairs),
    ),
)

REGISTRY: Final = (
    Family(
        "registry_running",
        Kind.GAUGE,
        "1 while the identity registry of this node is served; absent where it hosts none.",
        lambda scene: one(None if scene.parts.registry is None else scene.parts.registry.view().running),
    ),
    Family(
        "registry_identities",
        Kind.GAUGE,
        "Handles that are taken in the registry.",
        lambda scene: one(None if scene.parts.registry is None else scene.parts.registry.identities),
    ),
    Family(
        "registry_requests",
        Kind.COUNTER,
        "Requests to the registry: the route's name, then ok or the code of the error that it got.",
        lambda scene: by_word({} if scene.parts.registry is None else scene.parts.registry.counters),
        labels=("answer",),
    ),
)
