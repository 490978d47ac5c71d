"""What a home may answer that lies: each answer's RPC signature holds, and something inside does not.

A lie gets what its home has published so far, what the caller has, and dice; it gives the bytes of a result.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from enigma_fed.rpc.methods import EncodedResult
from tests.support.faultynetwork import secondopinion as rule
from tests.support.faultynetwork.judge import Place

Object: TypeAlias = dict[str, Any]


class Said(EncodedResult):
    """A result of these bytes; in CBOR only."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def encoded(self, *, binary: bool) -> bytes:
        assert binary
        return self._data


@dataclass(slots=True)
class Liar:
    """What a lie is made from."""

    sign: Callable[[bytes], bytes]
    public_key: bytes
    chance: random.Random
    current: Object = field(default_factory=dict)
    """The newest state in full, as an honest answer says it."""
    past: list[Object] = field(default_factory=list)
    """Full states of before, earlier epochs' too."""
    others: list[Object] = field(default_factory=list)
    """Full states of other homes."""
    have: Place | None = None
    """What the caller has."""


def wrong_signature(liar: Liar) -> bytes:
    return rule.written({**liar.current, "sig": liar.chance.randbytes(64)})


def altered(liar: Liar) -> bytes:
    """Another state under the signature of the true one."""
    state = liar.current["state"]
    return rule.written({**liar.current, "state": {**state, "uptime_secs": 7_777_777}})


def later_start(liar: Liar) -> bytes:
    return rule.written({**liar.current, "started": liar.current["started"] + 1})


def another_number(liar: Liar) -> bytes:
    """The true state under a number that it was not signed for."""
    return rule.written({**liar.current, "seq": liar.current["seq"] + liar.chance.choice((1, 2**40))})


def earlier_state(liar: Liar) -> bytes:
    """A true one that is long over, of this epoch or of an earlier one."""
    return rule.written(liar.chance.choice(liar.past[:-1] or [liar.current]))


def somebody_elses(liar: Liar) -> bytes:
    return rule.written(liar.chance.choice(liar.others or [liar.current]))


def unchanged(liar: Liar) -> bytes:
    return rule.written({"unchanged": True})


def unchanged_and_more(liar: Liar) -> bytes:
    return rule.written({**liar.current, "unchanged": True})


def wrong_patch(liar: Liar) -> bytes:
    """The right numbers and the right signature, and a patch that leads elsewhere."""
    patch = liar.chance.choice(
        ({7: 7_777_777}, {2: 999, 8: None}, {0: "Somebody else"}, {9: [["x", "y", None]]})
    )
    return _delta(liar, {3: patch})


def wrong_base(liar: Liar) -> bytes:
    base = 0 if liar.have is None else liar.have.seq
    return _delta(liar, {0: max(0, base + liar.chance.choice((-1, 1, 2**50)))})


def number_that_does_not_rise(liar: Liar) -> bytes:
    base = 0 if liar.have is None else liar.have.seq
    return _delta(liar, {0: base, 1: max(0, base - liar.chance.randrange(2))})


def patch_of_nonsense(liar: Liar) -> bytes:
    """Apps that there are not, fields that there are not, ids twice, values of the wrong kind."""
    many: list[Any] = [[f"app {n:03}", "running", None] for n in range(600)]
    patches: tuple[Any, ...] = (
        {1: {9999: ["running", None]}},
        {1: {0: None, 1: None, 2: None, 3: None, 4: None, 5: None, 6: None}},
        {9: [["same", "running", None], ["same", "running", None]]},
        {9: many},
        {10: 1},
        {0: "con\x00trol"},
        {0: "did:key:z6MkeXATEjyXENzBXBxgC5EHk2JE5aqd7qMGGtDpLUH1e2Sj"},
        {2: "much"},
        {3: -1},
        {8: 1},
        {7: 2**60},
        {1: [["bitcoin", "running", None]]},
        {9: {"bitcoin": "running"}},
        [],
        None,
    )
    return _delta(liar, {3: liar.chance.choice(patches)})


def delta_that_is_none(liar: Liar) -> bytes:
    """Bytes that are no delta."""
    good = rule.written({0: 1, 1: 2, 2: 3, 3: {7: 1}})
    broken = (b"", good[:-1], good + b"\x00", b"\xbf\xff", b"\x81" * 40 + b"\x00", liar.chance.randbytes(50))
    return rule.written({"delta": liar.chance.choice(broken), "sig": liar.current["sig"]})


def result_of_nonsense(liar: Liar) -> bytes:
    """Members missing, of the wrong kind, too many; a name of somebody else's making."""
    state = liar.current["state"]
    app: Object = {"id": "x", "status": "running", "version": None}
    results: tuple[Any, ...] = (
        {},
        [],
        7,
        {"delta": b"", "sig": b""},
        {**liar.current, "epoch": b"short"},
        {**liar.current, "seq": -1},
        {**liar.current, "seq": 2**53},
        {**liar.current, "ts": 2**32},
        {**liar.current, "state": {**state, "apps": [{**app, "id": f"app {n:03}"} for n in range(600)]}},
        {**liar.current, "state": {**state, "apps": [app, app]}},
        {**liar.current, "state": {**state, "node_name": "home \u202e1"}},
        {**liar.current, "state": {**state, "mem_used_bytes": 1}},
        {**liar.current, "state": {**state, "more": 1}},
        {**liar.current, "state": {"apps": []}},
    )
    return rule.written(liar.chance.choice(results))


def two_of_one_number(liar: Liar) -> bytes:
    """A state that is signed for a number that another one has already."""
    now = liar.current
    state = {**now["state"], "uptime_secs": liar.chance.randrange(10**6)}
    body = rule.from_object(state)
    message = rule.message(liar.public_key, now["epoch"], now["started"], now["seq"], now["ts"], body)
    return rule.written({**now, "state": state, "sig": liar.sign(message)})


def _delta(liar: Liar, changes: Object) -> bytes:
    base = 0 if liar.have is None else liar.have.seq
    honest: Object = {0: base, 1: max(base + 1, liar.current["seq"]), 2: liar.current["ts"], 3: {7: 1}}
    return rule.written({"delta": rule.written({**honest, **changes}), "sig": liar.current["sig"]})


Lie: TypeAlias = Callable[[Liar], bytes]

LIES: Final = MappingProxyType(
    {
        lie.__name__: lie
        for lie in (
            wrong_signature,
            altered,
            later_start,
            another_number,
            earlier_state,
            somebody_elses,
            unchanged,
            unchanged_and_more,
            wrong_patch,
            wrong_base,
            number_that_does_not_rise,
            patch_of_nonsense,
            delta_that_is_none,
            result_of_nonsense,
            two_of_one_number,
        )
    }
)
"""Every lie, by name."""
