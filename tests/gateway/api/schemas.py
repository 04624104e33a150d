"""Checks values against the schemas of the OpenAPI document: the part of JSON Schema that it uses, and no more."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

Schema = Mapping[str, Any]

_TYPES: Mapping[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "null": (type(None),),
}
_KNOWN = {"type", "properties", "required", "items", "enum", "const", "anyOf", "$ref", "format", "propertyNames",
          "additionalProperties", "description", "title", "default", "minimum", "maximum"}  # fmt: skip


def check(value: object, schema: Schema, document: Schema) -> None:
    """Fail where a value is not what a schema says."""
    assert schema.keys() <= _KNOWN, f"the checker does not know {schema.keys() - _KNOWN}"
    if "$ref" in schema:
        check(value, resolve(schema["$ref"], document), document)
    if "anyOf" in schema:
        assert any(fits(value, one, document) for one in schema["anyOf"]), (value, schema)
    if "enum" in schema:
        assert value in schema["enum"], (value, schema)
    if "const" in schema:
        assert value == schema["const"], (value, schema)
    if "type" in schema:
        assert isinstance(value, _TYPES[schema["type"]]), (value, schema)
        assert isinstance(value, bool) == (schema["type"] == "boolean"), (value, schema)
    if schema.get("format") == "date-time":
        assert datetime.fromisoformat(str(value)).tzinfo is not None
    if isinstance(value, dict) and schema.get("type") == "object":
        _check_object(value, schema, document)
    if isinstance(value, list):
        for one in value:
            check(one, schema["items"], document)


def _check_object(value: Mapping[str, object], schema: Schema, document: Schema) -> None:
    properties = schema.get("properties", {})
    assert value.keys() >= set(schema.get("required", ())), (value, schema)
    others = schema.get("additionalProperties", not properties)
    for name, one in value.items():
        if name in properties:
            check(one, properties[name], document)
        else:
            # What is not described may not be there.
            assert others is not False, (name, schema)
            if isinstance(others, dict):
                check(one, others, document)
            if "propertyNames" in schema:
                check(name, schema["propertyNames"], document)


def fits(value: object, schema: Schema, document: Schema) -> bool:
    """Tell whether a value is what a schema says."""
    try:
        check(value, schema, document)
    except AssertionError:
        return False
    return True


def resolve(reference: str, document: Schema) -> Schema:
    """Follow a reference inside the document."""
    found: Any = document
    for name in reference.removeprefix("#/").split("/"):
        found = found[name]
    assert isinstance(found, dict)
    return found
