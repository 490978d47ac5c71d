"""The JSON Schema of the configuration file (data/schemas/config.schema.json)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from enigma_fed.config import OptionDoc

_TYPES: Final[Mapping[str, Mapping[str, Any]]] = {
    "text": {"type": "string"},
    "integer": {"type": "integer"},
    "number": {"type": "number"},
    "boolean": {"type": "boolean"},
    "list of texts": {"type": "array", "items": {"type": "string"}},
    "list of tables": {"type": "array", "items": {"type": "object"}},
}


def text(options: Sequence[OptionDoc]) -> str:
    """The file of `config.describe()`."""
    return json.dumps(json_schema(options), indent=2, ensure_ascii=False) + "\n"


def json_schema(options: Sequence[OptionDoc]) -> dict[str, object]:
    """The JSON Schema of `config.describe()`."""
    root: dict[str, Any] = {}
    for doc in options:
        *path, name = doc.key.split(".")
        table = root
        for part in path:
            table = table.setdefault(part, _table_schema({}))["properties"]
        table[name] = _schema_of(doc)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of enigma-fed (config.toml)",
        **_table_schema(root),
    }


def _table_schema(properties: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "additionalProperties": False, "properties": dict(properties)}


def _schema_of(doc: OptionDoc) -> dict[str, Any]:
    schema: dict[str, Any] = {"description": doc.meaning, **_TYPES[doc.type]}
    if doc.default is not None:
        schema["default"] = doc.default
    if doc.choices:
        schema["enum"] = list(doc.choices)
    if doc.least is not None and doc.most is not None:
        schema |= {"minimum": doc.least, "maximum": doc.most}
    return schema
