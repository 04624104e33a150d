"""Reading a configuration: YAML text to `Config`, with every mistake as a Diagnostic at its place.

The shape is checked by the models of `config.py`; this file turns what they complain about
into sentences for people and finds the line and column of each.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from karnak.dsl.diagnostics import Diagnostic
from karnak.dsl.nearest import nearest
from karnak.dsl.nodes import Mapping as MappingNode
from karnak.dsl.nodes import Node, Scalar, Sequence, Source
from karnak.dsl.source import read_yaml
from karnak.gateway.config import Config, ForwardNodeEntry, ProjectEntry, SourceEntry
from karnak.gateway.config_destinations import (
    BasicEntry,
    BearerEntry,
    CommitmentSection,
    CsvEntry,
    DicomEntry,
    FolderEntry,
    GeneratedEntry,
    OAuth2Entry,
    RetryEntry,
    StowEntry,
    TagEntry,
    TlsEntry,
    VirtualEntry,
)
from karnak.gateway.config_house import (
    ApiSection,
    DicomwebSection,
    DoorEntry,
    IndexSection,
    LedgerSection,
    Listen,
    ReloadSection,
    SpoolSection,
    Tls,
)
from karnak.gateway.config_notes import Location, did_you_mean, finding, node_at

# The last name in a location says which section it is in; `type` and `from` stand in it as names too.
_SECTIONS: Mapping[str, type[BaseModel]] = {
    "listen": Listen,
    "spool": SpoolSection,
    "index": IndexSection,
    "api": ApiSection,
    "dicomweb": DicomwebSection,
    "senders": DoorEntry,
    "ledger": LedgerSection,
    "storage_commitment": CommitmentSection,
    "reload": ReloadSection,
    "projects": ProjectEntry,
    "forward_nodes": ForwardNodeEntry,
    "sources": SourceEntry,
    "dicom": DicomEntry,
    "stow": StowEntry,
    "folder": FolderEntry,
    "virtual": VirtualEntry,
    "retry": RetryEntry,
    "tls": TlsEntry,
    "basic": BasicEntry,
    "bearer": BearerEntry,
    "oauth2": OAuth2Entry,
    "generated": GeneratedEntry,
    "tag": TagEntry,
    "csv": CsvEntry,
}
_DISCRIMINATORS = {"destinations": "type", "auth": "type", "pseudonym": "from"}
_KINDS = {
    "destinations": "dicom, stow, folder or virtual",
    "auth": "basic, bearer or oauth2",
    "pseudonym": "generated, tag or csv",
}
_SHAPES = {
    "string_type": "a text",
    "path_type": "a path",
    "tuple_type": "a list",
    "model_type": "a mapping",
    "model_attributes_type": "a mapping",
    "dict_type": "a mapping",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
}
_LIMITS: Mapping[str, Callable[[Mapping[str, Any]], str]] = {
    "greater_than_equal": lambda limit: f"the value must be {limit['ge']} or more",
    "greater_than": lambda limit: f"the value must be more than {limit['gt']:g}",
    "less_than_equal": lambda limit: f"the value must be {limit['le']:g} or less",
    "string_too_short": lambda limit: f"the text needs at least {limit['min_length']} character",
    "string_too_long": lambda limit: f"the text can have {limit['max_length']} characters at most",
}


@dataclass(frozen=True, slots=True)
class Reading:
    """What was read.

    Attributes:
        config: the configuration, or None where it can't be used.
        root: the tree of the text, or None where it is no YAML.
        diagnostics: what is wrong.
    """

    config: Config | None
    root: Node | None
    diagnostics: tuple[Diagnostic, ...]


def read_config(source: Source) -> Reading:
    """Read a configuration.

    Args:
        source: the text.
    """
    document = read_yaml(source)
    if document.root is None or document.diagnostics:
        return Reading(None, document.root, document.diagnostics)
    try:
        config = Config.model_validate(_texts(document.root))
    except ValidationError as error:
        root = document.root
        mistakes = error.errors(include_url=False)
        # A key that is misspelt is one mistake, not an unknown key and a missing one.
        meant = {(*details["loc"][:-1], _meant(details["loc"])) for details in mistakes if _is_unknown_key(details)}
        told = [details for details in mistakes if details["type"] != "missing" or details["loc"] not in meant]
        found = [_explain(root, details) for details in told]
        return Reading(None, root, tuple(diagnostic for diagnostic in found if diagnostic is not None))
    return Reading(config, document.root, ())


def _texts(node: Node) -> object:
    """Turn nodes into plain data of texts; keys without a value count as not written."""
    if isinstance(node, MappingNode):
        given = ((key.text, value) for key, value in node.entries)
        return {key: _texts(value) for key, value in given if not (isinstance(value, Scalar) and value.is_null)}
    if isinstance(node, Sequence):
        return [_texts(item) for item in node.items]
    return node.text


def _written(root: Node, location: Location) -> Location:
    """Leave out of pydantic's locations what is no level of the text: the chosen kind of a destination or pseudonym."""
    written: list[str | int] = []
    around = ""
    for step in location:
        node, _ = node_at(root, tuple(written))
        key = _DISCRIMINATORS.get(around)
        if key is not None and isinstance(node, MappingNode) and _text_at(node, key) == step:
            around = ""
            continue
        written.append(step)
        around = step if isinstance(step, str) else around
    return tuple(written)


