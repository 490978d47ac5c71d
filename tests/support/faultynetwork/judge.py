"""What must hold of states on a bad network, judged from outside the program (the rules: secondopinion.py).

The judge sees three things: every message that a home's key signs, every answer that leaves a home, and
after each step everything that each home holds and shows of the others.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.support.faultynetwork import secondopinion as rule
from tests.support.faultynetwork.secondopinion import State

LABEL = b"enigma-fed/state/v1\n"


class Place(NamedTuple):
    """Which state of a publisher."""

    epoch: bytes
    seq: int


@dataclass(slots=True)
class Publisher:
    """What one home has said."""

    signed: set[bytes] = field(default_factory=set)
    epochs: list[bytes] = field(default_factory=list)
    """In the order of its starts."""
    states: dict[Place, State] = field(default_factory=dict)
    started: dict[bytes, int] = field(default_factory=dict)
    shapes: set[bytes] = field(default_factory=set)
    """Every canonical state that it signed, as far as the judge saw its content."""


class Judge:
    """Raises AssertionError when a rule is broken; `counts` is what was looked at."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()
        self.publishers: dict[bytes, Publisher] = {}
        self._shown: dict[tuple[int, bytes], tuple[Place, bytes]] = {}

    def publisher(self, public_key: bytes) -> Publisher:
        """Everything known of this key."""
        return self.publishers.setdefault(public_key, Publisher())

    def begins(self, public_key: bytes, epoch: bytes) -> None:
        """A home starts."""
        epochs = self.publisher(public_key).epochs
        if epoch not in epochs:
            epochs.append(epoch)

    def signs(self, public_key: bytes, message: bytes) -> None:
        """A key signed this."""
        if message.startswith(LABEL):
            self.publisher(public_key).signed.add(message)

    def answer(
        self, public_key: bytes, have: Place | None, result: dict[str, Any], newest: Place | None
    ) -> Place:
        """An honest home's answer to `have`, as it leaves: by the rule, and about its newest state.

        The state that its receiver has then. `newest` is None where that cannot be told.
        """
        if "unchanged" in result:
            self.counts["unchanged"] += 1
            assert result == {"unchanged": True}
            assert have == newest, "unchanged, though the caller has another state"
            assert have is not None
            return have
        publisher = self.publisher(public_key)
        if "delta" in result:
            assert have is not None, "a delta for nothing"
            place, started, ts, state = self._delta(publisher, have, result)
        else:
            self.counts["full"] += 1
            place = Place(result["epoch"], result["seq"])
            started, ts, state = result["started"], result["ts"], rule.from_object(result["state"])
        assert newest is None or place == newest, f"not the newest: {place} where {newest} is"
        message = rule.message(public_key, place.epoch, started, place.seq, ts, state)
        assert message in publisher.signed, "an answer with a state that was not signed"
        assert rule.holds(public_key, message, result["sig"]), "an answer whose signature does not hold"
        before = publisher.states.setdefault(place, state)
        assert before == state, "two states with one number"
        publisher.started[place.epoch] = started
        publisher.shapes.add(rule.written(state))
        return place

    def _delta(
        self, publisher: Publisher, have: Place, result: dict[str, Any]
    ) -> tuple[Place, int, int, State]:
        self.counts["delta"] += 1
        assert set(result) == {"delta", "sig"}
        delta = rule.read(result["delta"])
        assert set(delta) == {0, 1, 2, 3}
        assert delta[0] == have.seq < delta[1], "not from what the caller has to something newer"
        base = publisher.states[have]
        assert not rule.idle_keys(base, delta[3]), "a patch that says what is already so"
        place = Place(have.epoch, delta[1])
        return place, publisher.started[have.epoch], delta[2], rule.patched(base, delta[3])

    def holds(self, life: int, public_key: bytes, full: dict[str, Any], *, liar: bool) -> None:
        """What an observer (in one life of it) holds of a publisher, as a full answer would say it."""
        self.counts["held"] += 1
        publisher = self.publisher(public_key)
        place, state = Place(full["epoch"], full["seq"]), rule.from_object(full["state"])
        message = rule.message(public_key, place.epoch, full["started"], place.seq, full["ts"], state)
        assert message in publisher.signed, "a state that its publisher never signed"
        assert rule.holds(public_key, message, full["sig"]), "a state whose signature does not hold"
        publisher.shapes.add(rule.written(state))
        before, content = self._shown.get((life, public_key), (None, b""))
        self._shown[life, public_key] = place, message
        if before is None:
            return
        if liar and len(publisher.epochs) > 1:
            return  # it can name any epoch that it ever had, and that is then a new one
        if before.epoch == place.epoch:
            assert before.seq <= place.seq, f"{before.seq} went back to {place.seq}"
            assert before.seq < place.seq or content == message, "another state with the same number"
        else:
            known = publisher.epochs
            assert known.index(before.epoch) <= known.index(place.epoch), "an epoch that was over came back"

    def shows(self, public_key: bytes, members: dict[str, Any]) -> None:
        """What an owner is shown of a publisher."""
        self.counts["shown"] += 1
        shape = rule.written(rule.from_object(members))
        assert shape in self.publisher(public_key).shapes, "shown, and never signed"

    def forgets(self, life: int) -> None:
        """That life of an observer is over."""
        for key in [key for key in self._shown if key[0] == life]:
            del self._shown[key]
