"""The shape of profiles: what editors are told of it, and what is read beside its mistakes."""

import json

from karnak.dsl.elements.reader import ACTIONS
from karnak.dsl.elements.registry import ELEMENT_TYPES
from karnak.dsl.findings import Findings
from karnak.dsl.nodes import Source
from karnak.dsl.source import read_yaml
from karnak.dsl.surface import SCHEMA_ID, ProfileShape, json_schema, read_shape


def shape_of(text: str) -> tuple[ProfileShape | None, list[str]]:
    root = read_yaml(Source("p", text)).root
    assert root is not None
    findings = Findings()
    shape = read_shape(root, findings)
    return shape, [one.code for one in findings.all]


def test_the_schema_is_json_and_names_every_key() -> None:
    schema = json_schema()
    assert json.loads(json.dumps(schema)) == schema
    assert schema["$schema"] == SCHEMA_ID
    assert schema["required"] == ["profileElements"]
    assert schema["additionalProperties"] is False
    assert list(schema["properties"]) == [
        "name",
        "version",
        "minimumKarnakVersion",
        "defaultIssuerOfPatientID",
        "profileElements",
        "masks",
    ]
    element = schema["$defs"]["ElementShape"]
    assert element["required"] == ["name", "codename"]
    assert set(element["properties"]) == {
        *("name", "codename", "condition", "action", "option", "args", "arguments", "tags", "excludedTags"),
    }
    assert all(value.get("description") for value in element["properties"].values())
    assert schema["$defs"]["MaskShape"]["required"] == ["rectangles"]


def test_the_schema_knows_the_types_and_actions_that_there_are() -> None:
    element = json_schema()["$defs"]["ElementShape"]["properties"]
    assert element["codename"]["enum"] == list(ELEMENT_TYPES)
    assert element["action"]["anyOf"][0]["enum"] == list(ACTIONS)


def test_everything_else_is_read_beside_a_mistake() -> None:
    shape, codes = shape_of(
        "name: x\nnmae: y\nprofileElements:\n- {name: a, codename: b, tags: x, foo: 1}\n- z\n- {name: c, codename: d}\n"
    )
    assert codes == ["K101", "K103", "K101", "K103"]
    assert shape is not None
    assert [(element.name.text, element.codename.text) for element in shape.elements] == [("a", "b"), ("c", "d")]
    assert shape.elements[0].tags is None
    assert shape.elements[0].reported == {"tags", ""}
    assert shape.elements[1].place.span.line == 6


def test_keys_cannot_pretend_to_be_something_else() -> None:
    for key in ("_place", "place", "_reported", "elements", "excluded_tags", "model_config", "__class__"):
        _, codes = shape_of(f"profileElements: []\n{key}: 1\n")
        assert codes == ["K101"]
