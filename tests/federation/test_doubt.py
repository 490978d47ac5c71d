"""Which failures count again once our own way out works."""

from __future__ import annotations

from enigma_fed.federation.doubt import Doubt


def test_failures_since_the_last_proof_are_given_back_as_they_were_before() -> None:
    doubt: Doubt[str] = Doubt()
    doubt.failed("dead before", 3)
    doubt.proven()
    for number in range(4):
        doubt.failed("a", number)
        doubt.failed("dead before", 4 + number)
    doubt.lose()
    doubt.failed("b", 1)
    assert doubt.lost
    assert doubt.settle() == {"a": 0, "dead before": 4, "b": 1}
    assert (doubt.settle(), doubt.lost) == ({}, False)


def test_who_answers_while_the_way_out_is_lost_proves_nothing_of_the_others() -> None:
    doubt: Doubt[str] = Doubt()
    doubt.failed("a", 0)
    doubt.failed("b", 0)
    doubt.lose()
    doubt.drop("a")
    doubt.proven()
    assert doubt.settle() == {"b": 0}
