"""Metrics of what this node offers to strangers: their onion, and the services on it."""

from __future__ import annotations

from typing import Final

from enigma_fed.daemon.metricsvalues import Family, Kind, one, the_one
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
