"""What tor's status events mean, in plain words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enigma_fed.transports.tor.bootstrap import (
    BootstrapReport,
    connection_trouble,
    parse_bootstrap,
    parse_trouble,
)

STUCK = (
    'STATUS_CLIENT WARN BOOTSTRAP PROGRESS=14 TAG=handshake SUMMARY="Handshaking with a relay" '
    'WARNING="DONE" REASON={reason} COUNT=1 RECOMMENDATION=ignore HOSTID="00" HOSTADDR="192.0.2.1:9001"'
)


def test_progress_with_its_tag_and_summary() -> None:
    line = 'STATUS_CLIENT NOTICE BOOTSTRAP PROGRESS=45 TAG=requesting_descriptors SUMMARY="Asking \\"now\\""'
    assert parse_bootstrap(line) == BootstrapReport(45, "requesting_descriptors", 'Asking "now"', "")


def test_a_line_is_read_to_its_first_2048_characters() -> None:
    """A word without an end would take time by the square of its length."""
    assert parse_bootstrap("NOTICE BOOTSTRAP " + "A" * 1_000_000 + " PROGRESS=45") is None
    assert parse_bootstrap("NOTICE BOOTSTRAP PROGRESS=45 " + "A" * 1_000_000) == BootstrapReport(
        45, "", "", ""
    )


def test_the_answer_to_getinfo_has_the_same_form() -> None:
    line = 'NOTICE BOOTSTRAP PROGRESS=100 TAG=done SUMMARY="Done"'
    assert parse_bootstrap(line) == BootstrapReport(100, "done", "Done", "")


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("NOROUTE", "no network"),
        ("CONNECTREFUSED", "refuse the connection"),
        ("TIMEOUT", "no answer"),
        ("DONE", "closed at once"),
        ("SOMETHING_NEW", "cannot connect"),
    ],
)
def test_trouble_on_the_way_has_a_reason_in_plain_words(reason: str, words: str) -> None:
    report = parse_bootstrap(STUCK.format(reason=reason))
    assert report is not None
    assert words in report.reason
    assert "192.0.2.1" not in report.reason


@pytest.mark.parametrize(
    "line",
    ["", "STATUS_CLIENT NOTICE CIRCUIT_ESTABLISHED", "NOTICE BOOTSTRAP", "NOTICE BOOTSTRAP PROGRESS=²"],
)
def test_other_lines_are_no_report(line: str) -> None:
    assert parse_bootstrap(line) is None


def test_more_than_everything_is_everything() -> None:
    report = parse_bootstrap("NOTICE BOOTSTRAP PROGRESS=99999999")
    assert report is not None
    assert report.percent == 100


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("STATUS_CLIENT NOTICE CIRCUIT_NOT_ESTABLISHED REASON=CLOCK_JUMPED", "lost its network"),
        ('STATUS_GENERAL WARN CLOCK_SKEW SKEW=-7200 SOURCE="DIRSERV:x"', "by about 7200 s (behind)"),
        ('STATUS_GENERAL WARN CLOCK_SKEW SKEW=60 SOURCE="CONSENSUS"', "by about 60 s (ahead)"),
        ("STATUS_GENERAL WARN CLOCK_SKEW SKEW=?", "clock is wrong;"),
        ("STATUS_CLIENT NOTICE CIRCUIT_ESTABLISHED", ""),
        ("STATUS_CLIENT NOTICE ENOUGH_DIR_INFO", ""),
    ],
)
def test_trouble_and_its_end(line: str, words: str) -> None:
    trouble = parse_trouble(line)
    assert trouble is not None
    assert words in trouble
    assert bool(trouble) == bool(words)


def test_other_events_change_nothing() -> None:
    assert parse_trouble("STATUS_GENERAL NOTICE DANGEROUS_VERSION") is None


def test_a_failed_connection_means_something_while_starting_and_only_without_a_network_later() -> None:
    assert "no network" in connection_trouble("NOROUTE", bootstrapped=False)
    assert "no network" in connection_trouble("NOROUTE", bootstrapped=True)
    assert "refuse" in connection_trouble("CONNECTREFUSED", bootstrapped=False)
    assert connection_trouble("CONNECTREFUSED", bootstrapped=True) == ""
    assert connection_trouble("", bootstrapped=False) == ""


@given(st.text())
def test_any_text_is_read_without_an_error(text: str) -> None:
    parse_bootstrap(text)
    parse_bootstrap(f"NOTICE BOOTSTRAP {text}")
    parse_trouble(f"CLOCK_SKEW {text}")
