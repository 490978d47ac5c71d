"""`[registry]` of the agent's configuration: nested tables, the same that a registry's own file has.

Here each key is known by its dotted path; what the tables mean together is decided in registry/configfile.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import NoneType, UnionType
from typing import Annotated, Any, Final, Literal, Union, cast, get_args, get_origin

import msgspec
from msgspec import NODEFAULT, Meta, Struct
from msgspec.structs import FieldInfo

from enigma_fed.base.errors import ConfigError
from enigma_fed.config.options import OptionDoc, Value
from enigma_fed.config.sections import parse_listen
from enigma_fed.registry import configfile
from enigma_fed.registry.configfile import Place
from enigma_fed.registry.tables import AgentTables

SECTION: Final = "registry"
_KINDS: Final = {str: "text", int: "integer", float: "number", bool: "boolean"}
_SECRET: Final = frozenset({"registry.envelope.pepper_hex", "registry.envelope.keys"})


@dataclass(frozen=True, slots=True)
class Key:
    """One key of these tables."""

    doc: OptionDoc
    form: Any
    """Its type as msgspec reads it."""


def keys() -> dict[str, Key]:
    """Every key by its dotted path, in the order of the tables."""
    return dict(_keys(SECTION, AgentTables))


def flat(tables: Mapping[str, Any]) -> dict[str, Any]:
    """{"pow": {"enabled": …}} to {"pow.enabled": …}, however deep."""
    found: dict[str, Any] = {}
    for name, content in tables.items():
        if isinstance(content, dict):
            found |= {f"{name}.{key}": value for key, value in flat(content).items()}
        else:
            found[name] = content
    return found


def checked(key: Key, value: object, where: str) -> Value:
    """The value in the form that it is kept in; raises ConfigError, which names the key and `where`."""
    try:
        return cast(Value, msgspec.convert(value, key.form))
    except msgspec.ValidationError as error:
        text = configfile.in_words(str(error).partition(" - at ")[0])
        raise ConfigError(f"{key.doc.key} in {where} is not right: {text}", hint=configfile.TYPES) from None


def from_text(doc: OptionDoc, text: str) -> object:
    """What a variable of the environment stands for; text that is no value is left for `checked` to name."""
    if doc.type == "boolean":
        return {"true": True, "false": False}.get(text, text)
    if doc.type == "list of texts":
        return [part.strip() for part in text.split(",") if part.strip()]
    if doc.type in {"integer", "number"} and text.isascii() and len(text) <= 15:
        whole = text.isdecimal()
        return int(text) if whole else float(text) if text.replace(".", "", 1).isdecimal() else text
    return text


def build(values: Mapping[str, Value]) -> AgentTables:
    """The tables of values by dotted path (`registry.pow.enabled`); raises ConfigError."""
    nested: dict[str, Any] = {}
    for path, value in values.items():
        *tables, name = path.split(".")[1:]
        table = nested
        for part in tables:
            table = table.setdefault(part, {})
        table[name] = value
    found = msgspec.convert(nested, AgentTables)
    _check(found)
    return found


def parts(listen: str, key: str) -> tuple[str, int]:
    """IP address and port of `ADDR:PORT`; raises ConfigError, which names the key."""
    return configfile.parse_address(listen, key, Place(Path("the configuration"), 0))


def value_of(tables: AgentTables, key: str) -> Value:
    """The value under a dotted path; None for what is left out."""
    found: Any = tables
    for part in key.split(".")[1:]:
        found = None if found is None else getattr(found, part)
    return cast(Value, found)


def _check(tables: AgentTables) -> None:
    if tables.listen:
        parts(tables.listen, "registry.listen")
    try:
        if parse_listen(tables.onion_listen, "127.0.0.1:8444")[1] == 0:
            raise ConfigError("the onion needs a fixed port")
    except ConfigError as error:
        raise ConfigError(f"registry.onion_listen: {error.detail}") from None


def _keys(prefix: str, table: type[Struct]) -> Iterator[tuple[str, Key]]:
    for field in _own_first(table):
        path = f"{prefix}.{field.name}"
        bare, meta = _plain(field.type)
        if isinstance(bare, type) and issubclass(bare, Struct):
            yield from _keys(path, bare)
        else:
            default = None if field.default is NODEFAULT else field.default
            yield path, Key(_doc(path, bare, meta, default), field.type)


def _own_first(table: type[Struct]) -> list[FieldInfo]:
    """What the table adds to the one that it extends comes first: tables within it stand at the end."""
    own = table.__annotations__
    return sorted(msgspec.structs.fields(table), key=lambda field: field.name not in own)


def _plain(form: Any) -> tuple[Any, Meta]:
    """A type without `Annotated` and `| None`, and its Meta."""
    if get_origin(form) is Annotated:
        bare, meta = get_args(form)
        return _plain(bare)[0], meta
    if get_origin(form) in {Union, UnionType}:
        return _plain(next(part for part in get_args(form) if part is not NoneType))
    return form, Meta()


def _doc(path: str, bare: Any, meta: Meta, default: Value) -> OptionDoc:
    choices = get_args(bare) if get_origin(bare) is Literal else ()
    many = get_origin(bare) is tuple
    kind = "text" if choices else _KINDS.get(bare, "")
    if many:
        kind = "list of texts" if get_args(bare)[0] is str else "list of tables"
    least, most = (meta.ge if meta.ge is not None else meta.gt), meta.le
    if kind != "integer" or least is None or most is None:
        least = most = None
    elif meta.gt is not None:
        least += 1
    return OptionDoc(
        key=path,
        type=kind,
        default=default,
        meaning=meta.description or "",
        choices=choices,
        least=None if least is None else int(least),
        most=None if most is None else int(most),
        secret=path in _SECRET,
    )
