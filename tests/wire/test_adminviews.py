"""What the admin listener says in JSON."""

from __future__ import annotations

from enigma_fed.wire.adminviews import HealthView, ReadinessView, ReasonView, encode


def test_a_view_is_one_line_of_json() -> None:
    assert encode(HealthView(alive=True, uptime_s=1.5)) == b'{"alive":true,"uptime_s":1.5}\n'
    view = ReadinessView(ready=False, reasons=[ReasonView(code="tor-off", why="w", next="n")])
    assert encode(view) == b'{"ready":false,"reasons":[{"code":"tor-off","why":"w","next":"n"}]}\n'
