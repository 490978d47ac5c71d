"""The part of Structured Fields (RFC 9651) that signatures use: one labelled list, one labelled byte string.

Strings with escapes, decimals, tokens and dates never occur in a valid signature of ours and
are refused. Whatever is accepted serialises back to its canonical form (RFC 9421 section 2.3).
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from enigma_fed.base import limits
from enigma_fed.base.errors import WireError

# Every repetition is possessive: what it took it never gives back, so no text costs more than one pass.
_KEY: Final = r"[a-z*][a-z0-9_.*-]*+"
_STRING: Final = r'"[ !#-\[\]-~]*+"'
_INTEGER: Final = r"0|-?+[1-9][0-9]{0,14}+"
_COMPONENT: Final = rf"{_STRING}(?:;{_KEY})*+"
_INNER_LIST: Final = re.compile(
    rf"\( *+((?:{_COMPONENT}(?: ++{_COMPONENT})*+)?+) *+\)((?:; *+{_KEY}=(?:{_STRING}|{_INTEGER}))*+)"
)
_COMPONENTS: Final = re.compile(_COMPONENT)
_PARAMETERS: Final = re.compile(rf"; *+({_KEY})=(?:({_STRING})|({_INTEGER}))")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]*+={0,2}+")


@dataclass(frozen=True, slots=True)
class InnerList:
    """Component identifiers in their serialised form (`"@method"`, `"signature";req`) and parameters."""

    components: tuple[str, ...]
    parameters: dict[str, int | str]

    def __str__(self) -> str:
        return f"({' '.join(self.components)}){serialize_parameters(self.parameters.items())}"


def serialize_parameters(parameters: Iterable[tuple[str, int | str]]) -> str:
    """`;name=value` for each; strings must need no escapes."""
    return "".join(
        f";{name}={value}" if isinstance(value, int) else f';{name}="{value}"' for name, value in parameters
    )


def parse_inner_list(text: str, label: str) -> InnerList:
    """Read a dictionary of one member, `label=("…" "…");name=value…`.

    Raises WireError for anything else, a component or a parameter that occurs twice included, and
    for a text of more than limits.SIGNATURE_INPUT_BYTES.
    """
    if len(text) > limits.SIGNATURE_INPUT_BYTES:
        raise WireError(f"it is longer than {limits.SIGNATURE_INPUT_BYTES} bytes")
    head, _, rest = text.partition("=")
    match = _INNER_LIST.fullmatch(rest) if head == label else None
    if match is None:
        raise WireError(f"it must hold one list, labelled {label}")
    components = tuple(_COMPONENTS.findall(match[1]))
    found = _PARAMETERS.findall(match[2])
    parameters = {name: string[1:-1] if string else int(number) for name, string, number in found}
    if len(parameters) != len(found) or len(set(components)) != len(components):
        raise WireError("it names something twice")
    return InnerList(components, parameters)


def parse_bytes(text: str, label: str, size: int) -> bytes:
    """Read a dictionary of one member, `label=:base64:`, of `size` bytes; raises WireError."""
    head, _, rest = text.partition("=")
    inner = rest[1:-1]
    if head != label or len(rest) < 2 or rest[0] != ":" or rest[-1] != ":" or not _BASE64.fullmatch(inner):
        raise WireError(f"it must hold one byte string, labelled {label}")
    try:
        value = base64.b64decode(inner)
    except ValueError:
        raise WireError("it is not base64") from None
    if len(value) != size or serialize_bytes(value) != rest:
        raise WireError(f"it does not hold {size} bytes in their shortest form")
    return value


def serialize_bytes(value: bytes) -> str:
    """`:base64:`, with padding."""
    return f":{base64.b64encode(value).decode('ascii')}:"
