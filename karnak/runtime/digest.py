"""The digest of a program: what its profile means, as 64 hexadecimal digits, on every machine the same.

What counts is all that can make a difference to an instance: rules in their order with conditions, selectors and
effects, masks, the default issuer, the edition of the standard and the version of the engine. What is said of a
profile rather than by it does not count: comments, layout and places, the names of rules, and the profile's own
name and version, which stand beside the digest wherever it is written (DeidentificationMethod). So two versions of a
profile with one digest treat every instance alike. What a set holds counts, in which order it is written does not.
"""

import hashlib
import json
from dataclasses import fields, is_dataclass
from enum import Enum
from typing import Any

from karnak.ir.profile import Profile, Rule
from karnak.ir.selector import Selector
from karnak.version import VERSION

# Labels: fields that people read and no executor acts on.
_LABELS: dict[type, frozenset[str]] = {
    Profile: frozenset({"name", "version", "minimum_karnak_version"}),
    Rule: frozenset({"name", "codename"}),
}
_PLACE = "span"


def digest_of(profile: Profile, edition: str) -> str:
    """Name what a profile means.

    Args:
        profile: the checked profile, after the passes.
        edition: edition of PS3.15 Table E.1-1 that it runs against.

    Returns:
        64 hexadecimal digits, SHA-256 of a canonical text.
    """
    meaning = {"profile": _meaning(profile), "edition": edition, "engine": VERSION}
    return hashlib.sha256(_text(meaning).encode("ascii")).hexdigest()


def _text(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))


def _meaning(value: Any) -> Any:
    """Turn IR into JSON data that has one text."""
    if isinstance(value, Selector):
        sides = {"include": _as_set(value.include), "exclude": _as_set(value.exclude)}
        return sides | {"is": "Selector", "vrs": _as_set(value.vrs), "private_only": value.private_only}
    if is_dataclass(value) and not isinstance(value, type):
        labels = _LABELS.get(type(value), frozenset())
        names = [item.name for item in fields(value) if item.name != _PLACE and item.name not in labels]
        return {"is": type(value).__name__} | {name: _meaning(getattr(value, name)) for name in names}
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, frozenset):
        return _as_set(value)
    if isinstance(value, tuple):
        return [_meaning(item) for item in value]
    assert value is None or isinstance(value, bool | int | float | str)
    return value


def _as_set(items: frozenset[Any] | tuple[Any, ...]) -> list[Any]:
    """The members of a set, each once, in an order of their own."""
    texts = {_text(_meaning(item)) for item in items}
    return [json.loads(text) for text in sorted(texts)]
