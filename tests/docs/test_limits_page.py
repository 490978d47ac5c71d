"""docs/LIMITS.md is what `make docs` writes."""

from __future__ import annotations

from tests.limits.page import PAGE, render


def test_the_page_of_limits_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "run `make docs`"
