"""What a failed command says, and its exit code."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator

import pytest

from enigma_fed.base import errors
from tests.cli.fakes import CODE, FakeNode, invoke


def _leaves(kind: type[errors.EnigmaError]) -> Iterator[type[errors.EnigmaError]]:
    for child in kind.__subclasses__():
        if child.__module__ == errors.__name__:
            yield child
            yield from _leaves(child)


@pytest.mark.parametrize("kind", list(_leaves(errors.EnigmaError)), ids=lambda kind: str(kind.__name__))
def test_an_error_becomes_its_sentence_and_its_exit_code(kind: type[errors.EnigmaError]) -> None:
    error = (
        kind("the-word", "why", hint="Do this.")
        if kind is errors.RefusedByPeer
        else kind("why", hint="Do this.")
    )
    shown = invoke("peer", "list", node=FakeNode(error=error))
    assert (shown.exit_code, shown.out) == (kind.exit_code, "")
    assert shown.err == f"enigma-fed: {error.what}: why. Do this.\n"


def test_an_error_is_one_json_object_on_standard_error_with_json() -> None:
    error = errors.PeerUnreachable("its onion service did not answer", hint="Try later.")
    shown = invoke("peer", "ping", "cellar", "--json", node=FakeNode(error=error))
    assert (shown.exit_code, shown.out) == (3, "")
    message = "The peer cannot be reached: its onion service did not answer"
    assert shown.error == {"code": "peer-unreachable", "message": message, "hint": "Try later."}


@pytest.mark.parametrize("flags", [["--data-dir", "/d x"], ["--data-dir=/other", "--data-dir=/d x"]])
def test_a_hint_speaks_to_the_node_that_the_line_named(flags: list[str]) -> None:
    error = errors.PeerNotFound("bob", hint="See: enigma-fed peer list")
    shown = invoke("peer", "list", *flags, node=FakeNode(error=error))
    assert shown.err.endswith("See: enigma-fed --data-dir '/d x' peer list.\n")
    assert "--help" in invoke("peer", *flags, "nothing").err
    shown = invoke("peer", "list", "--json", *flags, "--config", "/c", node=FakeNode(error=error))
    assert shown.error["hint"] == "See: enigma-fed --config /c --data-dir '/d x' peer list"


@pytest.mark.parametrize(
    "words",
    [
        ["nothing"],
        ["peer", "nothing"],
        ["peer", "trust", "x"],
        ["peer", "trust", "x", "boss"],
        ["status", "--bad"],
    ],
)
def test_a_line_that_is_not_understood_is_2(words: list[str]) -> None:
    shown = invoke(*words)
    assert (shown.exit_code, shown.out) == (2, "")
    assert shown.err.startswith("enigma-fed: The command was not understood: ")
    assert "--help" in shown.err
    assert invoke(*words, "--json").error["code"] == "usage"


def test_ctrl_c_is_130() -> None:
    assert invoke("peer", "list", node=FakeNode(error=KeyboardInterrupt())).exit_code == 130  # type: ignore[arg-type]


def test_invariant_8_an_unexpected_fault_is_one_line_without_the_text_of_the_exception(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("ENIGMA_FED_DEBUG", raising=False)
    fault = ZeroDivisionError("fed1:secret")
    shown = invoke("peer", "list", node=FakeNode(error=fault))
    assert shown.exit_code == 1
    assert len(shown.err.splitlines()) == 1
    assert "ZeroDivisionError" in shown.err
    assert "enigma-fed logs" in shown.err
    assert "fed1:" not in shown.err


def test_invariant_8_where_a_fault_happened_is_shown_on_request_without_its_secrets(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("ENIGMA_FED_DEBUG", "1")
    fault = ZeroDivisionError(f"{CODE} {'0f' * 16} \x1b[2J")
    shown = invoke("peer", "list", node=FakeNode(error=fault)).err
    assert "Traceback" in shown
    assert "ZeroDivisionError: fed1:[code] [hex] ?[2J" in shown


def test_a_reader_that_leaves_is_no_traceback() -> None:
    code = "from enigma_fed.cli.main import main; raise SystemExit(main(['completion', 'bash']))"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as started:
        assert started.stdout is not None
        assert started.stderr is not None
        started.stdout.close()
        assert started.stderr.read() == b""
