"""Who has to go when a listener is full: never a member for a stranger, the fullest circuit first."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from enigma_fed.base import limits
from enigma_fed.rpc.places import Places

Make = Callable[..., Places[str]]


@pytest.fixture
def places(monkeypatch: pytest.MonkeyPatch) -> Make:
    """Places with small bounds; `busy` are not idle."""
    for name, bound in (
        ("CONNECTIONS_INBOUND", 4),
        ("CONNECTIONS_OF_MEMBERS", 3),
        ("CONNECTIONS_PER_KEY", 2),
        ("CONNECTIONS_PER_CIRCUIT", 3),
    ):
        monkeypatch.setattr(limits, name, bound)
    return lambda busy=(): Places(lambda connection: int(connection in busy))


def arrive(places: Places[str], *connections: tuple[str, int | None]) -> list[str | None]:
    """Each comes in turn; who has to go for it, does."""
    gone = []
    for connection, circuit in connections:
        gone.append(places.arrive(connection, circuit))
        if gone[-1] is not None:
            places.leave(gone[-1])
    return gone


def test_up_to_the_bound_nobody_goes_and_then_the_oldest(places: Make) -> None:
    made = places()
    assert arrive(made, *((name, None) for name in "abcdef")) == [None] * 4 + ["a", "b"]
    assert len(made) == made.strangers == 4


def test_an_idle_one_goes_before_an_older_one_that_is_served(places: Make) -> None:
    assert arrive(places(busy="ab"), *((name, None) for name in "abcdef"))[4:] == ["c", "d"]


def test_when_all_are_served_the_oldest_goes_and_the_new_one_never(places: Make) -> None:
    assert arrive(places(busy="abcd"), *((name, None) for name in "abcde"))[4:] == ["a"]


def test_invariant_7_a_member_that_proved_itself_stays_whoever_else_comes(places: Make) -> None:
    made = places()
    arrive(made, ("member", 1))
    assert made.prove("member", b"key") is None
    gone = arrive(made, *((str(number), number) for number in range(50)))
    assert "member" not in gone
    assert (made.members, made.strangers) == (1, 4)


def test_invariant_7_one_circuit_has_few_places(places: Make) -> None:
    made = places()
    assert arrive(made, *((name, 7) for name in "abcde")) == [None] * 3 + ["a", "b"]
    assert made.strangers == 3


def test_of_a_full_circuit_whose_connections_are_members_the_new_one_goes(places: Make) -> None:
    made = places()
    arrive(made, ("a", 7), ("b", 7), ("c", 7))
    for connection in "abc":
        made.prove(connection, connection.encode())
    assert arrive(made, ("d", 7)) == ["d"]
    made.leave("a")
    assert arrive(made, ("e", 7)) == [None]


def test_invariant_7_a_lone_caller_stays_while_another_circuit_holds_more(places: Make) -> None:
    made = places()
    arrive(made, ("lone", 1))
    gone = arrive(made, *((f"{circuit} {number}", circuit) for number in range(20) for circuit in (2, 3)))
    assert "lone" not in gone
    assert made.strangers == 4


def test_invariant_7_one_member_takes_no_other_members_places(places: Make) -> None:
    made = places()
    arrive(made, ("other", None))
    made.prove("other", b"other")
    gone = []
    for name in "abc":
        arrive(made, (name, None))
        gone.append(made.prove(name, b"greedy"))
        if gone[-1] is not None:
            made.leave(gone[-1])
    assert gone == [None, None, "a"]


def test_invariant_7_of_too_many_members_the_one_that_was_not_used_longest_goes(places: Make) -> None:
    made = places()
    for name in "abc":
        arrive(made, (name, None))
        assert made.prove(name, name.encode()) is None
    assert made.prove("a", b"a") is None, "used again"
    arrive(made, ("d", None))
    assert made.prove("d", b"d") == "b"


def test_what_left_already_proves_nothing(places: Make) -> None:
    made = places()
    assert made.prove("gone", b"key") is None
    made.leave("gone")
    assert len(made) == 0


@given(
    st.lists(st.tuples(st.integers(0, 12), st.sampled_from(["arrive", "prove", "leave"]), st.integers(0, 3)))
)
def test_nothing_is_left_of_those_who_left(events: list[tuple[int, str, int]]) -> None:
    made: Places[int] = Places(lambda connection: connection % 2)
    here: set[int] = set()
    for number, event, other in events:
        victim = None
        if event == "arrive" and number not in here:
            here.add(number)
            victim = made.arrive(number, other or None)
        elif event == "prove":
            victim = made.prove(number, bytes([other]))
        elif event == "leave":
            here.discard(number)
            made.leave(number)
        if victim is not None:
            here.discard(victim)
            made.leave(victim)
        assert len(made) == len(here)
    for number in here:
        made.leave(number)
    assert not made._on_circuit
    assert not made._of_key


def test_a_listener_can_have_a_bound_of_its_own_for_one_origin(places: Make) -> None:
    made: Places[str] = Places(lambda connection: 0, most=4, few=2)
    assert arrive(made, ("a", 1), ("b", 1), ("c", 1), ("d", 2), ("e", 2)) == [None, None, "a", None, None]
