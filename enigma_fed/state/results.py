"""Answers of `federation.get-state` with their encoded forms, each made once and sent to many."""

from __future__ import annotations

from typing import Final

from enigma_fed.rpc.methods import EncodedResult
from enigma_fed.wire import away, cbor, strictjson
from enigma_fed.wire.snapshot import snapshot_to_object
from enigma_fed.wire.state import DeltaAnswer, FullState, StateAnswer, Unchanged, full_state_to_object
from enigma_fed.wire.timestamps import to_text
from enigma_fed.wire.windows import Window

_KINDS: Final = {FullState: "full", DeltaAnswer: "delta", Unchanged: "unchanged"}


class _EncodedOnce(EncodedResult):
    def __init__(self) -> None:
        self._encoded: dict[bool, bytes] = {}

    def encoded(self, *, binary: bool) -> bytes:
        """The result object as CBOR or JSON."""
        found = self._encoded.get(binary)
        if found is None:
            encode = cbor.encode if binary else strictjson.encode
            found = self._encoded[binary] = encode(self.to_object(binary=binary))
        return found


class StateResult(_EncodedOnce):
    """One signed state: whole, as a delta, or told to be unchanged."""

    def __init__(self, answer: StateAnswer) -> None:
        super().__init__()
        self.answer = answer
        self._announcing: AnnouncingResult | None = None

    @property
    def kind(self) -> str:
        """`full`, `delta` or `unchanged`."""
        return _KINDS[type(self.answer)]

    @property
    def seq(self) -> int | None:
        """The number of the state that the reader has then; None for `unchanged`."""
        if isinstance(self.answer, DeltaAnswer):
            return self.answer.delta.seq
        return self.answer.seq if isinstance(self.answer, FullState) else None

    def to_object(self, *, binary: bool) -> dict[str, object]:
        """The result object."""
        if isinstance(self.answer, FullState):
            return full_state_to_object(self.answer, binary=binary)
        return self.answer.to_object(binary=binary)

    def announcing(self, windows: tuple[Window, ...]) -> EncodedResult:
        """The same with the windows (in UTC) in which this node is off, if there are any."""
        if not windows:
            return self
        if self._announcing is None or self._announcing.windows != windows:
            self._announcing = AnnouncingResult(self, windows)
        return self._announcing


class AnnouncingResult(_EncodedOnce):
    """A result with `away` beside it (PROTOCOL section 8)."""

    def __init__(self, result: StateResult, windows: tuple[Window, ...]) -> None:
        super().__init__()
        self._result = result
        self.windows = windows

    def to_object(self, *, binary: bool) -> dict[str, object]:
        """The result object."""
        return {**self._result.to_object(binary=binary), away.MEMBER: away.to_object(self.windows)}


class PlainResult(_EncodedOnce):
    """The bare snapshot that the Rust agent asks for, with its `timestamp`."""

    def __init__(self, state: FullState) -> None:
        super().__init__()
        self._state = state

    def to_object(self, *, binary: bool) -> dict[str, object]:
        """The snapshot object, as `state` in a full answer."""
        return snapshot_to_object(self._state.snapshot, to_text(self._state.started + self._state.ts))
