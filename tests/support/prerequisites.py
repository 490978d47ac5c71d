"""What a test needs of the machine: without it a loud skip, and in continuous integration a failure."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def missing(what: str) -> NoReturn:
    """End the test: `what` says what is missing and how to get it."""
    if os.environ.get("CI"):
        pytest.fail(f"continuous integration promises this: {what}", pytrace=False)
    pytest.skip(f"NOT TESTED: {what}")
