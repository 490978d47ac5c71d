"""The part of Structured Fields (RFC 9651) that signatures use: one labelled list, one labelled byte string.

Strings with escapes, decimals, tokens and dates never occur in a valid signature of ours and
are refused. Whatever is accepted serialises back to its canonical form (RFC 9421 section 2.3).
"""

from __future__ import annotations

import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from enigma_fed.base import limits
from enigma_fed.base.errors import WireError

# One token each (with the spaces behind it), matched where the last one ended: a text costs one pass.
# (Possessive repetitions would say it in one pattern; Python 3.11.2, Debian 12's, matches them wrongly.)
_KEY: Final = r"[a-z*][a-z0-9_.*-]*"
_STRING: Final = r'"[ !#-\[\]-~]*"'
_INTEGER: Final = r"0|-?[1-9][0-9]{0,14}"
_SPACES: Final = re.compile(r" *")
_COMPONENT: Final = re.compile(rf"({_STRING}(?:;{_KEY})*)( *)")
_PARAMETER: Final = re.compile(rf"; *({_KEY})=(?:({_STRING})|({_INTEGER}))")
_BASE64: Final = re.compile(r"[A-Za-z0-9+/]*={0,2}")


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
    if head != label or not rest.startswith("("):
        raise WireError(f"it must hold one list, labelled {label}")
    components, end = _read_components(rest)
    return InnerList(tuple(components), _read_parameters(rest, end))


def _read_components(text: str) -> tuple[list[str], int]:
    """The components of a list whose bracket opens the text, and where its parameters begin."""
    components: list[str] = []
    at = _skip_spaces(text, 1)
    while not text.startswith(")", at):
        match = _COMPONENT.match(text, at)
        if match is None:
            raise WireError("its list is not one of strings")
        component, spaces = match.groups()
        components.append(component)
        at = match.end()
        if not spaces and not text.startswith(")", at):
            raise WireError("its list is not one of strings with spaces between them")
    if len(set(components)) != len(components):
        raise WireError("it names something twice")
    return components, at + 1


def _read_parameters(text: str, at: int) -> dict[str, int | str]:
    parameters: dict[str, int | str] = {}
    while at < len(text):
        match = _PARAMETER.match(text, at)
        if match is None:
            raise WireError("its parameters are not plain strings and integers")
        name, string, number = match.groups()
        if name in parameters:
            raise WireError("it names something twice")
        parameters[name] = string[1:-1] if string else int(number)
        at = match.end()
    return parameters


def _skip_spaces(text: str, at: int) -> int:
    match = _SPACES.match(text, at)
    return match.end() if match else at


def parse_bytes(text: str, label: str, size: int) -> bytes:
    """Read a dictionary of one member, `label=:base64:`, of `size` bytes; raises WireError."""
    begin, end = len(label) + 2, len(text) - 1
    enclosed = end >= begin and text.startswith(f"{label}=:") and text[end] == ":"
    if not enclosed or _BASE64.fullmatch(text, begin, end) is None:
        raise WireError(f"it must hold one byte string, labelled {label}")
    try:
        value = binascii.a2b_base64(text[begin:end])
    except ValueError:
        raise WireError("it is not base64") from None
    if len(value) != size or not text.endswith(serialize_bytes(value)):
        raise WireError(f"it does not hold {size} bytes in their shortest form")
    return value


def serialize_bytes(value: bytes) -> str:
    """`:base64:`, with padding."""
    return f":{binascii.b2a_base64(value, newline=False).decode('ascii')}:"