def _text_at(node: MappingNode, key: str) -> str | None:
    value = node.get(key)
    return value.text if isinstance(value, Scalar) else None


def _explain(root: Node, details: ErrorDetails) -> Diagnostic | None:
    location, kind, context = details["loc"], details["type"], details.get("ctx", {})
    key = str(location[-1]) if location else ""
    node, found = node_at(root, _written(root, location))
    if kind == "missing":
        return finding("G102", f"`{key}` has no value" if found else f"`{key}` is missing here", node.span)
    if _is_unknown_key(details):
        return _unknown_key(root, location)
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return _unknown_kind(node, key if key in _KINDS else "destinations", str(context.get("expected_tags", "")))
    if kind == "literal_error":
        return _unknown_choice(node, f"`{key}`", _words(str(context["expected"])))
    if kind == "too_short":
        # pydantic counts what is left after it has dropped wrong items; those are told of themselves.
        empty = isinstance(node, Sequence) and not node.items
        return finding("G103", f"`{key}` is an empty list", node.span, "write at least one") if empty else None
    message = f"{_SHAPES[kind]} is needed here" if kind in _SHAPES else "this value can't be used here"
    if kind in _LIMITS:
        message = _LIMITS[kind](context)
    elif kind in ("ae_title", "name", "url", "header"):
        message = details["msg"]
    hint = "write `any` to take instances from everyone" if found and key == "sources" else ""
    return finding("G103", message, node.span, hint)


def _is_unknown_key(details: ErrorDetails) -> bool:
    return details["type"] == "extra_forbidden" and bool(details["loc"])


def _known_keys(location: Location) -> tuple[str, ...]:
    """List the settings of the section that a setting's location is in."""
    names = [step for step in location[:-1] if isinstance(step, str)]
    section = _SECTIONS.get(names[-1], Config) if names else Config
    if section is TlsEntry and names[0] in ("listen", "dicomweb"):
        # That of a listener.
        section = Tls
    return tuple(field.alias or name for name, field in section.model_fields.items())


def _meant(location: Location) -> str:
    return nearest(str(location[-1]), _known_keys(location)) or ""


def _unknown_key(root: Node, location: Location) -> Diagnostic:
    key, known = str(location[-1]), _known_keys(location)
    parent, _ = node_at(root, _written(root, location[:-1]))
    written = parent.key(key) if isinstance(parent, MappingNode) else None
    return finding(
        "G101",
        f"there is no setting `{key}` here",
        (written or parent).span,
        did_you_mean(key, known),
        notes=(f"the settings here are {', '.join(sorted(known))}",),
    )


def _unknown_kind(node: Node, around: str, expected: str) -> Diagnostic:
    key = _DISCRIMINATORS[around]
    value = node.get(key) if isinstance(node, MappingNode) else None
    if value is None:
        return finding("G102", f"`{key}` is missing here", node.span, f"{key} is {_KINDS[around]}")
    return _unknown_choice(value, f"`{key}`", _words(expected))


def _unknown_choice(node: Node, what: str, choices: tuple[str, ...]) -> Diagnostic:
    word = node.text if isinstance(node, Scalar) else ""
    listed = f"{', '.join(choices[:-1])} or {choices[-1]}" if len(choices) > 1 else choices[0]
    return finding("G104", f"{what} is {listed}", node.span, did_you_mean(word, choices))


def _words(expected: str) -> tuple[str, ...]:
    """Take the words out of pydantic's list: "'a', 'b' or 'c'"."""
    return tuple(expected.replace(" or ", ", ").replace("'", "").split(", "))
