"""The judge of tests/support/faultynetwork/ knows PROTOCOL section 2, and sees what is wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import nacl.signing
import pytest

from tests.support.faultynetwork import secondopinion as rule
from tests.support.faultynetwork.judge import Judge, Place
from tests.support.faultynetwork.secondopinion import NotByTheRule

VECTORS = json.loads((Path(__file__).parents[1] / "vectors" / "state.json").read_text(encoding="utf-8"))
KEY = nacl.signing.SigningKey(bytes(range(32)))
PUBLIC_KEY = bytes(KEY.verify_key)
EPOCH = b"\x07" * 8


def full(seq: int, epoch: bytes = EPOCH, **state: Any) -> dict[str, Any]:
    """A full answer that is by the rule."""
    members = {"apps": [], **state}
    message = rule.message(PUBLIC_KEY, epoch, 1000, seq, 5, rule.from_object(members))
    signature = KEY.sign(message).signature
    return {"epoch": epoch, "seq": seq, "ts": 5, "started": 1000, "state": members, "sig": signature}


def judge_of(*answers: dict[str, Any]) -> Judge:
    """A judge who saw these signed, in epochs of this order."""
    judge = Judge()
    for each in answers:
        judge.begins(PUBLIC_KEY, each["epoch"])
        state = rule.from_object(each["state"])
        judge.signs(PUBLIC_KEY, rule.message(PUBLIC_KEY, each["epoch"], 1000, each["seq"], 5, state))
    return judge


@pytest.mark.parametrize(
    "vector", [v for v in VECTORS if v["expect"] == "ok"], ids=lambda vector: vector["name"]
)
def test_states_of_the_vectors_are_canonical_and_signed_as_they_say(vector: dict[str, Any]) -> None:
    given = vector["input"]
    state, public_key = rule.from_object(given["state"]), bytes.fromhex(vector["public_key"])
    assert rule.written(state).hex() == vector["canonical"]
    place = given["started"], given["seq"], given["ts"]
    message = rule.message(public_key, bytes.fromhex(given["epoch"]), *place, state)
    assert message.hex() == vector["signed"]


def test_a_patch_changes_removes_and_adds() -> None:
    base = {0: "attic", 1: [["a", "up", None], ["b", "up", "1"], ["d", "up", None]], 2: 5, 8: True}
    patch = {2: None, 7: 9, 1: {0: None, 1: ["down", "1"]}, 9: [["c", "up", None]]}
    assert rule.patched(base, patch) == {
        0: "attic",
        7: 9,
        8: True,
        1: [["b", "down", "1"], ["c", "up", None], ["d", "up", None]],
    }


@pytest.mark.parametrize("patch", [{1: {3: None}}, {1: {-1: None}}, {10: 1}, {9: [["a", "up", None]]}])
def test_a_patch_of_what_there_is_not_is_refused(patch: dict[Any, Any]) -> None:
    with pytest.raises(NotByTheRule):
        rule.patched({1: [["a", "up", None]]}, patch)


def test_what_a_patch_says_in_vain_is_found() -> None:
    base = {1: [["a", "up", None]], 2: 5}
    assert rule.idle_keys(base, {2: 5, 7: 1, 1: {0: ["up", None]}, 9: []}) == [2, 9, (1, 0)]
    assert rule.idle_keys(base, {2: 6, 1: {0: ["up", "2"]}}) == []


@pytest.mark.parametrize(
    "data",
    ["", "1801", "a100", "a2020202", "bfff", "c000", "9f00ff", "62ff", "a2010102010102", "81" * 9 + "00"],
)
def test_cbor_that_is_not_in_its_one_form_is_refused(data: str) -> None:
    with pytest.raises(NotByTheRule):
        rule.read(bytes.fromhex(data))


def test_a_state_that_was_not_signed_is_seen() -> None:
    judge = judge_of(full(1))
    judge.holds(1, PUBLIC_KEY, full(1), liar=False)
    with pytest.raises(AssertionError, match="never signed"):
        judge.holds(1, PUBLIC_KEY, full(2), liar=False)
    with pytest.raises(AssertionError, match="does not hold"):
        judge.holds(1, PUBLIC_KEY, {**full(1), "sig": bytes(64)}, liar=False)
    with pytest.raises(AssertionError, match="never signed"):
        judge.shows(PUBLIC_KEY, {"apps": [], "tor_active": True})


def test_a_number_that_goes_back_is_seen() -> None:
    judge = judge_of(full(1), full(2), full(2, tor_active=True))
    judge.holds(1, PUBLIC_KEY, full(2), liar=False)
    judge.holds(2, PUBLIC_KEY, full(1), liar=False)  # somebody else, who is behind
    with pytest.raises(AssertionError, match="went back"):
        judge.holds(1, PUBLIC_KEY, full(1), liar=True)
    judge.holds(2, PUBLIC_KEY, full(2), liar=False)
    with pytest.raises(AssertionError, match="same number"):
        judge.holds(2, PUBLIC_KEY, full(2, tor_active=True), liar=False)


def test_an_epoch_that_comes_back_is_seen() -> None:
    judge = judge_of(full(1), full(1, b"\x08" * 8))
    for each in (full(1), full(1, b"\x08" * 8)):
        judge.holds(1, PUBLIC_KEY, each, liar=False)
    with pytest.raises(AssertionError, match="came back"):
        judge.holds(1, PUBLIC_KEY, full(1), liar=False)


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({0: 2}, "not from what"),
        ({1: 1}, "not from what"),
        ({2: 6}, "was not signed"),
        ({3: {7: 2}}, "was not signed"),
        ({3: {7: 1, 2: 5}}, "already so"),
        ({1: 3}, "not the newest"),
    ],
)
def test_a_wrong_delta_is_seen(changes: dict[int, Any], why: str) -> None:
    base, newer = full(1, cpu_usage_percent=0.5), full(2, cpu_usage_percent=0.5, uptime_secs=1)
    judge, have = judge_of(base, newer), Place(EPOCH, 1)
    judge.answer(PUBLIC_KEY, None, base, have)
    good = {0: 1, 1: 2, 2: 5, 3: {7: 1}}
    result = {"delta": rule.written(good), "sig": newer["sig"]}
    with pytest.raises(AssertionError, match=why):
        judge.answer(
            PUBLIC_KEY, have, {**result, "delta": rule.written({**good, **changes})}, Place(EPOCH, 2)
        )
    judge.answer(PUBLIC_KEY, have, result, Place(EPOCH, 2))
    assert judge.counts["delta"] == 2


def test_unchanged_is_said_only_to_whom_it_is_true() -> None:
    judge = judge_of(full(1))
    judge.answer(PUBLIC_KEY, Place(EPOCH, 1), {"unchanged": True}, Place(EPOCH, 1))
    with pytest.raises(AssertionError, match="another state"):
        judge.answer(PUBLIC_KEY, None, {"unchanged": True}, Place(EPOCH, 1))
