"""docs/PROTOCOL.md says what the code does, where a machine can compare."""

from __future__ import annotations

import re
from pathlib import Path

from enigma_fed.base import limits, rpc_errors
from enigma_fed.state.receiving import Reason
from enigma_fed.wire import httpsig, streamsig

TEXT = (Path(__file__).parents[2] / "docs" / "PROTOCOL.md").read_text(encoding="utf-8")


def error_rows() -> list[str]:
    found = [c for c in vars(rpc_errors).values() if isinstance(c, type) and c is not rpc_errors.RpcError]
    classes = [c for c in found if issubclass(c, rpc_errors.RpcError)]
    return [
        f"| `{c.code}` | {c.rpc_code} | {c.http_status} | {(c.__doc__ or '').strip().splitlines()[0]} |"
        for c in classes
    ]


def test_section_9_lists_every_error_and_no_other() -> None:
    section = TEXT.partition("## 9.")[2].partition("\n## ")[0]
    listed = [line for line in section.splitlines() if line.startswith("| `")]
    assert listed == error_rows(), "the table of section 9 should read:\n" + "\n".join(error_rows())


def test_the_numbers_of_the_text_are_those_of_the_code() -> None:
    for sentence in (
        f"at most {limits.REQUEST_BYTES:,} bytes".replace(",", " "),
        f"per key ({limits.NONCES_PER_KEY}) and in all ({limits.NONCES_IN_ALL:,})".replace(",", " "),
        f"+ {limits.NONCE_MEMORY} s`",
        f" created ≤ {limits.SIGNATURE_LIFETIME}`",
        f"in the first {limits.CHALLENGE_AFTER_START} s after its start",
        f"valid for {limits.CHALLENGE_LIFETIME} s",
        f"more than {limits.JSON_DEPTH} levels",
        f"at most {limits.CBOR_DEPTH} levels deep",
        f"(at most {limits.TOMBSTONES:,})".replace(",", " "),
        f"the raw target `{httpsig.PATH}`",
        f"the raw target `{streamsig.PATH}`",
        f"it remembers its last {limits.STATES_REMEMBERED},",
        f"Gauges are read every {limits.STATE_SAMPLE_INTERVAL} s",
        f"in one masked frame with at most {limits.STREAM_MESSAGE_BYTES} bytes",
        f"At most {limits.STREAMS_INBOUND} streams are open",
        f"At most {limits.STREAM_WINDOW} frames are not acknowledged",
        f"a frame was not acknowledged for {limits.STREAM_SLOW} s",
        f"the subscriber sent nothing for {limits.STREAM_SILENCE} s",
        f"at most {limits.STREAM_MESSAGES} in a second after the",
    ):
        assert sentence in TEXT, sentence


def test_section_2_lists_every_reason_to_refuse_a_state() -> None:
    section = TEXT.partition("### 2.3")[2].partition("\n## ")[0]
    assert re.findall(r"^\| `([a-z-]+)` \|", section, re.MULTILINE) == [reason.value for reason in Reason]


def test_no_two_sections_have_one_number() -> None:
    numbers = re.findall(r"^#+ (\d+(?:\.\d+)?)", TEXT, re.MULTILINE)
    assert len(numbers) == len(set(numbers))


def test_every_section_that_code_cites_exists() -> None:
    sections = set(re.findall(r"^#+ (\d+(?:\.\d+)?)", TEXT, re.MULTILINE))
    planned = {"6", "7"}
    for path in (Path(__file__).parents[2] / "enigma_fed").rglob("*.py"):
        for number in re.findall(
            r"PROTOCOL(?:\.md)? section (\d+(?:\.\d+)?)", path.read_text(encoding="utf-8")
        ):
            assert number in sections | planned, f"{path.name} cites section {number}"
