"""What one circuit may ask for, by a clock turned by hand."""

from __future__ import annotations

from enigma_fed.base import limits
from enigma_fed.rpc.circuits import Circuit, Circuits


def test_invariant_7_a_circuit_has_a_rate() -> None:
    """limits.REQUESTS_PER_CIRCUIT, limits.REQUESTS_PER_CIRCUIT_BURST."""
    circuit = Circuit()
    assert all(circuit.may_ask(0.0) for _ in range(limits.REQUESTS_PER_CIRCUIT_BURST))
    assert not circuit.may_ask(0.0)
    assert [circuit.may_ask(1.0) for _ in range(limits.REQUESTS_PER_CIRCUIT + 1)].count(True) == (
        limits.REQUESTS_PER_CIRCUIT
    )


def test_invariant_7_a_circuit_has_few_failed_tries() -> None:
    """limits.FAILED_TRIES_PER_CIRCUIT: then one try each three seconds is read."""
    circuit = Circuit()
    for _ in range(limits.FAILED_TRIES_PER_CIRCUIT):
        assert circuit.may_ask(0.0)
        circuit.failed(0.0)
    assert circuit.may_ask(0.0)
    circuit.failed(0.0)
    assert not circuit.may_ask(0.0)
    pause = 60 / limits.FAILED_TRIES_PER_CIRCUIT
    assert not circuit.may_ask(pause - 0.1)
    assert circuit.may_ask(pause + 0.1)
    circuit.failed(pause + 0.1)
    assert not circuit.may_ask(pause + 0.1)


def test_requests_that_hold_cost_no_tries() -> None:
    circuit = Circuit()
    for second in range(10 * limits.FAILED_TRIES_PER_CIRCUIT):
        assert circuit.may_ask(second)


def test_another_circuit_is_another_account() -> None:
    circuits = Circuits()
    while circuits.find(1).may_ask(0.0):
        pass
    assert circuits.find(2).may_ask(0.0)
    assert not circuits.find(1).may_ask(0.0)


def test_invariant_7_the_accounts_are_bounded_and_the_longest_unused_goes() -> None:
    """limits.CIRCUITS."""
    circuits = Circuits()
    first, second = circuits.find(0), circuits.find(1)
    for number in range(2, limits.CIRCUITS):
        circuits.find(number)
    assert len(circuits) == limits.CIRCUITS
    assert circuits.find(0) is first
    circuits.find(limits.CIRCUITS)
    assert len(circuits) == limits.CIRCUITS
    assert circuits.find(0) is first
    assert circuits.find(1) is not second
