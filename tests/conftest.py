"""Order and ground rules of the whole test run."""

from __future__ import annotations

import os
import sys
from collections.abc import Generator
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import settings

from enigma_fed.base.errors import TorMissing
from enigma_fed.transports.tor.binary import default_cache, find_tor
from tests.support.prerequisites import missing
from tests.support.tornet import tor_network

__all__ = ["tor_network"]

# Other work on the machine must not fail a property test; the count of examples bounds its time.
settings.register_profile("shared-machine", deadline=None)
settings.load_profile("shared-machine")

_SOAK: Final = Path(__file__).with_name("soak")


_TESTS: Final = Path(__file__).parent
_MEASURED: Final = ("fuzz/", "identity/", "storage/", "wire/", "federation/test_rules")
"""Tests that the coverage gate of `make test` counts: those of the gated rooms themselves."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--soak` lets the long tests of tests/soak/ run (`make soak`)."""
    parser.addoption("--soak", action="store_true", help="run the long tests of tests/soak/ too")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """The long tests are no part of `make test`."""
    return True if collection_path == _SOAK and not config.getoption("--soak") else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Quick answers first: tests with real tor processes run after all the others, in their own order."""
    items.sort(key=lambda item: item.get_closest_marker("tor") is not None)


def pytest_runtest_setup(item: pytest.Item) -> None:
    """Without a tor program its tests are skipped, but never unnoticed in continuous integration."""
    if item.get_closest_marker("tor") is None:
        return
    try:
        find_tor(None, os.environ, default_cache(os.environ))
    except TorMissing as error:
        missing(str(error))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_protocol(item: pytest.Item) -> Generator[None, Any, Any]:
    """Under `coverage run` measure the tests that count; it slows Python down, and tor does not wait.

    What hypothesis happens to try does not count: the gate must say the same in every run.
    """
    coverage = sys.modules.get("coverage")
    measuring = coverage.Coverage.current() if coverage else None
    counts = str(item.path.relative_to(_TESTS)).startswith(_MEASURED) and not item.get_closest_marker(
        "hypothesis"
    )
    if measuring is None or counts:
        return (yield)
    measuring.stop()
    try:
        return (yield)
    finally:
        measuring.start()
