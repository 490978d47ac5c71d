"""What a fuzz target is: a decoder with everything that must hold of it, as one function of bytes."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, TypeVar

T = TypeVar("T")


class Form(enum.Enum):
    """How inputs are built, so that a mutation can change one value in them instead of one byte."""

    BYTES = "bytes"
    JSON = "json"
    CBOR = "cbor"


@dataclass(frozen=True, slots=True)
class Target:
    """One decoder.

    `read` returns whether it accepted the bytes. It raises only for a bug: an error that the decoder does
    not declare, or a property that does not hold of what it accepted.
    """

    name: str
    read: Callable[[bytes], bool]
    seeds: Callable[[], Iterable[bytes]]
    """Inputs to start from, accepted and refused ones."""
    form: Form = Form.BYTES
    longest: int = 2048
    """Bytes of an input that the fuzzer makes; sizes at the limit are measured by `tests.fuzz.worst`."""


class _Refused:
    """The decoder raised an error that it declares."""


REFUSED: Final = _Refused()


def attempt(read: Callable[[], T], *declared: type[Exception]) -> T | _Refused:
    """What `read` returns, or REFUSED when it raises one of the declared errors."""
    try:
        return read()
    except declared:
        return REFUSED


def header_text(data: bytes) -> str:
    """Bytes as the HTTP server hands them on: broken UTF-8 becomes lone surrogates."""
    return data.decode("utf-8", "surrogateescape")


def to_bytes(text: str) -> bytes:
    """The input for which `header_text` gives this text."""
    return text.encode("utf-8", "surrogateescape")
