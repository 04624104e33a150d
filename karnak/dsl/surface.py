"""The YAML shape of a profile, as models: which keys there are, and whether they hold text, lists or mappings.

The models check shapes only; what a text means is checked later. Their fields hold YAML
nodes, so that every later sentence can name its place. What has the wrong shape is
reported and left out, and the rest is read as if it were not there.
"""

from collections.abc import Mapping as MappingType
from typing import Annotated, Any, Self

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr, ValidationError, model_validator
from pydantic.functional_validators import ModelWrapValidatorHandler, PlainValidator
from pydantic.json_schema import WithJsonSchema
from pydantic_core import PydanticCustomError

from karnak.dsl.findings import Findings
from karnak.dsl.nodes import Mapping, Node, Scalar, Sequence, Style, find

SCHEMA_ID = "https://json-schema.org/draft/2020-12/schema"

# The element types and actions are named here for editors; what they mean stands in karnak.dsl.elements.
_CODENAMES = [
    "basic.dicom.profile",
    "action.on.specific.tags",
    "action.on.privatetags",
    "replace.uid",
    "action.on.dates",
    "expression.on.tags",
    "action.add.tag",
    "action.add.private.tag",
    "action.replace.api",
    "clean.pixel.data",
    "clean.recognizable.visual.features",
]
_ANY_TEXT = {"type": ["string", "number", "boolean"]}


def _text(value: object) -> Scalar:
    if not isinstance(value, Scalar):
        raise PydanticCustomError("text_type", "a text")
    return value


def _argument(value: object) -> Scalar | list[Scalar]:
    if isinstance(value, list) and all(isinstance(item, Scalar) for item in value):
        return value
    return _text(value)


Text = Annotated[Scalar, PlainValidator(_text), WithJsonSchema(_ANY_TEXT)]
Codename = Annotated[Scalar, PlainValidator(_text), WithJsonSchema({"enum": _CODENAMES})]
ActionText = Annotated[Scalar, PlainValidator(_text), WithJsonSchema({"enum": ["K", "X", "Z", "D", "U", "DDum"]})]
Argument = Annotated[
    Scalar | list[Scalar],
    PlainValidator(_argument),
    WithJsonSchema({"anyOf": [_ANY_TEXT, {"type": "array", "items": {"type": "string"}}]}),
]


class _Located(dict[str, Any]):
    """The entries of a mapping node, the node, and the keys of which something has been said already."""

    def __init__(self, node: Mapping) -> None:
        super().__init__()
        self.node = node
        self.reported: set[str] = set()


class _Shape(BaseModel):
    """A mapping with known keys.

    `place` is its node; `reported` are the keys that are misspelt or of the wrong shape, of
    which it need not be said that they are missing.
    """

    model_config = ConfigDict(extra="forbid", arbitrary_types_allowed=True, frozen=True)
    _place: Mapping = PrivateAttr()
    _reported: frozenset[str] = PrivateAttr(default=frozenset())

    @model_validator(mode="wrap")
    @classmethod
    def _remember(cls, value: Any, handler: ModelWrapValidatorHandler[Self]) -> Self:
        shape = handler(value)
        if isinstance(value, _Located):
            shape._place = value.node
            shape._reported = frozenset(value.reported)
        return shape

    @property
    def place(self) -> Mapping:
        return self._place

    @property
    def reported(self) -> frozenset[str]:
        return self._reported


class MaskShape(_Shape):
    """One entry of `masks`."""

    station_name: Text | None = Field(None, alias="stationName", description="StationName (0008,1010), or * for any")
    image_width: Text | None = Field(None, alias="imageWidth", description="Columns of the image, in pixels")
    image_height: Text | None = Field(None, alias="imageHeight", description="Rows of the image, in pixels")
    color: Text | None = Field(None, description="RRGGBB or AARRGGBB; black where there is none")
    rectangles: list[Text] = Field(description="x y width height, in pixels from the upper left corner")


