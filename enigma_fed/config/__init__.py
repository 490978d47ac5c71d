"""The configuration of the agent: TOML, environment and flags to frozen settings."""

from __future__ import annotations

from enigma_fed.config.loading import Config, Settings, describe, from_toml, load
from enigma_fed.config.options import OptionDoc, Value
from enigma_fed.config.sections import (
    AdminSettings,
    ClockSettings,
    FederationSettings,
    LogSettings,
    NodeSettings,
    RpcSettings,
    TorSection,
    parse_listen,
)

__all__ = [
    "AdminSettings",
    "ClockSettings",
    "Config",
    "FederationSettings",
    "LogSettings",
    "NodeSettings",
    "OptionDoc",
    "RpcSettings",
    "Settings",
    "TorSection",
    "Value",
    "describe",
    "from_toml",
    "load",
    "parse_listen",
]
