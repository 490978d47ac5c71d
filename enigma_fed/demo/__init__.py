"""A private Tor network on loopback, and the guided demo."""

from typing import Final

NODES_MAX: Final = 8
"""Most homes in one demo: each is an agent and a tor on this machine."""
