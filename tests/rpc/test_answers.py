"""Answers to requests of ours: whose they are, how much of them is read, what they mean."""

from __future__ import annotations

import aiohttp
import pytest
from multidict import CIMultiDict, CIMultiDictProxy

from enigma_fed.base.errors import PeerUnreachable, RefusedByPeer
from enigma_fed.rpc import answers
from enigma_fed.wire.jsonrpc import Outcome
from tests.support.signedcalls import key, signed_reply

OURS = f"fed=:{'B' * 86}==:"
BODY = b'{"jsonrpc":"2.0","id":1,"result":{}}'


def fields(signer: int = 2, request_signature: str = OURS) -> CIMultiDictProxy[str]:
    return CIMultiDictProxy(CIMultiDict(signed_reply(key(signer), BODY, request_signature)))


def test_invariant_11_a_signature_counts_if_it_is_the_peers_over_this_answer_to_our_request() -> None:
    peer, form = key(2).did, "application/json"
    signed = answers.check_reply(peer, 200, fields(), form, OURS)
    assert signed is not None
    assert answers.check_reply(peer, 200, fields(signer=3), form, OURS) is None
    assert answers.check_reply(peer, 200, fields(request_signature=OURS.lower()), form, OURS) is None
    assert answers.check_reply(peer, 401, fields(), form, OURS) is None
    assert answers.check_reply(peer, 200, fields(), "application/cbor", OURS) is None
    assert answers.check_reply(peer, 200, CIMultiDictProxy(CIMultiDict()), form, OURS) is None
    assert answers.bound_to(BODY, signed) is signed
    assert answers.bound_to(BODY + b" ", signed) is None
    assert answers.bound_to(None, signed) is None
    assert answers.bound_to(BODY, None) is None


def test_a_word_that_is_not_of_the_protocol_passes_for_none_of_ours() -> None:
    error = answers.refusal(Outcome(error="store-damaged", message="\x1bno"), 0, sent_again=False)
    assert isinstance(error, RefusedByPeer)
    assert (error.code, error.detail) == ("refused", "no")


def test_a_nonce_that_went_out_twice_and_is_called_replayed_was_taken_the_first_time() -> None:
    outcome = Outcome(error="replayed", message="Replayed")
    assert isinstance(answers.refusal(outcome, 0, sent_again=True), PeerUnreachable)
    assert isinstance(answers.refusal(outcome, 0, sent_again=False), RefusedByPeer)


def test_a_stale_answer_names_the_difference_of_the_clocks() -> None:
    outcome = Outcome(error="stale", message="Stale")
    assert "its clock is +90 s from ours" in answers.refusal(outcome, 90, sent_again=False).detail
    assert "clock" not in answers.refusal(outcome, 30, sent_again=False).detail


def test_an_unsigned_answer_tells_what_it_claims_for_the_owner_to_read() -> None:
    error = answers.unsigned(200, Outcome(error="removed", message="Removed"))
    assert (error.claimed_code, "it says removed" in error.detail) == ("removed", True)
    assert answers.unsigned(502, None).claimed_code == ""
    assert "HTTP status 502" in answers.unsigned(502, Outcome(result={})).detail


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (TimeoutError(), "it did not answer in time"),
        (aiohttp.ServerDisconnectedError(), "the connection was closed before an answer came"),
        (aiohttp.ClientPayloadError(), "its answer could not be read"),
    ],
)
def test_why_a_connection_failed_is_told_in_plain_words(error: Exception, words: str) -> None:
    assert answers.explain(error) == words
