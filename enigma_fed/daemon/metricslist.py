"""Every metric of a node, in the order of docs/METRICS.md."""

from __future__ import annotations

from types import MappingProxyType
from typing import Final

from enigma_fed.daemon.metricsofnode import AGENT, MACHINE, TOR
from enigma_fed.daemon.metricsofpeers import ASKED, PEERS, SERVED, STORED
from enigma_fed.daemon.metricsofservices import REGISTRY, STRANGERS
from enigma_fed.daemon.metricsofstates import HISTORY, STATES, STREAMS
from enigma_fed.daemon.metricsvalues import Family

SECTIONS: Final = MappingProxyType(
    {
        "The agent": AGENT,
        "Tor": TOR,
        "The machine": MACHINE,
        "Peers": PEERS,
        "What is asked of peers": ASKED,
        "What peers are answered": SERVED,
        "States": STATES,
        "Streams of states": STREAMS,
        "What is written": (*STORED, *HISTORY),
        "For strangers": (*STRANGERS, *REGISTRY),
    }
)
FAMILIES: Final[tuple[Family, ...]] = tuple(family for found in SECTIONS.values() for family in found)