class ElementShape(_Shape):
    """One entry of `profileElements`."""

    name: Text = Field(description="What this element is for, in your words")
    codename: Codename = Field(description="The type of the element")
    condition: Text | None = Field(None, description="An expression of type Bool on the original instance")
    action: ActionText | None = Field(None, description="What is done to the selected elements")
    option: Text | None = Field(None, description="How dates are changed")
    args: Any = Field(None, json_schema_extra={"deprecated": True}, description="Not read; use arguments")
    arguments: dict[str, Argument | None] = Field(default_factory=dict, description="Named values the type needs")
    tags: list[Text] | None = Field(None, description="Selectors: (gggg,eeee), keywords, patterns, paths")
    excluded_tags: list[Text] | None = Field(None, alias="excludedTags", description="Selectors that are left out")


class ProfileShape(_Shape):
    """A whole profile."""

    name: Text | None = Field(None, description="Name of the profile; goes into ClinicalTrialProtocolID")
    version: Text | None = Field(None, description="Version of the profile, as you count")
    minimum_karnak_version: Text | None = Field(
        None, alias="minimumKarnakVersion", description="Version of the profile language that is needed"
    )
    default_issuer: Text | None = Field(
        None, alias="defaultIssuerOfPatientID", description="IssuerOfPatientID for instances without one"
    )
    elements: list[ElementShape] = Field(alias="profileElements", description="Rules, asked in this order")
    masks: list[MaskShape] = Field(default_factory=list, description="Regions that clean.pixel.data fills")


_SHAPES: MappingType[str, type[_Shape]] = {"profileElements": ElementShape, "masks": MaskShape}
_NEEDED = {
    "profileElements": "write the list of elements after it",
    "name": 'write name: "..."',
    "codename": "write codename: and the type of the element",
    "rectangles": 'write rectangles: ["x y w h"]',
}


def json_schema() -> dict[str, Any]:
    """Give the JSON schema of a profile, for editors that complete and check YAML."""
    return {"$schema": SCHEMA_ID} | ProfileShape.model_json_schema(by_alias=True)


def _data(node: Node) -> Any:
    """Turn collections into what pydantic reads, leaving the texts as nodes; what is null is as if absent."""
    if isinstance(node, Mapping):
        located = _Located(node)
        for key, value in node.entries:
            if not (isinstance(value, Scalar) and value.is_null):
                located[key.text] = _data(value)
        return located
    if isinstance(node, Sequence):
        return [_data(item) for item in node.items]
    return node


def _known_keys(path: tuple[str | int, ...]) -> list[str]:
    shape = _SHAPES.get(str(path[0]), ProfileShape) if len(path) > 1 else ProfileShape
    return [field.alias or name for name, field in shape.model_fields.items()]


