"""What of a peer's answers is believed, and when its deltas no longer are (PROTOCOL section 2). Pure.

A state is taken only whole: applied, its hash computed anew, its signature checked. Whatever breaks a rule
raises StateRefused with its reason and changes nothing.
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import Final, TypeAlias

import msgspec

from enigma_fed.base.errors import StateRefused, WireError
from enigma_fed.base.ids import Did
from enigma_fed.wire import statedelta
from enigma_fed.wire.state import DeltaAnswer, FullState, Have, StateAnswer, Unchanged, state_signing_input

Verify: TypeAlias = Callable[[bytes, bytes, bytes], bool]
"""Whether a signature holds: public key (32 bytes), message, signature (64)."""

_DISBELIEVED: Final = 2
"""At so many mismatches within an epoch no deltas are taken any more."""


class Reason(enum.StrEnum):
    """Why a state was refused; the words are those of the statistics."""

    MALFORMED = "malformed"
    """The answer breaks the format: its size, its depth, a value that is out of range."""
    UNSIGNED = "unsigned"
    """No signature bound to the question holds for the answer, or it is too large: it proves nothing."""
    BAD_AWAY = "bad-away"
    """The windows that it announces to be off in (`away`) break their rules."""
    NOT_ASKED = "not-asked"
    """A delta, or `unchanged`, where no state was named that it could be about."""
    WRONG_BASE = "wrong-base"
    """A delta for another state than the one that was named."""
    BAD_PATCH = "bad-patch"
    """A patch that does not fit the state that was named."""
    LOWER_SEQ = "lower-seq"
    """An older state of the same epoch."""
    TWO_STATES = "two-states"
    """Another state under the same number, or another start of the same epoch."""
    OLD_EPOCH = "old-epoch"
    """A state of another epoch than the one that the answer is bound to."""
    BAD_SIGNATURE = "bad-signature"
    """The hash of what came, or of what a delta makes, is not what was signed."""


def receive(
    held: FullState | None,
    answer: StateAnswer,
    did: Did,
    verify: Verify,
    *,
    named: bool = True,
    epoch: bytes | None = None,
) -> FullState:
    """The peer's state after an answer that is bound to our own request; raises StateRefused.

    `held` is the state that we had of the peer when we asked (or the frame before), `named` whether the
    question said so (`have`); without that no delta and no `unchanged` is taken. `epoch`, 8 bytes, is the
    only one that the answer may be of, where the request was bound to one (the stream's). A
    new epoch is accepted otherwise; within an epoch `seq` only rises and nothing about a `seq` changes.
    """
    base = held if named else None
    if isinstance(answer, Unchanged):
        if base is None:
            raise StateRefused(Reason.NOT_ASKED, "it calls a state unchanged that we do not have")
        state = base
    else:
        state = _applied(base, answer) if isinstance(answer, DeltaAnswer) else answer
    if epoch is not None and state.epoch != epoch:
        raise StateRefused(Reason.OLD_EPOCH, "its state is of another epoch")
    if state is held:
        return held
    if held is not None and held.epoch == state.epoch:
        _check_order(held, state)
        if state.seq == held.seq:
            return held
    if not verify(did.public_key, state_signing_input(did.public_key, state), state.signature):
        raise StateRefused(Reason.BAD_SIGNATURE, "the signature of its state does not hold")
    return state


def newest(stored: FullState | None, held: FullState | None, received: FullState) -> FullState:
    """Which state to keep when `stored` took the place of `held` while the answer was on its way.

    Two requests can be under way to one peer, a poll and a stream: what came late takes nothing back.
    """
    if stored is None or stored is held:
        return received
    if stored.epoch == received.epoch:
        return received if received.seq > stored.seq else stored
    return received if held is not None and held.epoch == stored.epoch else stored


class Distrust(msgspec.Struct, frozen=True):
    """Answers of one epoch of a peer that did not hold; kept until its next epoch."""

    epoch: bytes | None
    """Of the last good state; None without one."""
    mismatches: int = 1
    forgotten: bool = True
    """Whether a whole state must come before a base is named again."""

    @property
    def takes_deltas(self) -> bool:
        """Whether the peer may still send deltas and a stream in this epoch."""
        return self.mismatches < _DISBELIEVED


def mistrust(before: Distrust | None, held: FullState | None) -> Distrust:
    """One mismatch more; `held` is the last good state."""
    epoch = None if held is None else held.epoch
    if before is None or before.epoch != epoch:
        return Distrust(epoch)
    return Distrust(epoch, before.mismatches + 1)


def believe(before: Distrust | None, state: FullState) -> Distrust | None:
    """What is left of a distrust after a good state: nothing in a new epoch."""
    if before is None or before.epoch not in (None, state.epoch):
        return None
    return Distrust(state.epoch, before.mismatches, forgotten=False)


def have_of(held: FullState | None, distrust: Distrust | None) -> Have | None:
    """The state to name in the next question."""
    if held is None or (distrust is not None and (distrust.forgotten or not distrust.takes_deltas)):
        return None
    return Have(held.epoch, held.seq)


def _applied(base: FullState | None, answer: DeltaAnswer) -> FullState:
    delta = answer.delta
    if base is None:
        raise StateRefused(Reason.NOT_ASKED, "a delta came where a whole state was asked for")
    if delta.base != base.seq:
        raise StateRefused(Reason.WRONG_BASE, "its delta is for another state")
    try:
        snapshot = statedelta.apply(base.snapshot, delta.patch)
    except WireError as error:
        raise StateRefused(Reason.BAD_PATCH, f"its delta does not fit: {error.detail}") from None
    return FullState(
        epoch=base.epoch,
        started=base.started,
        seq=delta.seq,
        ts=delta.ts,
        snapshot=snapshot,
        signature=answer.signature,
    )


def _check_order(held: FullState, state: FullState) -> None:
    if state.started != held.started:
        raise StateRefused(Reason.TWO_STATES, "the start of its epoch changed")
    if state.seq < held.seq:
        raise StateRefused(Reason.LOWER_SEQ, "its state went back within its epoch")
    if state.seq == held.seq and state != held:
        raise StateRefused(Reason.TWO_STATES, "it signed two states with one number")
