"""The JSON Schema of the configuration file (data/schemas/config.schema.json)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

from enigma_fed.config import OptionDoc


def text(options: Sequence[OptionDoc]) -> str:
    """The file of `config.describe()`."""
    return json.dumps(json_schema(options), indent=2, ensure_ascii=False) + "\n"


def json_schema(options: Sequence[OptionDoc]) -> dict[str, object]:
    """The JSON Schema of `config.describe()`."""
    sections: dict[str, dict[str, object]] = {}
    for doc in options:
        section, _, name = doc.key.partition(".")
        sections.setdefault(section, {})[name] = _schema_of(doc)
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Configuration of enigma-fed (config.toml)",
        **_table_schema(
            {name: _table_schema(options) for name, options in sections.items()},
        ),
    }


def _table_schema(properties: Mapping[str, object]) -> dict[str, object]:
    return {"type": "object", "additionalProperties": False, "properties": dict(properties)}


def _schema_of(doc: OptionDoc) -> dict[str, object]:
    schema: dict[str, object] = {
        "description": doc.meaning,
        "type": "string" if doc.type == "text" else "integer",
        "default": doc.default,
    }
    if doc.choices:
        schema["enum"] = list(doc.choices)
    if doc.least is not None and doc.most is not None:
        schema |= {"minimum": doc.least, "maximum": doc.most}
    return schema