class _Repair:
    """Reports what pydantic found and takes it out of the data."""

    def __init__(self, root: Mapping, data: Any, findings: Findings) -> None:
        self._root = root
        self._data = data
        self._findings = findings
        self._remove: list[tuple[str | int, ...]] = []

    def take(self, kind: str, path: tuple[str | int, ...]) -> None:
        """Report one error of pydantic's and note what to take out.

        Args:
            kind: pydantic's name for the error.
            path: where, as pydantic counts.
        """
        parent = find(self._root, path[:-1])
        if kind == "extra_forbidden":
            self._unknown(parent, path)
        elif kind == "missing":
            self._missing(parent, path)
            return
        else:
            self._wrong(kind, find(self._root, path), path)
            self._note_wrong(path)
            if path == ("profileElements",) or (len(path) == 3 and path[-1] in _NEEDED):
                self._stand_in(parent, path)
                return
        self._remove.append(path)

    def _unknown(self, parent: Node, path: tuple[str | int, ...]) -> None:
        word = str(path[-1])
        key = parent.key(word) if isinstance(parent, Mapping) else None
        if key is not None:
            near = self._findings.unknown("K101", f"unknown key {word[:80]}", key.span, word, _known_keys(path))
            self._note(path[:-1], near or "")

    def _note(self, path: tuple[str | int, ...], key: str) -> None:
        """Remember that something has been said of a key of the mapping at a path."""
        owner = self._owner(path)
        if isinstance(owner, _Located):
            owner.reported.add(key)

    def _owner(self, path: tuple[str | int, ...]) -> Any:
        owner = self._data
        for step in path:
            owner = owner[step]
        return owner

    def _note_wrong(self, path: tuple[str | int, ...]) -> None:
        # The owner is the mapping of the element: an argument is noted as "arguments.name".
        keys = [step for step in path[2:] if isinstance(step, str)]
        if keys:
            self._note(path[:2], ".".join(keys[:2]))

    def _missing(self, parent: Node, path: tuple[str | int, ...]) -> None:
        word = str(path[-1])
        key = parent.key(word) if isinstance(parent, Mapping) else None
        entries = parent.entries if isinstance(parent, Mapping) else ()
        place = key or (entries[0][0] if entries else parent)
        owner = self._owner(path[:-1])
        if not (isinstance(owner, _Located) and word in owner.reported):
            what = f"{word} has no value" if key else f"{word} is missing"
            self._findings.add("K102", what, place.span, _NEEDED.get(word, ""))
        self._stand_in(parent, path)

    def _stand_in(self, parent: Node, path: tuple[str | int, ...]) -> None:
        """Put something empty where a key can't be done without."""
        word = str(path[-1])
        if word == "codename":
            # Nothing more can be said of an element whose type isn't known.
            self._remove.append(path[:-1])
            return
        at = parent.start
        empty: list[object] | Scalar = (
            [] if word in ("profileElements", "rectangles") else Scalar("", Style.DOUBLE, parent.source, at, at)
        )
        self._owner(path[:-1])[word] = empty

    def _wrong(self, kind: str, node: Node, path: tuple[str | int, ...]) -> None:
        wanted, hint = {
            "list_type": ("a list", "write - before each item, or put the items in [ ]"),
            "dict_type": ("a mapping", "write key: value"),
            "model_type": ("a mapping", "write key: value"),
        }.get(kind, ("a text", ""))
        is_what = {Mapping: "a mapping", Sequence: "a list", Scalar: "a text"}[type(node)]
        name = next((str(step) for step in reversed(path) if isinstance(step, str)), "profile")
        if isinstance(node, Scalar) and node.is_null:
            is_what = "empty"
        owner = f"an item of {name}" if path and isinstance(path[-1], int) else name
        self._findings.add("K103", f"{owner[:80]} must be {wanted}, and this is {is_what}", node.span, hint)

    def finish(self) -> Any:
        """Take out what can't be read; positions in lists are taken out from the end."""
        for path in sorted(set(self._remove), key=lambda path: [(isinstance(s, str), s) for s in path], reverse=True):
            try:
                del self._owner(path[:-1])[path[-1]]
            except (KeyError, IndexError):
                continue  # it went with the element around it
        return self._data


def read_shape(root: Node, findings: Findings) -> ProfileShape | None:
    """Read the shape of a profile.

    Args:
        root: the tree of the text.
        findings: where to note what has the wrong shape.

    Returns:
        The shape without what could not be read, or None for a text that is no profile at all.
    """
    if not isinstance(root, Mapping):
        findings.add("K103", "a profile is a mapping", root.span, "start with name: and profileElements:")
        return None
    data = _data(root)
    try:
        return ProfileShape.model_validate(data)
    except ValidationError as error:
        repair = _Repair(root, data, findings)
        problems = error.errors(include_url=False, include_context=False, include_input=False)
        # What is missing comes last: most often it is there, and misspelt.
        for problem in sorted(problems, key=lambda problem: problem["type"] == "missing"):
            repair.take(problem["type"], problem["loc"])
    return ProfileShape.model_validate(repair.finish())
