"""Log lines: one per event, without secrets (invariant 8)."""

from __future__ import annotations

import base64
import io
import json
import logging
import stat
from pathlib import Path

import pytest

from enigma_fed.base import limits, log

ONION = "a" * 6 + "b" * 50
SEED_64 = base64.b64encode(bytes(range(100, 132))).decode()
CODE = "fed1:eyJkaWQiOiJkaWQ6a2V5Onox_-09"


def lines_of(form: str, *messages: str, level: str = "info") -> list[str]:
    stream = io.StringIO()
    output = log.start(level, form, None, stream)
    for message in messages:
        logging.getLogger("enigma_fed.test").info("%s", message)
    output.close()
    return stream.getvalue().splitlines()


@pytest.mark.parametrize("form", ["text", "json"])
@pytest.mark.parametrize(
    ("message", "secret", "left"),
    [
        (f"code {CODE} bad", CODE[5:], "code fed1:[code] bad"),
        (f"dial {ONION}.onion now", ONION[6:], "dial aaaaaa….onion now"),
        (f"dial {ONION.upper()} now", ONION[6:].upper(), "dial AAAAAA… now"),
        ("token " + "0f" * 16, "0f" * 16, "token [hex]"),
        ("seed " + "0F" * 32, "0F" * 32, "seed [hex]"),
        ("-----BEGIN PRIVATE KEY-----\nMC4C\n-----END PRIVATE KEY-----\n.", "MC4C", "[key] | ."),
        ("-----BEGIN PRIVATE KEY-----\nMC4C", "MC4C", "[key]"),
        (f"seed {SEED_64}.", SEED_64, "seed [base64]."),
        (f"seed {SEED_64[:-1]} x", SEED_64[:-1], "seed [base64] x"),
        ("token AAECAwQFBgcICQoLDA0ODw==", "AAECAwQFBgc", "token [base64]"),
    ],
)
def test_invariant_8_secrets_never_reach_a_log_line(form: str, message: str, secret: str, left: str) -> None:
    [line] = lines_of(form, message)
    assert secret not in line
    assert left in line


def test_invariant_8_an_exception_is_redacted_too() -> None:
    stream = io.StringIO()
    output = log.start("info", "text", None, stream)
    try:
        raise ValueError(CODE)
    except ValueError:
        logging.getLogger("enigma_fed.test").exception("it failed")
    output.close()
    assert CODE[5:] not in stream.getvalue()
    assert "ValueError" in stream.getvalue()
    assert len(stream.getvalue().splitlines()) == 1


def test_a_did_and_short_words_stay_readable() -> None:
    did = "did:key:z6MkpTHR8VNsBxYAAWHut2Geadd9jSwuBV8xRoAnwWsdvktH"
    for text in (
        f"{did} seq 1234 epoch 00112233445566aa",
        did.removeprefix("did:key:"),
        "/home/Anna/a-folder-with-a-long-name-2026/another_one_with_a_Long_name/federation/nodes.json: gone",
        "enigma_fed.transports.tor.service: ENIGMA_FED_TOR__MODE=off",
    ):
        assert log.redact(text) == text


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_a_peer_is_called_makes_no_second_line_and_steers_no_terminal(form: str) -> None:
    [line] = lines_of(form, "name \x1b[2J\r\nnext\x9b\u202e\u2028\U000e0041 Größe 家")
    assert line.isprintable()
    message = json.loads(line)["message"] if form == "json" else line
    assert message.endswith(r"name \x1b[2J\x0d | next\x9b\u202e\u2028\U000e0041 Größe 家")


def test_json_lines_are_objects() -> None:
    [line] = lines_of("json", 'say "hello"')
    found = json.loads(line)
    assert (found["level"], found["logger"], found["message"]) == (
        "info", "enigma_fed.test", 'say "hello"',
    )  # fmt: skip
    assert found["time"].endswith("Z")


def test_less_important_lines_are_left_out() -> None:
    assert lines_of("text", "detail", level="warning") == []


def test_invariant_8_warnings_of_libraries_are_redacted_and_the_rest_of_theirs_left_out() -> None:
    stream = io.StringIO()
    output = log.start("debug", "text", None, stream)
    library = logging.getLogger("a_library")
    library.setLevel("DEBUG")
    library.info("chatter")
    library.warning("code %s", CODE)
    output.close()
    [line] = stream.getvalue().splitlines()
    assert line.endswith("warning a_library: code fed1:[code]")


def test_the_file_is_its_owners_alone_and_rotates(tmp_path: Path) -> None:
    path = tmp_path / "agent.log"
    output = log.start("info", "text", path, io.StringIO())
    logger = logging.getLogger("enigma_fed.test")
    for _ in range(500):
        logger.info("x" * 7000)
    output.close()
    files = sorted(tmp_path.iterdir())
    assert [file.name for file in files] == ["agent.log", "agent.log.1", "agent.log.2"]
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files)
    assert all(file.stat().st_size <= limits.LOG_FILE_BYTES for file in files)


def test_invariant_8_a_text_too_long_to_wait_is_cut_between_words() -> None:
    """Half a token would not be known as one, and what is left out before it brings it into the line."""
    tokens = ("0f" * 32 + " ") * 400
    for shift in range(0, 65, 5):
        [line] = lines_of("text", "x" * shift + " " + tokens)
        assert line.endswith("[hex]")
        assert "0f" not in line
    assert lines_of("text", "0f" * 2 * limits.LOG_LINE_CHARACTERS)[0].endswith("enigma_fed.test: ")


def test_lines_wait_for_no_slow_reader() -> None:
    class Stuck(io.StringIO):
        def write(self, text: str) -> int:
            raise BlockingIOError

    output = log.start("info", "text", None, Stuck())
    logging.raiseExceptions = False
    try:
        logging.getLogger("enigma_fed.test").info("lost")
    finally:
        output.close()
        logging.raiseExceptions = True


def test_a_closed_file_stays_closed_whatever_a_late_writer_brings(tmp_path: Path) -> None:
    handler = log.PrivateRotatingFile(tmp_path / "agent.log")
    record = logging.LogRecord("enigma_fed", logging.INFO, "", 0, "a line", None, None)
    handler.handle(record)
    handler.close()
    handler.handle(record)
    assert handler.stream is None
    assert (tmp_path / "agent.log").read_text() == "a line\n"
