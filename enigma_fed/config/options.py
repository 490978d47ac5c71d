"""What a key of the configuration is: its type, bounds and meaning, for its check and for the references."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias

Value: TypeAlias = str | int | float | bool | tuple[Any, ...] | None
"""What a key holds; None: it is left out and has no default of its own."""
PREFIX: Final = "ENIGMA_FED_"
"""How the environment's variables begin."""


def option(
    default: Value,
    meaning: str,
    *,
    choices: tuple[str, ...] = (),
    least: int | None = None,
    most: int | None = None,
    check: Callable[[str], None] | None = None,
) -> Any:
    """A dataclass field that carries what the reference, the schema and the checks need."""
    metadata = {"meaning": meaning, "choices": choices, "least": least, "most": most, "check": check}
    return field(default=default, metadata=metadata)


@dataclass(frozen=True, slots=True)
class OptionDoc:
    """One key for the reference and the schema."""

    key: str
    type: str
    """`text`, `integer`, `number`, `boolean`, `list of texts` or `list of tables`."""
    default: Value
    meaning: str
    choices: tuple[str, ...]
    least: int | None
    most: int | None
    secret: bool = False
    """Whether its value is shown to nobody."""

    @property
    def variable(self) -> str:
        """The environment variable that sets it."""
        return PREFIX + self.key.upper().replace(".", "__")
