"""`/api/v1/openapi.json`: the API described by OpenAPI 3.1, made from its operations."""

from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, TypeAlias

from pydantic import TypeAdapter
from pydantic.json_schema import JsonSchemaMode

from karnak.gateway.api.operation import JSON, Operation
from karnak.gateway.problem import MEDIA_TYPE as PROBLEM
from karnak.version import VERSION

# A name, whether it is sent or taken, and what it is.
_Asked: TypeAlias = tuple[str, JsonSchemaMode, TypeAdapter[Any]]

_REFERENCES = "#/components/schemas/{model}"
_PROBLEM_SCHEMA = {
    "type": "object",
    "description": "Problem details (RFC 9457); what is special to an operation is added to them.",
    "properties": {
        "type": {"type": "string"},
        "title": {"type": "string"},
        "status": {"type": "integer"},
        "detail": {"type": "string"},
    },
    "required": ["type", "title", "status", "detail"],
    "additionalProperties": True,
}
# What can go wrong with every operation, and with those that need a token, parameters, a body.
_ALWAYS = {421: "The Host header names another machine.", 500: "An internal error.", 503: "The index can't be used."}
_PROTECTED = {401: "The token is missing or another one."}
_INPUT = {400: "A parameter or the body is not as it should be."}
_POST = {403: "A web page asks.", 413: "The body is too large.", 415: "The body is no JSON."}


def describe(operations: Sequence[Operation]) -> Mapping[str, Any]:
    """Describe operations.

    Args:
        operations: all of them.
    """
    answers: list[_Asked] = [
        (operation.name, "serialization", TypeAdapter(operation.answer)) for operation in operations
    ]
    bodies: list[_Asked] = [
        (f"{operation.name} body", "validation", TypeAdapter(operation.body))
        for operation in operations
        if operation.body is not None
    ]
    schemas, definitions = TypeAdapter.json_schemas([*answers, *bodies], ref_template=_REFERENCES)
    found: dict[str, Any] = {name: schema for (name, _), schema in schemas.items()}
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations:
        paths.setdefault(operation.path, {})[operation.method.lower()] = _operation(operation, found)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Karnak", "version": VERSION, "summary": "A DICOM de-identification gateway."},
        "paths": paths,
        "components": {
            "schemas": {**definitions.get("$defs", {}), "Problem": _PROBLEM_SCHEMA},
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(operation: Operation, schemas: Mapping[str, Any]) -> Mapping[str, Any]:
    content = {operation.media_type: {"schema": schemas[operation.name]}}
    responses: dict[str, Any] = {
        str(operation.status): {"description": HTTPStatus(operation.status).phrase, "content": content}
    }
    for status, meaning in sorted(_problems(operation).items()):
        responses[str(status)] = {
            "description": meaning,
            "content": {PROBLEM: {"schema": {"$ref": _REFERENCES.format(model="Problem")}}},
        }
    if operation.open and 503 in operation.problems:
        responses["503"]["content"][JSON] = {"schema": schemas[operation.name]}
    said: dict[str, Any] = {
        "operationId": operation.name,
        "summary": operation.summary,
        "responses": responses,
        # Where no token is configured, none is needed.
        "security": [] if operation.open else [{"token": []}, {}],
    }
    if operation.query is not None:
        said["parameters"] = _parameters(operation.query.model_json_schema(ref_template=_REFERENCES))
    if operation.body is not None:
        body = schemas[f"{operation.name} body"]
        said["requestBody"] = {"required": True, "content": {JSON: {"schema": body}}}
    return said


def _problems(operation: Operation) -> Mapping[int, str]:
    found = dict(_ALWAYS)
    if not operation.open:
        found |= _PROTECTED
    if operation.query is not None or operation.body is not None:
        found |= _INPUT
    if operation.method == "POST":
        found |= _POST
    return {**found, **operation.problems}


def _parameters(schema: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    required = schema.get("required", ())
    return [
        {
            "name": name,
            "in": "query",
            "required": name in required,
            "description": described.get("description", ""),
            "schema": {key: value for key, value in described.items() if key not in ("description", "title")},
        }
        for name, described in schema["properties"].items()
    ]
