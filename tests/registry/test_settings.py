"""Settings of a registry: which key seals, and that no secret is shown by a value's text."""

from __future__ import annotations

import pytest
from msgspec import ValidationError, convert

from enigma_fed.registry.settings import (
    EnvelopeKey,
    EnvelopeSettings,
    PresenceSettings,
    RateLimitSettings,
    RegistrySettings,
)

_SECRET = bytes(range(100, 132))


def key(number: int, *, active: bool, not_after_ms: int | None = None) -> EnvelopeKey:
    return EnvelopeKey(kid=bytes([number]) * 8, private_key=_SECRET, active=active, not_after_ms=not_after_ms)


def test_the_first_active_key_in_time_seals() -> None:
    old, closing, first, second = (
        key(1, active=False),
        key(2, active=True, not_after_ms=1_000),
        key(3, active=True),
        key(4, active=True),
    )
    envelope = EnvelopeSettings(pepper=_SECRET, keys=(old, closing, first, second))
    assert envelope.active_key(1_000) is closing
    assert envelope.active_key(1_001) is first


def test_no_key_seals_once_all_have_expired_or_rest() -> None:
    envelope = EnvelopeSettings(
        pepper=_SECRET, keys=(key(1, active=False), key(2, active=True, not_after_ms=5))
    )
    assert envelope.active_key(6) is None


def test_invariant_8_neither_pepper_nor_keys_stand_in_a_values_text() -> None:
    envelope = EnvelopeSettings(pepper=_SECRET, keys=(key(1, active=True),))
    settings = RegistrySettings(address=None, envelope=envelope)
    for shown in (repr(settings), str(settings), repr(envelope), f"{envelope.keys[0]}"):
        assert repr(_SECRET)[2:-1] not in shown
        assert _SECRET.hex() not in shown
        assert "0101010101010101" in shown


@pytest.mark.parametrize(
    ("table", "kept", "refused"),
    [
        (RateLimitSettings, {"burst": 1_000_000}, {"burst": 1_000_001}),
        (RateLimitSettings, {"burst": 1}, {"burst": 0}),
        (RateLimitSettings, {"per_ip_rps": 0.01}, {"per_ip_rps": 0}),
        (RateLimitSettings, {"per_ip_rps": 1e6}, {"per_ip_rps": float("inf")}),
        (RateLimitSettings, {"per_ip_rps": 1e6}, {"per_ip_rps": float("nan")}),
        (RateLimitSettings, {"ban_seconds": 0}, {"ban_seconds": -1}),
        (RateLimitSettings, {"ban_seconds": 2_592_000}, {"ban_seconds": 2_592_001}),
        (RateLimitSettings, {"endpoints": {"nodes_rps": 1}}, {"endpoints": {"nodes_rps": 0}}),
        (PresenceSettings, {"ttl_seconds": 604_800}, {"ttl_seconds": 604_801}),
        (PresenceSettings, {"ttl_seconds": 1}, {"ttl_seconds": 0}),
        (PresenceSettings, {"gc_interval_seconds": 86_400}, {"gc_interval_seconds": 86_401}),
    ],
)
def test_a_number_past_its_bound_is_refused(
    table: type[object], kept: dict[str, object], refused: dict[str, object]
) -> None:
    convert(kept, table)
    with pytest.raises(ValidationError):
        convert(refused, table)
